"""build.yaml: every word is known, every file is there, every promised table is made."""

from __future__ import annotations

import pytest

from hanse.errors import Finding
from hanse.names import PortLine, ProductId
from hanse.spec import document
from hanse.spec.build_file import build_file
from hanse.spec.model import BuildFile
from hanse.spec.project import project
from hanse.spec.read import contract
from tests.steps.mesh_of_two import files

LINE = PortLine(ProductId("sales", "orders"), "orders", 1)
SQL = "tables: {orders: {sql: orders.sql%s}}\n"
PYTHON = "tables: {orders: {python: orders.py%s}}\n"
GIVEN = ", inputs: {a: {from: b.c_v1.d, columns: [x]}}"
BESIDE = {"orders.sql": "SELECT 1", "orders.py": "def orders(): ..."}


def read(text: str) -> tuple[BuildFile | None, list[Finding]]:
    loaded, _ = document.load(files()["sales/orders/orders.v1.odcs.yaml"], "c.yaml")
    assert loaded is not None
    promised, _ = contract(loaded)
    assert promised is not None
    build, findings = document.load(text, "build.yaml")
    assert build is not None, findings
    return build_file(build, {LINE: promised}, BESIDE)


def test_sources_and_transforms_are_read() -> None:
    build, findings = read(
        "sources: {raw: {kind: files, path: a.csv, delimiter: ';'}}\nlimits: {memory_mib: 512}\n"
        "accept_governed: [a.b_v1.c]\n" + SQL % ", mode: incremental, by: key, late: 3d"
    )
    assert findings == []
    assert build is not None
    assert build.sources[0].options == {"path": "a.csv", "delimiter": ";"}
    [made] = build.transforms
    assert (made.language, made.code, made.mode, made.by, made.late_seconds) == (
        "sql",
        "SELECT 1",
        "incremental",
        "key",
        259200,
    )
    assert build.accept_governed == {"a.b_v1.c"}


def test_a_python_transform_is_given_only_what_is_listed() -> None:
    build, findings = read(PYTHON % ", inputs: {flights: {from: a.b_v1.c, columns: [x]}}")
    assert findings == []
    assert build is not None
    [made] = build.transforms
    assert (made.function, made.inputs, made.origins) == ("orders", {"flights": ("x",)}, {"flights": "a.b_v1.c"})


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("tabels: {}\n", "build.unknown-key", "tables"),
        (SQL % ", mod: full", "build.unknown-key", "mode"),
        (SQL % ", mode: sometimes", "build.bad-value", "mode is full or incremental"),
        (SQL % ", mode: incremental", "build.bad-value", "by key or by time"),
        (SQL % ", mode: incremental, by: time, time_column: id", "build.bad-value", "a column that holds a time"),
        (SQL % ", late: soon", "build.bad-value", "no length of time"),
        (SQL % ", inputs: {a: {from: b.c, columns: [x]}}", "build.bad-value", "Python transform"),
        (PYTHON % ", inputs: {a: {from: b.c}}", "build.bad-value", "lists no columns"),
        (PYTHON % ", inputs: {a: {from: 'b.c; drop', columns: [x]}}", "build.bad-value", "from where"),
        (PYTHON % ", function: 'a b', inputs: {}", "build.bad-value", "names a function"),
        ("tables: {orders: {sql: order.sql}}\n", "build.no-transform-file", "orders.sql"),
        ("tables: {order: {sql: orders.sql}}\n", "build.unknown-table", "orders"),
        ("tables: {orders: {sql: orders.sql, python: orders.py}}\n", "build.bad-value", "exactly one"),
        ("sources: {A B: {path: x}}\n" + SQL % "", "build.bad-value", "cannot name a source"),
        ("limits: {memory_mib: -1}\n" + SQL % "", "build.bad-value", "above 0"),
        ("schedule: at night\n" + SQL % "", "build.bad-value", "five fields"),
        ("tables: {orders: {sql: orders.sql}, orders@1: {sql: orders.sql}}\n", "build.bad-value", "makes already"),
        (PYTHON % f"{GIVEN}, lineage: {{custmer: [a.x]}}", "build.bad-value", "customer"),
        (PYTHON % f"{GIVEN}, lineage: {{customer: [a.y]}}", "build.bad-value", "write a.x"),
        (PYTHON % f"{GIVEN}, lineage: {{customer: [b.x]}}", "build.bad-value", "no column that the transform is given"),
    ],
)
def test_what_is_wrong_is_found_at_its_place(text: str, code: str, said: str) -> None:
    build, findings = read(text)
    assert build is None
    assert any(f.code == code and said in f.message + f.mend for f in findings), findings


def test_a_variable_that_is_not_put_in_is_a_note() -> None:
    build, findings = read("sources: {raw: {path: '${FEED}/a.csv'}}\n" + SQL % "")
    assert build is not None
    assert [(f.code, f.severity, f.pointer) for f in findings] == [("variable.unresolved", "note", "/sources/raw/path")]


@pytest.mark.parametrize("schedule", ["0 6 * * *", "*/15 0-5,22 1 JAN-MAR MON"])
def test_a_schedule_has_five_fields(schedule: str) -> None:
    assert read(f"schedule: '{schedule}'\n" + SQL % "")[1] == []


def test_a_circle_of_tables_is_found_and_told_once() -> None:
    from hanse.spec.order import build_order, cycles

    texts = files()
    order = [str(table) for table in build_order(project(texts)[0])]
    assert order == ["sales.orders_v1.orders", "growth.baskets_v1.baskets", "growth.scores_v1.scores"]
    texts["growth/baskets/baskets.sql"] = "SELECT customer, score AS orders, 1.0 AS amount FROM growth.scores_v1.scores"
    [finding] = cycles(project(texts)[0])
    assert finding.code == "build.cycle"
    assert finding.message.count("growth.baskets_v1.baskets") == 2
