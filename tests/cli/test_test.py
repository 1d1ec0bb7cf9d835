"""`hanse test --contract`: exit codes, lines, OORS and JUnit."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest
from click.testing import CliRunner, Result

from hanse.cli.main import main

HEAD = """\
apiVersion: v3.1.0
kind: DataContract
id: orders
name: orders
version: 2.0.1
status: active
servers: [{server: here, type: local, path: ./orders.parquet, format: parquet}]
schema:
  - name: orders
    quality:
      - {name: enough, metric: rowCount, mustBeGreaterThan: 1}
      - {name: people look, type: text, description: somebody looks at it}
      - {name: soft, metric: rowCount, mustBe: 9, severity: warning}
    properties:
      - {name: order_id, logicalType: string, required: true, primaryKey: true, primaryKeyPosition: 1}
      - name: currency
        logicalType: string
        quality: [{name: currency, metric: invalidValues, arguments: {validValues: [EUR, SEK, PLN]}, mustBe: 0}]
"""
GOOD = "FROM (VALUES ('o-1', 'EUR'), ('o-2', 'SEK')) t(order_id, currency)"
BAD = "FROM (VALUES ('o-1', 'EUR'), ('o-2', 'DKK'), ('o-3', 'DKK')) t(order_id, currency)"


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    (tmp_path / "orders.odcs.yaml").write_text(HEAD)
    return tmp_path / "orders.odcs.yaml"


def hanse(contract: Path, *more: str, data: str = GOOD) -> Result:
    duckdb.execute(f"COPY ({data}) TO '{contract.parent}/orders.parquet' (FORMAT parquet)")
    return CliRunner().invoke(main, ["test", "--contract", str(contract), *more])


def test_good_data_exits_0_and_the_first_line_says_what_was_tested(contract: Path) -> None:
    result = hanse(contract)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "Tested server here (local): ./orders.parquet, 2 rows, against orders 2.0.1"
    assert lines[-1] == "7 of 8 checks pass, 1 warns, 1 not run"
    assert {line.split()[0] for line in lines[1:-1] if not line.startswith("        ")} == {"ok", "warn", "skip"}


def test_a_failing_rule_shows_expected_found_count_and_first_key(contract: Path) -> None:
    result = hanse(contract, data=BAD)
    assert result.exit_code == 1
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith("fail currency"))
    assert "0 rows not one of EUR, SEK, PLN 2 of 3 rows" in lines[at]
    assert lines[at + 1] == "found DKK (2), first at order_id o-2"
    assert lines[at + 2] == f"rule {contract}:18"
    assert lines[-1].startswith("6 of 8 checks pass, 1 fails, 1 warns, 1 not run")


def test_strict_fails_on_what_was_not_run(contract: Path) -> None:
    assert hanse(contract, "--strict").exit_code == 1


def test_only_runs_what_it_names(contract: Path) -> None:
    result = hanse(contract, "--only", "enough")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "1 of 1 checks pass"


def test_only_of_a_misspelt_rule_exits_2_with_the_nearest(contract: Path) -> None:
    result = hanse(contract, "--only", "currancy")
    assert result.exit_code == 2
    assert "test.no-such-rule" in result.stderr
    assert "--only currency" in result.stderr


def test_nothing_tested_is_never_success(contract: Path) -> None:
    result = hanse(contract, "--only", "people look")
    assert result.exit_code == 2
    assert "test.nothing-tested" in result.stderr


def test_a_contract_with_errors_exits_1_with_its_findings(contract: Path) -> None:
    contract.write_text(HEAD.replace("logicalType: string", "logicalType: text"))
    result = hanse(contract)
    assert result.exit_code == 1
    assert "orders.odcs.yaml" in result.stderr


def test_json_is_an_oors_document(contract: Path) -> None:
    result = hanse(contract, "--json", data=BAD)
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["kind"] == "ObservabilityResults"
    assert document["status"] == "fail"
    assert document["contract"] == {"contractId": "orders", "standard": "ODCS", "version": "2.0.1", "server": "here"}
    by_name = {entry["name"]: entry for entry in document["results"] if entry["measure"]["metric"] == "invalidValues"}
    found = by_name["currency"]
    assert found["type"] == "check"
    assert found["status"] == "fail"
    assert found["measure"] == {
        "metric": "invalidValues", "value": 2.0, "threshold": {"mustBe": 0}, "unit": "rows", "rowCount": 3,
        "failedRowCount": 2,
    }  # fmt: skip
    assert {entry["status"] for entry in document["results"]} == {"pass", "fail", "warn", "skip"}


def test_junit_names_every_check_and_its_outcome(contract: Path, tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    hanse(contract, "--junit", str(file), data=BAD)
    suite = ElementTree.parse(file).getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("9", "1", "1")
    [failure] = suite.findall("testcase/failure")
    assert "2 of 3 rows" in (failure.text or "")


def test_text_of_the_data_cannot_move_the_cursor(contract: Path) -> None:
    result = hanse(contract, data="SELECT 'o' || chr(27) || '[2J' AS order_id, 'DK' || chr(8238) AS currency")
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout


def test_server_goes_with_contract_only() -> None:
    result = CliRunner().invoke(main, ["test", "--server", "x"])
    assert result.exit_code == 2
