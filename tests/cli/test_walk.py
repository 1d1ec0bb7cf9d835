"""The walk from files to an audited answer, at the command line, without any node that serves."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from hanse.cli.local import holder
from hanse.cli.main import main
from tests.steps.mesh_of_two import CSV, PEOPLE, files

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("walk") / "mesh"
    # the people of the operating system: this test's own user owns sales
    people = PEOPLE.replace("Owner of sales, teams", f"Owner of sales, login: {getpass.getuser()}, teams")
    for path, text in {**files(), "data/orders.csv": CSV, "people.yaml": people}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture
def hanse(project: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(project / "sales")

    def run(*words: str, status: int = 0) -> Result:
        with monkeypatch.context() as patch:
            for name in ("HANSE_TOKEN", "HANSE_NODE"):
                patch.setenv(name, "")
            done = CliRunner().invoke(main, list(words))
        assert done.exit_code == status, f"hanse {' '.join(words)}\n{done.output}"
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.mark.parametrize("step", range(10))
def test_the_walk(step: int, hanse: Run, project: Path) -> None:
    [_validate, _plan, _build, _publish, _again, _search, _ask, _formats, _access, _audit][step](hanse, project)
    assert holder(project) is None, "a verb that has ended still holds the homes"


def _validate(hanse: Run, project: Path) -> None:
    hanse("validate")
    assert not (project / ".hanse").exists(), "validate makes nothing"


def _plan(hanse: Run, project: Path) -> None:
    done = hanse("plan", "sales/orders")
    assert "+ sales/orders   1.0.0   new" in done.stdout
    plan = done.stderr.split("hanse publish ")[1].strip()
    assert f"Plan {plan}: 1 new" in done.stdout
    assert hanse("plan", "sales/orders", "--changes-exit", status=10)
    assert json.loads(hanse("plan", "sales/orders", "--json").stdout)["id"] == plan
    assert hanse("plan", "sales/nothing", status=2).stderr.startswith("plan.unknown-product")


def _build(hanse: Run, project: Path) -> None:
    done = hanse("build", "sales/orders", "--json")
    assert json.loads(done.stdout)["ok"]
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["kind"] for event in events] == ["build.started", "build.built"]


def _publish(hanse: Run, project: Path) -> None:
    refused = hanse("publish", "--only", "sales/orders", status=2)
    assert "--yes" in refused.stderr, "without a terminal nobody is asked"
    done = hanse("publish", "--only", "sales/orders", "--yes")
    assert "ok    sales/orders" in done.stdout
    assert "publication 1" in done.stdout
    assert "Next: hanse show sales/orders" in done.stderr


def _again(hanse: Run, project: Path) -> None:
    assert "nothing to publish" in hanse("plan", "sales/orders").stderr
    plan = json.loads(hanse("plan", "sales/orders", "--json").stdout)
    assert plan["counts"]["unchanged"] == 1
    assert f"new data alone: hanse publish {plan['id']}" in hanse("publish", "--only", "sales/orders").stderr
    same = json.loads(hanse("publish", "--only", "sales/orders", "--yes", "--json").stdout)["products"][0]
    assert (same["state"], same["sequence"]) == ("unchanged", 1)
    (project / "data/orders.csv").write_text(CSV.replace("10.50", "10.75"))
    new = json.loads(hanse("publish", "--only", "sales/orders", "--yes", "--json").stdout)["products"][0]
    assert (new["state"], new["sequence"]) == ("published", 2), "a refresh is a publication under the same version"
    (project / "data/orders.csv").write_text(CSV)
    hanse("publish", "--only", "sales/orders", "--yes")
    runs = json.loads(hanse("runs", "--json").stdout)["runs"]
    assert {(run["verb"], run["product"]) for run in runs} == {("build", "sales/orders"), ("publish", "sales/orders")}
    assert "publish.done" in hanse("runs", runs[0]["id"]).stdout
    assert hanse("as", "stranger", "--", "runs").stdout == ""
    assert hanse("publish", "0123456789ab", status=2)
    assert "hanse publish --only sales/orders" in hanse("publish", "sales/orders", status=2).stderr
    assert "nobody has granted" not in hanse("status").stdout


def _search(hanse: Run, project: Path) -> None:
    assert "sales/orders" in hanse("search", "amount").stdout
    assert hanse("search", "zzzzzz", status=2).stdout == ""
    shown = hanse("show", "sales/orders").stdout
    assert "sales.orders   3 rows" in shown
    contract = hanse("show", "sales/orders", "--contract").stdout
    assert contract.startswith("apiVersion: v3.2.0")
    assert "/api/v1/products/sales/orders/tables/orders/rows" in contract
    assert hanse("show", "sales/nothing", status=2).stderr.startswith("product.unknown")
    assert "did you mean sales/orders?" in hanse("show", "sales/order", status=2).stderr
    assert "has no major 7\n\nmend: name sales/orders@1" in hanse("show", "sales/orders@7", status=2).stderr


def _ask(hanse: Run, project: Path) -> None:
    done = hanse("query", "select customer, sum(amount) as total from sales.orders group by 1 order by 1")
    assert done.stdout.splitlines() == ["customer  total", "────────  ─────", "ada       11.75", "bob        7.00"]
    assert done.stderr.strip().startswith("2 rows, ")
    assert hanse("query", "select nope from sales.orders", status=2).stderr.startswith("query.unknown-column")
    told = hanse("query", "select id, null as gone, '' as empty from sales.orders where id = $id", "-p", "id=2")
    assert told.stdout.splitlines()[2].split() == ["2", "NULL"]
    assert "is not NAME=VALUE" in hanse("query", "select $id", "-p", "2", status=2).stderr
    assert hanse("query", "drop table sales.orders", status=3).stderr.startswith("query.")
    assert hanse("query", status=2)
    refused = hanse("as", "stranger", "--", "query", "select email from sales.orders")
    assert "ada@x.org" not in refused.stdout, "a class above internal is shown to the owner's permit only"


def _formats(hanse: Run, project: Path) -> None:
    sql = "select id, amount from sales.orders order by id"
    assert hanse("query", sql, "--as", "csv").stdout == "id,amount\n1,10.50\n2,1.25\n3,7.00\n"
    assert json.loads(hanse("query", sql, "--as", "json").stdout)["rows"][0] == [1, "10.50"]
    hanse("query", sql, "--out", str(project / "answer.parquet"))
    assert parquet.read_table(project / "answer.parquet").num_rows == 3
    (project / "q.sql").write_text(sql)
    hanse("query", "-f", str(project / "q.sql"), "--out", str(project / "answer.arrow"))
    assert pa.ipc.open_stream((project / "answer.arrow").read_bytes()).read_all().num_rows == 3
    hanse("query", "select nope from sales.orders", "--out", str(project / "none.csv"), status=2)
    assert not list(project.glob("none*")), "a refused question leaves no file"


def _access(hanse: Run, project: Path) -> None:
    asked = hanse("as", "stranger", "--", "access", "request", "sales/orders", "--column", "email", "--why", "to write")
    id = asked.stdout.split()[1]
    assert id == "r-sales-1"
    assert hanse("as", "stranger", "--", "access", "approve", id, status=3).stderr.startswith("access.own-request")
    granted = hanse("access", "approve", id, "--note", "go on")
    assert granted.stdout.startswith("Granted: person:stranger may read sales/orders (email) until ")
    clear = hanse("as", "stranger", "--", "query", "select email from sales.orders where id = 1")
    assert "ada@x.org" in clear.stdout
    grant = granted.stderr.split("revoke ")[1].split()[0]
    hanse("access", "revoke", grant, "--why", "no longer")
    masked = hanse("as", "stranger", "--", "query", "select email from sales.orders where id = 1")
    assert "ada@x.org" not in masked.stdout
    assert "revoked" in hanse("access", "list").stdout


def _audit(hanse: Run, project: Path) -> None:
    entries = json.loads(hanse("audit", "--product", "sales/orders", "--json").stdout)["entries"]
    acts = [entry["action"] for entry in entries]
    assert "query" in acts
    assert "access.approved" in acts
    assert all("ada@x.org" not in json.dumps(entry) for entry in entries)
    assert "person:owner_sales" in hanse("audit", "--person", "owner_sales").stdout
    assert "ok    sales" in hanse("audit", "verify").stdout
    assert "ok    audit of sales" in hanse("doctor").stdout
    own = json.loads(hanse("as", "stranger", "--", "audit", "--json").stdout)["entries"]
    assert {entry["principal"] for entry in own} == {"person:stranger"}


def test_nobody_is_signed_in_without_a_login(hanse: Run, project: Path) -> None:
    people = (project / "people.yaml").read_text()
    (project / "people.yaml").write_text(PEOPLE)
    try:
        done = hanse("status", status=3)
        assert done.stderr.startswith("identity.not-signed-in")
        assert "hanse as PERSON" in done.stderr
    finally:
        (project / "people.yaml").write_text(people)


def test_a_token_is_all_that_is_printed(hanse: Run) -> None:
    done = hanse("token", "owner_sales", "--scope", "read")
    assert done.stdout.count("\n") == 1
    assert done.stdout.count(".") == 2
    assert done.stderr == ""


def test_a_node_that_cannot_be_reached_is_named(hanse: Run, project: Path) -> None:
    token = project / "token"
    token.write_text(hanse("token", "owner_sales").stdout)
    done = hanse("status", "--node", "http://127.0.0.1:9", "--as-token", str(token), status=4)
    assert "http://127.0.0.1:9" in done.stderr
    assert hanse("status", "--node", "http://127.0.0.1:9", status=3).stderr.startswith("identity.not-signed-in")


def test_a_failing_rule_is_accepted_by_a_baseline(hanse: Run, project: Path) -> None:
    contract = project / "sales" / "orders" / "orders.v1.odcs.yaml"
    text = contract.read_text()
    rule = "quality: [{name: few, type: library, metric: rowCount, mustBe: 1, severity: error, description: Few.}]"
    contract.write_text(text.replace("    description: T.\n", f"    description: T.\n    {rule}\n"))
    hanse("build", "sales/orders")
    hanse("test", "sales/orders", status=1)
    done = hanse("test", "sales/orders", "--baseline", "--why", "the first three", "--until", "2099-01-01")
    assert "1 of 1 failing rules accepted until 2099-01-01" in done.stderr
    assert "+  why: the first three" in done.stdout
    assert "accepted until 2099-01-01: the first three" in hanse("test", "sales/orders").output
    hanse("test", "sales/orders", "--baseline", status=2)
    (contract.parent / "baseline.yaml").unlink()
    contract.write_text(text)
