"""build: tables in order, as their products, into stages that no reader sees."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hanse.engine import storage
from hanse.engine.snapshot import TableSnapshot
from hanse.errors import RejectedError, Severity
from hanse.governance.decision import Action
from hanse.names import PortLine, ProductId, TableId, Version
from hanse.node import stages
from hanse.node.builds.stream import BuildCancelled
from hanse.node.home.values import LineRecord, Publication
from hanse.node.permission import NotPermitted
from hanse.node.steps import audit
from hanse.node.steps.build import NothingToBuild
from hanse.node.steps.test import test as contract_test
from tests.steps.mesh_of_two import CSV, contract, files
from tests.steps.world import NOON, World, opened, person

OWNERS = replace(person("owner", "sales"), teams=frozenset({"sales", "growth"}))
ORDERS = ProductId("sales", "orders")
ORDERS_LINE = PortLine(ORDERS, "orders", 1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path, files(), {"orders.csv": CSV}) as world:
        yield world


def build(world: World, *products: str, **options: Any) -> Any:
    return world.build(*products, by=[OWNERS], **options)


def states(report: Any) -> dict[str, str]:
    return {table.table.table: table.state for table in report.tables}


def rows(world: World, domain: str, snapshot: TableSnapshot) -> list[tuple[Any, ...]]:
    sql = storage.scan_sql(snapshot, world.node.homes[domain].warehouse)
    return duckdb.sql(f"SELECT * FROM ({sql}) ORDER BY ALL").fetchall()


def staged(world: World, domain: str, name: str) -> list[tuple[Any, ...]]:
    product = ProductId(domain, name)
    stage = world.node.homes[domain].store.stage(product, PortLine(product, name, 1))
    assert stage is not None
    return rows(world, domain, stage.snapshot.tables[name])


def publish(world: World, product: ProductId) -> None:
    """Publish a product's stage as it is: what the step publish does at its end."""
    home, project = world.node.homes[product.domain], world.project
    line = PortLine(product, product.name, 1)
    stage = home.store.stage(product, line)
    assert stage is not None
    found = project.products[product]
    texts = {path: text for path, text in project.files.items() if path.startswith(f"{product.domain}/{product.name}/")}
    contract_file = f"{product.domain}/{product.name}/{product.name}.v1.odcs.yaml"
    held = home.published().get(product)
    base = held.sequence if held else 0
    with home.change() as recorded:
        connection = recorded.connection
        home.store.know(connection, product, found.product.document_id, "active")
        bundle = home.store.put_texts(texts, connection)
        publication = Publication(
            product, base + 1, base, "publish", f"p{base}", f"k{base}",
            (LineRecord(line, str(Version.parse("1.0.0")), contract_file, stage.snapshot),),
            1, {1: product.name}, bundle, "", "active", "person:owner", NOON,
        )  # fmt: skip
        assert home.store.append(connection, publication)
        home.store.drop_stages(product, connection)


def test_a_whole_mesh_is_built_in_the_order_of_what_reads_what(world: World) -> None:
    report = build(world)
    assert report.ok, report.errors
    assert [table.table.table for table in report.tables] == ["orders", "baskets", "scores"]
    assert set(states(report).values()) == {"built"}
    assert [row[0] for row in staged(world, "sales", "orders")] == [1, 2, 3]
    assert [(c, n) for c, n, _ in staged(world, "growth", "baskets")] == [("ada", 2), ("bob", 1)]
    assert staged(world, "growth", "scores") == [("ada", 20), ("bob", 10)]


def test_nothing_is_published_by_it(world: World) -> None:
    build(world)
    assert all(not home.published() for home in world.node.homes.values())


def test_what_has_not_changed_is_not_built_again(world: World) -> None:
    build(world)
    again = build(world)
    assert set(states(again).values()) == {"unchanged"}
    assert [table.rows for table in again.tables] == [3, 2, 2]
    assert set(states(build(world, full=True)).values()) == {"built"}


def test_a_change_of_data_transform_or_contract_is_built_with_what_reads_it(world: World) -> None:
    build(world)
    (world.root / "data/orders.csv").write_text(CSV + "4,cyd,c@x.org,1\n")
    assert set(states(build(world)).values()) == {"built"}
    world.write("growth/scores/scores.py", files()["growth/scores/scores.py"].replace("10)", "11)"))
    assert states(build(world)) == {"orders": "unchanged", "baskets": "unchanged", "scores": "built"}
    assert staged(world, "growth", "scores")[0] == ("ada", 22)


def test_a_sample_is_staged_to_look_at_and_never_taken_for_the_whole(world: World) -> None:
    world.write("data/orders.csv", "id,customer,email,amount\n" + "".join(f"{n},c{n},e{n},1\n" for n in range(4000)))
    world.build("sales/orders", by=[OWNERS], sample=10)
    assert 200 < len(staged(world, "sales", "orders")) < 600
    [report] = contract_test(world.node, world.project, [ORDERS], principal=OWNERS).lines
    assert report.value["source"] == "sales/orders, staged, made of a sample"
    assert states(build(world, "sales/orders")) == {"orders": "built"}
    assert len(staged(world, "sales", "orders")) == 4000


def test_the_next_stage_is_cut_from_what_is_published(world: World) -> None:
    build(world, "sales/orders")
    publish(world, ORDERS)
    first = world.node.homes["sales"].published()[ORDERS].lines[ORDERS_LINE].snapshot.tables["orders"]
    assert states(build(world, "sales/orders")) == {"orders": "unchanged"}
    (world.root / "data/orders.csv").write_text("id,customer,email,amount\n9,eve,e@x.org,1\n")
    build(world, "sales/orders")
    assert [row[0] for row in staged(world, "sales", "orders")] == [9]
    assert [row[0] for row in rows(world, "sales", first)] == [1, 2, 3]


def test_an_increment_by_key_replaces_rows_and_keeps_the_others(world: World) -> None:
    world.write(
        "sales/orders/build.yaml",
        files()["sales/orders/build.yaml"].replace(
            "{sql: orders.sql}", "{sql: orders.sql, mode: incremental, by: key}"
        ),
    )
    build(world, "sales/orders")
    publish(world, ORDERS)
    (world.root / "data/orders.csv").write_text("id,customer,email,amount\n3,bob,b@x.org,8\n4,cyd,c@x.org,1\n")
    assert build(world, "sales/orders").ok
    assert [(row[0], float(row[3])) for row in staged(world, "sales", "orders")] == [
        (1, 10.5),
        (2, 1.25),
        (3, 8.0),
        (4, 1.0),
    ]


def test_an_increment_that_was_not_published_does_not_enter_the_next(world: World) -> None:
    world.write(
        "sales/orders/build.yaml",
        files()["sales/orders/build.yaml"].replace(
            "{sql: orders.sql}", "{sql: orders.sql, mode: incremental, by: key}"
        ),
    )
    build(world, "sales/orders")
    publish(world, ORDERS)
    (world.root / "data/orders.csv").write_text("id,customer,email,amount\n666,bad,b@x.org,8\n")
    build(world, "sales/orders")
    (world.root / "data/orders.csv").write_text("id,customer,email,amount\n4,cyd,c@x.org,1\n")
    build(world, "sales/orders")
    assert [row[0] for row in staged(world, "sales", "orders")] == [1, 2, 3, 4]


def test_a_value_that_does_not_fit_names_table_column_row_and_count(world: World) -> None:
    world.write(
        "sales/orders/orders.sql",
        "SELECT CASE WHEN id > 1 THEN NULL ELSE id END AS id, customer, email, 123456789012.0 AS amount FROM raw\n",
    )
    report = build(world)
    assert states(report) == {"orders": "failed", "baskets": "failed", "scores": "failed"}
    finding = report.tables[0].finding
    assert finding.code == "build.value-does-not-fit"
    assert "sales.orders_v1.orders" in finding.message
    assert "column 'amount': 3 values do not fit DECIMAL(10,2), the first in row 1" in finding.message
    assert "column 'id': 2 required values are null, the first in row 2" in finding.message
    assert "123456789012" not in finding.message
    assert finding.file == "sales/orders/build.yaml"
    assert report.tables[1].finding.code == "build.input-failed"
    assert not list((world.root / ".hanse").rglob("*.parquet"))


def test_what_fails_in_a_statement_is_placed_in_its_file(world: World) -> None:
    world.write("sales/orders/orders.sql", "-- orders\nSELECT id, custmer FROM raw\n")
    finding = build(world, "sales/orders").tables[0].finding
    assert (finding.code, finding.file) == ("query.unknown-column", "sales/orders/orders.sql")
    assert (finding.line, finding.column) == (2, 12)


def test_a_build_that_stops_before_it_read_leaves_no_worker_waiting(world: World) -> None:
    many = (
        "SELECT {} AS id, 'c' AS customer, 'e' AS email, CAST(1 AS DECIMAL(10,2)) AS amount\n"
        "FROM raw, unnest(range(400000)) t(n)\n"
    )
    world.write("sales/orders/orders.sql", many.format("'text'"))
    for _ in range(3):  # as many as there are workers, and more
        (failed,) = build(world, "sales/orders").tables
        assert failed.finding.code == "build.type-does-not-fit"
    world.write("sales/orders/orders.sql", many.format("n"))
    since = time.monotonic()
    assert states(build(world, "sales/orders")) == {"orders": "built"}
    assert time.monotonic() - since < 20


def test_a_transform_that_fails_names_its_own_line(world: World) -> None:
    world.write("growth/scores/scores.py", "def score(baskets):\n    return 1 / 0\n")
    report = build(world)
    assert states(report)["scores"] == "failed"
    assert "growth/scores/scores.py:2 raised ZeroDivisionError" in report.tables[-1].finding.message


def test_a_damaged_source_is_told_with_its_line(world: World) -> None:
    (world.root / "data/orders.csv").write_text(CSV + "\n".join(f"{i},a,b,1" for i in range(30_000)) + "\nx,a,b,1\n")
    finding = build(world, "sales/orders").tables[0].finding
    assert finding.code == "build.source-unreadable"
    assert "orders.csv:30005" in finding.message
    assert "column 'id'" in finding.message


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM sales.nothing_v1.orders", "build.input-not-published"),
        ("SELECT * FROM nowhere", "build.unknown-input"),
        ("DROP TABLE sales.orders_v1.orders", "query.not-allowed"),
        ("SELECT * FROM read_csv('/etc/passwd')", "query.not-allowed"),
        ("SELECT 1 AS customer; SELECT 2", "query.not-allowed"),
        ("SELECT customer FROM sales.orders_v1.orders", "build.columns-differ"),
    ],
)
def test_a_transform_goes_through_the_gate_like_any_question(world: World, sql: str, code: str) -> None:
    world.write("growth/baskets/baskets.sql", sql)
    finding = next(t.finding for t in build(world).tables if t.table.table == "baskets")
    assert finding is not None
    assert finding.code == code, finding.message


def test_an_input_that_is_neither_built_nor_published_is_told(world: World) -> None:
    finding = build(world, "growth/baskets").tables[0].finding
    assert finding.code == "build.input-not-published"
    assert "hanse build sales/orders growth/baskets" in finding.mend


def test_a_product_without_a_grant_is_refused(world: World) -> None:
    path = "sales/orders/orders.odps.yaml"
    world.write(path, files()[path].replace("value: open", "value: request"))
    finding = build(world).tables[1].finding
    assert finding.code == "build.input-refused"
    assert "hanse access request sales/orders --for product:growth/baskets" in finding.mend


def test_a_masked_column_stops_the_build_unless_build_yaml_accepts_it(world: World) -> None:
    sql = "SELECT email AS customer, count(*) AS orders, sum(amount) AS amount FROM sales.orders_v1.orders GROUP BY 1\n"
    world.write("growth/baskets/baskets.sql", sql)
    finding = build(world).tables[1].finding
    assert finding.code == "build.governed-input"
    assert "column email masked or hidden" in finding.message
    accepted = "accept_governed: [sales.orders_v1.orders]\n" + files()["growth/baskets/build.yaml"]
    world.write("growth/baskets/build.yaml", accepted)
    world.write("growth/baskets/baskets.sql", sql.replace("email AS customer", "coalesce(email, 'nobody') AS customer"))
    assert build(world, "sales/orders", "growth/baskets").ok
    assert [row[:2] for row in staged(world, "growth", "baskets")] == [("nobody", 3)]


def test_a_derived_class_that_is_lower_than_its_lineage_is_a_warning(world: World) -> None:
    sql = "SELECT customer, count(*) AS orders, sum(length(email)) AS amount FROM sales.orders_v1.orders GROUP BY 1\n"
    world.write("growth/baskets/baskets.sql", sql)
    found = [finding for finding in build(world).findings if finding.file.startswith("growth/baskets")]
    assert [(f.code, f.severity) for f in found] == [("build.classification-lowered", Severity.WARNING)]
    assert "column 'amount' is public, its inputs make it restricted" in found[0].message


def test_what_a_product_reads_of_others_is_in_their_audit(world: World) -> None:
    build(world)
    told = [entry.as_json() for entry in audit.entries(world.node, OWNERS, by="product:growth/baskets")]
    assert [(entry["action"], entry["products"], entry["outcome"], entry["rows"]) for entry in told] == [
        ("build", ["sales/orders"], "answered", 2)
    ]
    assert told[0]["tables"][0]["columns"] == ["customer", "amount"]


def test_the_doors_corpus_finds_no_way_through_a_sql_transform(world: World, attacks: Path) -> None:
    path = "sales/orders/orders.odps.yaml"
    world.write(path, files()[path].replace("value: open", "value: closed"))
    items = [i for i in json.loads((attacks / "doors.json").read_text())["items"] if i["door"] == "transform-sql"]
    assert items
    for item in items:
        sql = item["attack"]["sql"]
        for hole in ("<<salaries>>", "<<orders>>"):
            sql = sql.replace(hole, "sales.orders_v1.orders")
        world.write("growth/baskets/baskets.sql", sql)
        finding = next(t.finding for t in build(world).tables if t.table.table == "baskets")
        assert finding is not None, item["id"]
        assert finding.code in ("build.input-refused", "build.input-not-published", "query.not-allowed"), item["id"]


def test_a_stage_carries_the_texts_that_describe_it(world: World) -> None:
    build(world, "sales/orders")
    home = world.node.homes["sales"]
    found = stages.staged(home, ORDERS)
    assert found is not None
    assert found.lines[ORDERS_LINE].contract.id == "sales.orders.v1"
    path = "sales/orders/orders.v1.odcs.yaml"
    world.write(path, files()[path].replace("purpose: P.", "purpose: Another."))
    assert states(build(world, "sales/orders")) == {"orders": "unchanged"}
    again = stages.staged(home, ORDERS)
    assert again is not None
    assert again.lines[ORDERS_LINE].contract.description["purpose"] == "Another."


def test_a_stranger_may_not_build(world: World) -> None:
    with pytest.raises(NotPermitted):
        world.build("sales/orders", by=[person("stranger", "nobody")])
    with pytest.raises(NotPermitted, match="scope build"):
        world.build("sales/orders", by=[replace(OWNERS, scopes=frozenset({"read"}))])


def test_without_a_name_everybody_builds_what_is_theirs(world: World) -> None:
    report = world.build(by=[person("owner_sales", "sales")])
    assert states(report) == {"orders": "built"}
    with pytest.raises(NotPermitted):
        world.build("growth/baskets", by=[person("owner_sales", "sales")])


def test_a_build_yaml_with_errors_is_not_called_absent(world: World) -> None:
    world.write("sales/orders/build.yaml", "tables:\n  orders: {sq: orders.sql}\n")
    with pytest.raises(NothingToBuild, match=r"its build\.yaml has errors") as told:
        build(world, "sales/orders")
    assert told.value.mend == "hanse validate shows them"


def test_an_unknown_product_offers_the_nearest(world: World) -> None:
    with pytest.raises(NothingToBuild) as told:
        build(world, "sales/order")
    assert told.value.mend == "did you mean sales/orders?"


def test_tables_in_a_circle_are_a_finding(world: World) -> None:
    world.write(
        "growth/baskets/baskets.sql", "SELECT customer, score AS orders, 1 AS amount FROM growth.scores_v1.scores"
    )
    with pytest.raises(RejectedError) as told:
        build(world)
    assert [finding.code for finding in told.value.findings] == ["build.cycle"]


def test_a_cancelled_build_leaves_nothing_half_written(world: World) -> None:
    build(world, "sales/orders")
    before = sorted((world.root / ".hanse").rglob("data/*.parquet"))
    world.write(
        "growth/baskets/baskets.sql",
        "SELECT customer, count(*) AS orders, sum(amount) AS amount"
        " FROM sales.orders_v1.orders, range(100000) a(i), range(100000) b(j) GROUP BY customer\n",
    )
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    with pytest.raises(BuildCancelled):
        build(world, cancelled=stop)
    assert sorted((world.root / ".hanse").rglob("data/*.parquet")) == before
    store = world.node.homes["growth"].store
    assert store.stages() == {}


def test_progress_is_told_table_by_table(world: World) -> None:
    build(world)
    kinds = [event.kind for event in world.events]
    assert kinds == ["build.started", "build.built"] * 3
    assert world.events[-1].data["done"] == world.events[-1].data["tables"] == 3
    assert "growth.scores_v1.scores  2 rows" in world.events[-1].text


def test_independent_tables_are_made_at_once_and_one_failure_voids_only_what_reads_it(world: World) -> None:
    world.write("sales/orders/orders.sql", "SELECT nothing FROM raw")
    for path, text in files().items():
        if path.startswith("sales/orders/"):
            world.write(path.replace("orders", "items"), text.replace("orders", "items"))
    (world.root / "data/items.csv").write_text(CSV)
    report = build(world)
    assert states(report) == {"items": "built", "orders": "failed", "baskets": "failed", "scores": "failed"}


def test_a_minor_version_adds_a_column_and_older_rows_hold_null(world: World) -> None:
    world.write(
        "sales/orders/build.yaml",
        files()["sales/orders/build.yaml"].replace(
            "{sql: orders.sql}", "{sql: orders.sql, mode: incremental, by: key}"
        ),
    )
    build(world, "sales/orders")
    publish(world, ORDERS)
    columns = [
        ("id", "integer", "BIGINT", "required: true\nprimaryKey: true\nprimaryKeyPosition: 1"),
        ("note", "string", "VARCHAR", ""),
        ("customer", "string", "VARCHAR", ""),
        ("email", "string", "VARCHAR", ""),
        ("amount", "number", '"DECIMAL(10,2)"', ""),
    ]
    world.write("sales/orders/orders.v1.odcs.yaml", contract("sales", "orders", {"orders": columns}))
    world.write("sales/orders/orders.sql", files()["sales/orders/orders.sql"].replace("id,", "id, 'n' AS note,"))
    (world.root / "data/orders.csv").write_text("id,customer,email,amount\n9,eve,e@x.org,1\n")
    report = build(world, "sales/orders")
    assert report.ok, report.errors
    assert [row[:2] for row in staged(world, "sales", "orders")] == [(1, None), (2, None), (3, None), (9, "n")]


def test_nothing_to_do_is_known_without_an_engine(world: World) -> None:
    build(world)
    seen: list[str] = []

    class Refuses:
        settings = world.node.engine.settings

        def __getattr__(self, name: str) -> Any:
            seen.append(name)
            raise AssertionError(name)

    held, world.node.engine = world.node.engine, Refuses()  # type: ignore[assignment]
    try:
        assert set(states(build(world)).values()) == {"unchanged"}
    finally:
        world.node.engine = held
    assert seen == []


def test_ids_and_actions_are_what_the_tests_think() -> None:
    assert Action.PUBLISH.value == "publish"
    assert str(TableId(ORDERS, 1, "orders")) == "sales.orders_v1.orders"
