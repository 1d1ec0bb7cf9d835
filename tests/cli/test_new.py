"""`hanse new product`: from data or a contract to files that validate and test as they were written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse.errors import HanseError, Severity
from hanse.names import ProductId
from hanse.node.project_files import read
from hanse.node.settings import load
from hanse.node.steps.draft import Asked, draft
from hanse.spec.project import project
from tests.cli.test_init import hanse

ROWS = 60
CANARY = "canary"


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    done = hanse(tmp_path, "init", "sales", "--support", "mailto:sales@shop.example")
    assert done.returncode == 0, done.stderr
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "orders.csv").write_text(csv())
    return tmp_path


def csv(rows: int = ROWS) -> str:
    lines = [
        f"{i},2026-11-{1 + i % 28:02d},{CANARY}{i % 7}@x.example,{['new', 'paid'][i % 2]},{i}.5" for i in range(rows)
    ]
    return "\n".join(["id,placed,email,status,amount", *lines]) + "\n"


def begin(mesh: Path, *words: str) -> Any:
    done = hanse(mesh, "new", "product", *words, "--purpose", "Every order of the shop.", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def built(mesh: Path) -> str:
    for verb in ("validate", "build", "test"):
        done = hanse(mesh, verb)
        assert done.returncode == 0, f"{verb}\n{done.stdout}{done.stderr}"
    return done.stdout


def texts(folder: Path) -> str:
    return "".join(file.read_text() for file in folder.rglob("*") if file.is_file())


def test_a_product_from_a_csv_validates_and_tests_unchanged(mesh: Path) -> None:
    told = begin(mesh, "orders", "--from", "data/orders.csv")
    (table,) = told["tables"]
    assert (table["rows"], table["key"], list(table["sensitive"])) == (ROWS, ["id"], ["email"])
    assert "checks pass" in built(mesh)
    assert CANARY not in texts(mesh / "sales" / "orders")


def test_a_second_run_keeps_what_a_person_edited_and_finishes_what_is_missing(mesh: Path) -> None:
    begin(mesh, "orders", "--from", "data/orders.csv")
    contract = mesh / "sales/orders/orders.v1.odcs.yaml"
    contract.write_text("# mine\n" + contract.read_text())
    (mesh / "sales/orders/build.yaml").unlink()
    told = begin(mesh, "sales/orders", "--from", "data/orders.csv")
    assert [file["path"] for file in told["files"] if file["written"]] == ["sales/orders/build.yaml"]
    assert contract.read_text().startswith("# mine\n")


def test_proposed_classes_bar_publishing_until_a_person_confirms(mesh: Path) -> None:
    begin(mesh, "orders", "--from", "data/orders.csv")
    done = hanse(mesh, "plan")
    assert "blocked by classification.proposed" in done.stdout, done.stdout
    contract = mesh / "sales/orders/orders.v1.odcs.yaml"
    contract.write_text(contract.read_text().partition("customProperties:")[0])
    assert "1 new, 0 changed, 0 blocked" in hanse(mesh, "plan").stdout


def test_a_folder_of_files_is_one_table(mesh: Path) -> None:
    (mesh / "data" / "days").mkdir()
    for day in ("monday", "tuesday"):
        (mesh / "data" / "days" / f"{day}.csv").write_text(csv(5))
    told = begin(mesh, "days", "--from", "data/days")
    assert (told["tables"][0]["rows"], told["tables"][0]["key"]) == (10, [])
    built(mesh)


def test_types_that_only_later_rows_tell_are_pinned(mesh: Path) -> None:
    many = "".join(f"{i},1\n" for i in range(30_000))
    (mesh / "data" / "codes.csv").write_text(f"id,code\n{many}30000,007\n")
    begin(mesh, "codes", "--from", "data/codes.csv")
    build = (mesh / "sales/codes/build.yaml").read_text()
    assert "types:\n      code: VARCHAR\n" in build
    built(mesh)


CONTRACT = """
# ours, and it stays as it is
apiVersion: v3.1.0
kind: DataContract
id: sales.orders.v2
name: orders
version: 2.1.0
status: active
schema:
  - name: orders
    logicalType: object
    properties:
      - name: ID
        logicalType: integer
        physicalType: BIGINT
        required: true
        primaryKey: true
        primaryKeyPosition: 1
        classification: public
      - {name: amount, logicalType: number, physicalType: "DECIMAL(9,2)", classification: internal}
"""


def test_a_contract_is_kept_by_the_data_that_are_named(mesh: Path) -> None:
    (mesh / "orders.odcs.yaml").write_text(CONTRACT)
    told = begin(mesh, "orders", "--from", "orders.odcs.yaml", "--data", "data/orders.csv")
    assert told["files"][0]["path"] == "sales/orders/orders.v2.odcs.yaml"
    assert (mesh / "sales/orders/orders.v2.odcs.yaml").read_text() == CONTRACT
    (mesh / "orders.odcs.yaml").unlink()
    built(mesh)


def test_a_contract_of_two_tables_takes_a_folder_with_a_file_for_each(mesh: Path) -> None:
    second = CONTRACT.partition("schema:\n")[2].replace("name: orders", "name: returns")
    (mesh / "orders.odcs.yaml").write_text(CONTRACT + second)
    (mesh / "data" / "returns.csv").write_text(csv(5))
    begin(mesh, "orders", "--from", "orders.odcs.yaml", "--data", "data")
    (mesh / "orders.odcs.yaml").unlink()
    assert "checks pass" in built(mesh)


def test_a_data_contract_specification_is_taken_over(mesh: Path) -> None:
    (mesh / "datacontract.yaml").write_text(
        "dataContractSpecification: 1.1.0\nid: orders\ninfo: {title: Orders, version: 1.0.0}\n"
        "models: {orders: {type: table, fields: {id: {type: long, required: true, primaryKey: true, "
        "classification: public}, email: {type: string, pii: true}}, quality: [{type: custom}]}}\n"
    )
    told = begin(mesh, "orders", "--from", "datacontract.yaml", "--data", "data/orders.csv")
    assert told["not_taken_over"] == ["/models/orders/quality"]
    built(mesh)


@pytest.mark.parametrize(
    ("words", "told", "mend"),
    [
        (("orders", "--from", "data/order.csv"), "no file, folder or connection 'data/order.csv'", "below the"),
        (("shop/orders", "--from", "data/orders.csv"), "this project has no domain 'shop'", "hanse init shop"),
        (("Orders!", "--from", "data/orders.csv"), "cannot be the name of a product: write sales/orders", "--help"),
        (("orders", "--from", "people.yaml"), "people.yaml is no data contract", "ODCS contract"),
        (("orders", "--from", "orders.odcs.yaml"), "says what is promised, not where the rows are", "add --data FILE"),
        (("orders", "--from", "orders.odcs.yaml", "--data", "data/x.csv"), "lack what its contract promises", "y"),
        (("orders", "--from", "/etc/hostname"), "lies outside the folders that this node may read", "move the file"),
        (("orders", "--from", "data/bad.parquet"), "cannot be read: it is no Parquet file", "mend the file"),
        (("orders", "--from", "data/none"), "there is no file at 'data/none'", "put csv, json, parquet files there"),
        (("orders", "--from", "data/[1].csv"), "there is no file at 'data/[1].csv'", "the name reads as a pattern"),
        (("orders", "--from", "data/ragged.csv"), "cannot be read: its rows are not all alike", "mend the file"),
        (("orders", "--from", "data/a.xlsx"), "'.xlsx' does not tell one format", "add format: parquet, csv or json"),
    ],
)  # fmt: skip
def test_what_cannot_be_begun_says_why_and_writes_nothing(
    words: tuple[str, ...], told: str, mend: str, mesh: Path
) -> None:
    (mesh / "orders.odcs.yaml").write_text(CONTRACT)
    (mesh / "data" / "x.csv").write_text("y\n1\n")
    (mesh / "data" / "bad.parquet").write_text("no parquet")
    (mesh / "data" / "none").mkdir()
    (mesh / "data" / "ragged.csv").write_text("id,name,city\n1,a,b\n2,c\n3,d,e\n")
    for name in ("[1].csv", "a.xlsx"):
        (mesh / "data" / name).write_text("x\n1\n")
    done = hanse(mesh, "new", "product", *words)
    assert done.returncode in (1, 2, 3, 4), done.stdout
    said = done.stderr.partition("mend:")
    assert told in said[0]
    assert mend in said[2]
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in (mesh / "sales").iterdir()) == ["domain.yaml"]


def assert_free_of_values(error: HanseError) -> None:
    assert CANARY not in f"{error.message}{error.mend}{error.why}"


cells = st.one_of(
    st.integers(-9, 9).map(str), st.dates().map(str), st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.text(st.characters(min_codepoint=32, exclude_characters='",', exclude_categories=("C",)), max_size=8),
    st.emails(), st.ip_addresses().map(str),
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=70), head=st.permutations(["email", "b", "c"])
)
def test_no_value_of_a_row_enters_a_file(rows: list[tuple[str, ...]], head: list[str], mesh: Path) -> None:
    marked = [[f"{CANARY}{cell}" if i == 1 else cell for i, cell in enumerate(row)] for row in rows]
    text = "\n".join(",".join(f'"{cell}"' for cell in row) for row in [head, *marked])
    (mesh / "data" / "any.csv").write_text(text + "\n")
    whole, _ = project(read(mesh))
    try:
        made = draft(load(mesh, {}), whole, Asked(ProductId("sales", "any"), "data/any.csv"), mesh)
    except HanseError as error:
        assert_free_of_values(error)
        return
    told = "".join(made.texts.values())
    words = {word for column in made.product.tables[0].columns for word in column.words}
    assert CANARY not in told or any(CANARY in word for word in words)
    _, findings = project({**read(mesh), **made.texts})
    assert [one for one in findings if one.severity is Severity.ERROR] == []
