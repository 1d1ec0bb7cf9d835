"""Policies that name what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanse.errors import Finding, Severity
from hanse.node.steps.validate import validate_project

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
ROWS = "operations/policies/rows/own_carrier.sql"
PUBLISH = "policies/publish/extra.sql"


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    found = (path for path in EXAMPLE.rglob("*") if path.suffix in (".yaml", ".sql", ".cedar", ".py"))
    return {path.relative_to(EXAMPLE).as_posix(): path.read_text() for path in found}


def one(files: dict[str, str], **changed: str) -> Finding:
    (finding,) = validate_project({**files, **changed})
    return finding


@pytest.mark.parametrize(
    ("row", "line", "mend"),
    [
        ("-- table: operations.flights.flight\ntrue", 1, "write operations.flights.flights"),
        ("-- to: team:fleet\n-- product: operations.flight\ntrue", 2, "write operations.flights"),
        ("-- table: operations.flights_v2.flights\ntrue", 1, "write operations.flights_v1.flights"),
        ("-- table: operations.flights.flights\ncarrer = 'AA'", 2, "write carrier"),
    ],
)
def test_a_row_policy_about_nothing_is_an_error(files: dict[str, str], row: str, line: int, mend: str) -> None:
    finding = one(files, **{ROWS: row})
    assert (finding.code, finding.severity, finding.file, finding.line) == (
        "policy.reaches-nothing", Severity.ERROR, ROWS, line,
    )  # fmt: skip
    assert finding.mend.startswith(mend)


def test_a_row_policy_that_binds_an_unknown_team_is_told(files: dict[str, str]) -> None:
    finding = one(files, **{ROWS: files[ROWS].replace("team:analysts", "team:analyst")})
    assert (finding.severity, finding.line) == (Severity.WARNING, 2)
    assert finding.mend.startswith("write team:analysts")


def test_columns_of_a_subquery_are_not_those_of_the_table(files: dict[str, str]) -> None:
    row = "-- table: operations.flights.flights\ncarrier in (select c.name from operations.carriers.carriers c)"
    assert validate_project({**files, ROWS: row}) == []


@pytest.mark.parametrize("column", ["operations.flights.flights.tailnumm", "operations.flight.flights.tailnum"])
def test_a_mask_of_a_column_that_is_not_there_is_an_error(files: dict[str, str], column: str) -> None:
    masks = files["policies/masks.yaml"] + f"- {{name: more, column: {column}, mask: hash}}\n"
    finding = one(files, **{"policies/masks.yaml": masks})
    assert (finding.code, finding.line) == ("policy.reaches-nothing", 3)


def test_policies_of_a_contract_that_cannot_be_read_are_not_told_on_top(files: dict[str, str]) -> None:
    found = validate_project({**files, "operations/flights/flights.v1.odcs.yaml": "a: ["})
    assert {finding.code for finding in found} == {"yaml.syntax", "ref.unknown-contract"}


@pytest.mark.parametrize(
    ("sql", "severity", "mend"),
    [
        ("select product, place from catalog.product", Severity.ERROR, "write catalog.products"),
        ("selct product from catalog.products", Severity.WARNING, "mend it there"),
        ("drop table catalog.products", Severity.ERROR, "select product"),
    ],
)
def test_a_publish_policy_that_cannot_ask_is_told(
    files: dict[str, str], sql: str, severity: Severity, mend: str
) -> None:
    text = f"-- policy: extra\n-- severity: warn\n-- says: Something is wanted.\n{sql}"
    finding = one(files, **{PUBLISH: text})
    assert (finding.code, finding.severity, finding.line) == ("policy.bad-publish-policy", severity, 4)
    assert finding.mend.startswith(mend)
