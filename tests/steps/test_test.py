"""test: staged or published data against its contract, in a process of its own, with what others may be asked."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

from hanse.engine.rules.process import Limits, Relation, Task, TestBroke, TestCancelled, run
from hanse.engine.settings import EngineSettings
from hanse.engine.snapshot import LineSnapshot
from hanse.engine.storage.stage import stage
from hanse.governance.decision import Grant, Principal, PrincipalKind
from hanse.names import PortLine, ProductId, TableId
from hanse.node.events import Event
from hanse.node.home.values import LineRecord, Publication
from hanse.node.node import Node
from hanse.node.settings import Settings
from hanse.node.steps import test as step
from hanse.spec.project import project


def _beside(name: str) -> ModuleType:
    found = sys.modules.get(f"steps_{name}")
    if found is None:
        spec = importlib.util.spec_from_file_location(f"steps_{name}", Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        sys.modules[f"steps_{name}"] = found
        spec.loader.exec_module(found)
    return found


mesh = _beside("mesh_of_two")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
ORDERS, BASKETS = ProductId("sales", "orders"), ProductId("growth", "baskets")
ROWS = (
    "SELECT * FROM (VALUES (1, 'ada', 'ada@x.org', 10.50), (2, 'bob', 'secret-mail', -1)) "
    "t(id, customer, email, amount)"
)


def person(name: str, team: str, *scopes: str) -> Principal:
    return Principal(PrincipalKind.PERSON, name, frozenset({team}), scopes=frozenset(scopes or {"read", "build"}))


OWNER, GROWTH = person("owner_sales", "sales"), person("owner_growth", "growth")


def files() -> dict[str, str]:
    found: dict[str, str] = dict(mesh.files())
    orders = [
        ("id", "integer", "BIGINT", mesh.KEY),
        ("customer", "string", "VARCHAR", "classification: internal"),
        ("email", "string", "VARCHAR", "classification: restricted\nlogicalTypeOptions: {format: email}"),
        ("amount", "number", '"DECIMAL(10,2)"', f"{mesh.PUBLIC}\nlogicalTypeOptions: {{minimum: 0}}"),
    ]
    found["sales/orders/orders.v1.odcs.yaml"] = mesh.contract("sales", "orders", {"orders": orders})
    baskets = [
        ("customer", "string", "VARCHAR", mesh.KEY.replace("public", "internal")
         + "\nrelationships: [{to: sales.orders_v1.orders.customer}]"),
        *mesh.BASKETS[1:],
    ]  # fmt: skip
    found["growth/baskets/baskets.v1.odcs.yaml"] = mesh.contract("growth", "baskets", {"baskets": baskets})
    return found


class Data:
    """The project, its node, and data that is staged or published by hand."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.project = project(files())[0]
        self.events: list[Event] = []

    def stage(self, product: ProductId, sql: str, *, publish: bool = False) -> None:
        home = self.node.find(product.domain)
        [(line, contract)] = self.project.products[product].contracts.items()
        [table] = contract.tables
        with duckdb.connect() as connection:
            columns = ", ".join(f"CAST({c.name} AS {c.type.sql}) AS {c.name}" for c in table.columns)
            rows = connection.execute(f"SELECT {columns} FROM ({sql})").to_arrow_reader()
            snapshot = stage(
                home.warehouse, home.catalog, TableId(product, 1, table.name), table, line.port, rows,
                base=None, mode="full", branch="stage",
            )  # fmt: skip
        state = LineSnapshot({table.name: snapshot}, "fingerprint")
        if publish:
            self.publish(home, product, line, state)
        else:
            home.store.put_stage(product, line, state, "fingerprint", "")

    def publish(self, home: Any, product: ProductId, line: PortLine, state: LineSnapshot) -> None:
        here = self.project.products[product]
        contract = here.contracts[line]
        own = {here.product.place.file: here.product.text, contract.place.file: contract.text}
        governing = {p: t for p, t in files().items() if p in ("mesh.yaml", f"{product.domain}/domain.yaml")}
        with home.change() as recorded:
            connection = recorded.connection
            home.store.know(connection, product, here.product.document_id, "active")
            digest = home.store.put_policy_set(governing, connection)
            home.store.put_meta(connection, "policies", digest)
            record = LineRecord(line, "1.0.0", contract.place.file, state)
            publication = Publication(
                product, 1, 0, "publish", "plan", "key", (record,), 1, {1: next(iter(state.tables))},
                home.store.put_texts(own, connection), digest, "active", "person:owner_sales", self.node.clock(),
            )  # fmt: skip
            assert home.store.append(connection, publication)

    def test(self, *products: ProductId, by: Principal = OWNER, **options: Any) -> step.ProductsReport:
        return step.test(
            self.node, self.project, products or None, principal=by, progress=self.events.append, **options
        )


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Data]:
    for path, text in files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    node = Node.open(Settings(tmp_path, engine=EngineSettings(workers=1, threads=1)), lambda: NOON)
    yield Data(node)
    asyncio.run(node.close())


def statuses(report: step.ProductsReport) -> Mapping[str, str]:
    return {r["id"]: r["status"] for line in report.lines for t in line.value["tables"] for r in t["results"]}


def test_staged_data_is_tested_and_its_report_is_kept_on_the_stage(data: Data) -> None:
    data.stage(ORDERS, ROWS)
    report = data.test(ORDERS)
    assert not report.ok
    assert statuses(report)["orders.amount.minimum"] == "fail"
    assert statuses(report)["orders.id.primary-key"] == "ok"
    [line] = report.lines
    assert line.staged
    assert "staged" in line.value["source"]
    home = data.node.find("sales")
    [stage_] = home.store.stages(ORDERS).values()
    assert stage_.report == line.id
    assert home.store.report(line.id)["tested"] == line.value["tested"]
    assert [event.kind for event in data.events] == ["test.started", "test.done"]


def test_good_data_passes_and_published_data_is_tested_when_nothing_waits(data: Data) -> None:
    data.stage(ORDERS, f"{ROWS} WHERE amount > 0", publish=True)
    report = data.test(ORDERS)
    assert report.ok, statuses(report)
    assert not report.lines[0].staged


def test_reports_and_events_hold_counts_and_the_viewer_sees_samples_of_clear_columns_only(data: Data) -> None:
    data.stage(ORDERS, ROWS)
    report = data.test(ORDERS)
    [line] = report.lines
    assert statuses(report)["orders.email.format"] == "fail"
    # an owner sees up to internal: the mail is restricted, the amount is public
    assert "secret-mail" not in repr(report.as_json()) + repr(data.events)
    assert "orders.email.format" not in line.samples or not line.samples["orders.email.format"]["values"]
    assert line.samples["orders.amount.minimum"]["values"] == [{"value": "-1.00", "count": 1}]
    kept = data.node.find("sales").store
    assert "secret-mail" not in repr(kept.report(line.id))
    assert "secret-mail" in repr(kept.samples(line.id))


def test_a_file_that_calls_a_column_public_does_not_make_it_so(data: Data) -> None:
    data.stage(ORDERS, ROWS, publish=True)
    lowered = {p: t.replace("classification: restricted", "classification: public") for p, t in files().items()}
    data.project = project(lowered)[0]
    assert "secret-mail" not in repr(data.test(ORDERS).as_json())


def test_only_the_owners_test(data: Data) -> None:
    data.stage(ORDERS, ROWS)
    for stranger in (GROWTH, person("stranger", "nobody"), person("owner_sales", "sales", "read")):
        with pytest.raises(step.NotTester):
            data.test(ORDERS, by=stranger)


def test_nothing_tested_is_an_error_and_names_the_nearest_product(data: Data) -> None:
    with pytest.raises(step.NothingToTest):
        data.test()
    data.stage(ORDERS, ROWS)
    with pytest.raises(step.NothingToTest) as unknown:
        data.test(ProductId("sales", "ordres"))
    assert "sales/orders" in unknown.value.mend


def test_only_one_rule_is_run_and_its_report_does_not_stand_for_the_stage(data: Data) -> None:
    data.stage(ORDERS, ROWS)
    report = data.test(ORDERS, only=["minimum"])
    assert list(statuses(report)) == ["orders.amount.minimum"]
    assert "amount" in report.known
    [stage_] = data.node.find("sales").store.stages(ORDERS).values()
    assert stage_.report is None


CROSS = "baskets.customer.in.orders"
SUMS = "SELECT * FROM (VALUES ('ada', 1, 10.5), ('eve', 1, 2)) t(customer, orders, amount)"


def test_a_rule_across_products_is_not_run_while_the_other_is_not_published(data: Data) -> None:
    data.stage(BASKETS, SUMS)
    report = data.test(BASKETS, by=GROWTH)
    assert statuses(report)[CROSS] == "not-run"
    assert report.ok
    assert not data.test(BASKETS, by=GROWTH, strict=True).ok


def test_a_rule_across_products_is_not_run_without_a_clear_view_of_the_other(data: Data) -> None:
    data.stage(ORDERS, ROWS, publish=True)
    data.stage(BASKETS, SUMS)
    result = data.test(BASKETS, by=GROWTH)
    [found] = [r for t in result.lines[0].value["tables"] for r in t["results"] if r["id"] == CROSS]
    # orders is open and customer internal: clear for every product that may read it
    assert (found["status"], found["count"]) == ("fail", 1)


def test_a_grant_ends_and_the_rule_across_products_is_no_longer_run(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = {p: t.replace("value: open", "value: request") for p, t in files().items()}
    data.project = project(closed)[0]
    data.stage(ORDERS, ROWS, publish=True)
    data.stage(BASKETS, SUMS)
    assert statuses(data.test(BASKETS, by=GROWTH))[CROSS] == "not-run"
    now = data.node.clock()
    grant = Grant(
        "g-1", ORDERS, f"product:{BASKETS}", None, "internal", frozenset(), now - timedelta(1), now + timedelta(1)
    )
    monkeypatch.setattr(type(data.node.find("sales")), "grants", lambda self, product: (grant,))
    assert statuses(data.test(BASKETS, by=GROWTH))[CROSS] == "fail"


TEXT = """\
apiVersion: v3.1.0
kind: DataContract
id: things
version: 1.0.0
status: active
schema:
  - name: things
    quality: [{name: slow, type: sql, query: "SELECT count(*) FROM things a, things b, things c", mustBe: 0}]
    properties: [{name: id, logicalType: integer, unique: true}]
"""


def task(rows: int) -> Task:
    where = Relation(f"(SELECT range AS id FROM range({rows}))", "rows")
    return Task(TEXT, "things.odcs.yaml", {"things": where}, {}, NOON, "rows")


def test_a_test_that_takes_too_long_is_ended() -> None:
    with pytest.raises(TestBroke):
        run(task(1_000_000), Limits(wall_seconds=1.5))


def test_a_contract_with_errors_is_not_tested_and_says_why() -> None:
    wrong = replace(task(1), text=TEXT.replace("count(*) FROM things a", "count(*) FROM read_text('/etc/hostname') a"))
    with pytest.raises(TestBroke, match="read_text"):
        run(wrong)


def test_a_test_can_be_stopped() -> None:
    cancelled = threading.Event()
    threading.Timer(0.5, cancelled.set).start()
    with pytest.raises(TestCancelled):
        run(task(1_000_000), Limits(wall_seconds=60), cancelled)


def test_a_test_has_no_environment_and_answers_counts() -> None:
    answer = run(task(3))
    results = {r["id"]: r for t in answer.report["tables"] for r in t["results"]}
    assert results["things.slow"]["value"] == 27
    assert results["things.id.unique"]["status"] == "ok"
