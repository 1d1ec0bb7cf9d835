"""publish: the missing earlier steps, then one pointer; idempotent, and what fails leaves the former state served."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hanse.engine import storage
from hanse.names import PortLine, ProductId
from hanse.node.permission import NotPermitted
from hanse.node.planning import govern
from hanse.node.publications import NotPublished, is_signed
from hanse.node.runs import RunCancelled
from hanse.node.steps import access
from hanse.node.steps.default import default
from hanse.node.steps.plan import plan as plan_step
from hanse.node.steps.publish import PlanBlocked, PlanOutOfDate, UnknownPlan, publish
from hanse.node.steps.retire import StillGranted, retire
from hanse.node.steps.rollback import rollback
from hanse.spec.project import project
from tests.steps.mesh_of_two import CSV, contract, files
from tests.steps.mesh_of_two import ORDERS as COLUMNS
from tests.steps.walking import (
    BASKETS,
    ORDERS,
    OWNER_GROWTH,
    OWNER_SALES,
    SCORES,
    STRANGER,
    edit,
    planned,
    published,
    read,
)
from tests.steps.world import NOON, World, opened

LINE = PortLine(ORDERS, "orders", 1)
CONTRACT = "sales/orders/orders.v1.odcs.yaml"
LATER = NOON.replace(year=2027)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path, files(), {"orders.csv": CSV}) as world:
        yield world


def rows(world: World, product: ProductId = ORDERS) -> list[tuple[object, ...]]:
    home = world.node.homes[product.domain]
    line = PortLine(product, product.name, 1)
    snapshot = home.published()[product].lines[line].snapshot.tables[product.name]
    return duckdb.sql(f"SELECT * FROM ({storage.scan_sql(snapshot, home.warehouse)}) ORDER BY ALL").fetchall()


def bump(world: World, version: str) -> None:
    old = "1.0.0"
    for path in ("sales/orders/orders.odps.yaml", CONTRACT):
        edit(world, path, f"version: {old}", f"version: {version}")


def test_publish_builds_tests_and_serves_and_signs(world: World) -> None:
    report = published(world, ORDERS)
    told = report.as_json()["products"][0]
    assert (told["state"], told["sequence"], told["versions"]) == ("published", 1, {"orders@1": "1.0.0"})
    assert told["checks"]["ok"] == told["checks"]["total"] > 0
    assert len(rows(world)) == 3
    home = world.node.homes["sales"]
    made = home.store.current()[ORDERS]
    assert is_signed(home, made)
    assert not is_signed(home, replace(made, status="retired"))
    assert report.policies == ("sales",)
    assert home.team is not None
    assert not home.store.stages(ORDERS)


def test_fifty_publishes_of_one_plan_at_once_give_one_publication_and_one_answer(world: World) -> None:
    plan = planned(world)
    with ThreadPoolExecutor(50) as threads:
        answers = list(
            threads.map(
                lambda _: publish(world.node, plan.id, principal=OWNER_SALES, only=[ORDERS]).as_json(), range(50)
            )
        )
    assert all(answer == answers[0] for answer in answers)
    assert len(world.node.homes["sales"].store.publications(ORDERS)) == 1


def test_downstream_products_are_built_on_what_was_just_published(world: World) -> None:
    published(world, ORDERS)
    report = published(world, BASKETS, SCORES, by=OWNER_GROWTH)
    assert [(one.product, one.state) for one in report.products] == [(BASKETS, "published"), (SCORES, "published")]
    assert rows(world, SCORES) == [("ada", 20), ("bob", 10)]
    told = world.node.homes["growth"].published()[BASKETS].lineage["growth.baskets_v1.baskets"]
    assert told["columns"]["customer"] == [[["sales", "orders_v1", "orders"], "customer"]]


def test_new_data_under_the_same_version_is_a_refresh_and_the_same_data_is_none(world: World) -> None:
    published(world, ORDERS)
    assert published(world, ORDERS).products[0].state == "unchanged"
    world.write("data/orders.csv", CSV + "4,eve,eve@x.org,1\n")
    refreshed = published(world, ORDERS).products[0]
    assert (refreshed.state, refreshed.sequence) == ("published", 2)
    assert len(rows(world)) == 4


def test_a_failing_rule_blocks_its_product_and_leaves_the_former_state_served(world: World) -> None:
    published(world, ORDERS)
    world.write("data/orders.csv", CSV + "3,eve,eve@x.org,1\n")
    report = published(world, ORDERS)
    assert not report.ok
    told = report.as_json()["products"][0]
    assert (told["state"], told["sequence"], told["finding"]["code"]) == ("blocked", 1, "publish.rule-failed")
    assert told["finding"]["file"] == CONTRACT
    assert len(rows(world)) == 3


def test_a_failing_rule_is_published_while_its_baseline_accepts_it(world: World) -> None:
    rule = "quality: [{id: few, type: sql, query: 'SELECT count(*) FROM ${object} WHERE id > 2', mustBe: 0, name: few}]"
    text = contract("sales", "orders", {"orders": COLUMNS})
    world.write(CONTRACT, text.replace("    description: T.\n", f"    description: T.\n    {rule}\n"))
    blocked = published(world, ORDERS).as_json()["products"][0]
    assert (blocked["state"], blocked["finding"]["code"]) == ("blocked", "publish.rule-failed")
    accepted = "accepted: [{rule: orders.few, count: 1, why: known since the move, until: 2026-12-31}]\n"
    world.write("sales/orders/baseline.yaml", accepted)
    told = published(world, ORDERS).as_json()["products"][0]
    assert (told["state"], told["checks"]["warn"]) == ("published", 1), told
    world.write("data/orders.csv", CSV + "4,eve,eve@x.org,1\n")
    assert not published(world, ORDERS).ok


def test_a_rejected_row_enters_no_later_increment(world: World) -> None:
    edit(world, "sales/orders/build.yaml", "{sql: orders.sql}", "{sql: orders.sql, mode: incremental, by: key}")
    published(world, ORDERS)
    world.write("data/orders.csv", CSV + "9,bad,,1\n9,bad,,1\n")
    assert not published(world, ORDERS).ok
    world.write("data/orders.csv", CSV + "4,eve,eve@x.org,1\n")
    assert published(world, ORDERS).ok
    assert [row[0] for row in rows(world)] == [1, 2, 3, 4]


def test_a_rule_below_error_is_published_and_told(world: World) -> None:
    rule = "quality: [{id: many, type: library, metric: rowCount, mustBe: 7, severity: warning, description: Seven.}]"
    columns = [COLUMNS[0], *COLUMNS[1:]]
    text = contract("sales", "orders", {"orders": columns}).replace(
        "    description: T.\n", f"    description: T.\n    {rule}\n"
    )
    world.write(CONTRACT, text)
    told = published(world, ORDERS).as_json()["products"][0]
    assert told["state"] == "published"
    assert told["checks"]["warn"] == 1
    assert [finding["severity"] for finding in told["findings"]] == ["warning"]


def test_a_build_that_fails_is_told_with_its_place(world: World) -> None:
    edit(world, "sales/orders/orders.sql", "customer,", "customr AS customer,")
    told = published(world, ORDERS).as_json()["products"][0]
    assert told["state"] == "blocked"
    assert told["finding"]["file"].startswith("sales/orders/")
    assert ORDERS not in world.node.homes["sales"].published()


def test_a_plan_is_out_of_date_when_its_base_moved(world: World) -> None:
    published(world, ORDERS)
    old = planned(world)
    world.write("data/orders.csv", CSV + "4,eve,eve@x.org,1\n")
    edit(world, "sales/orders/orders.sql", "SELECT id", "SELECT  id")
    published(world, ORDERS)
    with pytest.raises(PlanOutOfDate, match=r"sales/orders was published by person:owner_sales .*1 -> 2"):
        publish(world.node, old.id, principal=OWNER_SALES, only=[ORDERS])


def test_a_plan_is_out_of_date_when_policies_moved(world: World) -> None:
    plan = planned(world)
    world.write("policies/masks.yaml", "- {name: hide-mail, classification: restricted, mask: hide}\n")
    with pytest.raises(PlanOutOfDate, match="policies of sales moved"):
        publish(world.node, plan.id, principal=OWNER_SALES, only=[ORDERS])


def test_a_blocked_product_stops_a_whole_plan_but_not_the_others_by_name(world: World) -> None:
    edit(world, "growth/scores/scores.odps.yaml", "growth.baskets.v1", "growth.nothing.v1")
    published(world, ORDERS)
    plan = planned(world, OWNER_GROWTH)
    with pytest.raises(PlanBlocked, match="growth/scores"):
        publish(world.node, plan.id, principal=OWNER_GROWTH, only=[BASKETS, SCORES])
    assert publish(world.node, plan.id, principal=OWNER_GROWTH, only=[BASKETS]).ok


def test_only_who_may_publish_does_and_only_an_owner_changes_policies(world: World) -> None:
    plan = planned(world)
    with pytest.raises(NotPermitted):
        publish(world.node, plan.id, principal=STRANGER, only=[ORDERS])
    builder = replace(OWNER_SALES, name="builder")
    with pytest.raises(NotPermitted, match="administer"):
        publish(world.node, plan.id, principal=builder, only=[ORDERS])
    publish(world.node, plan.id, principal=OWNER_SALES, only=[ORDERS])
    world.write("data/orders.csv", CSV + "4,eve,eve@x.org,1\n")
    assert published(world, ORDERS, by=builder).ok


def test_sent_files_make_nobody_an_owner(world: World) -> None:
    edit(world, "sales/domain.yaml", "{owner_sales: [owner]}", "{owner_sales: [owner], stranger: [owner]}")
    sent = planned(world, STRANGER)
    edit(world, "sales/domain.yaml", ", stranger: [owner]", "")
    assert sent.stored == ("sales",), "it lay on the node's own disk then"
    with pytest.raises(NotPermitted):
        publish(world.node, sent.id, principal=STRANGER, only=[ORDERS])


def test_the_federation_s_documents_come_from_the_node_and_not_from_whoever_publishes(world: World) -> None:
    world.write("policies/masks.yaml", "- {name: no-mail, classification: restricted, mask: 'null'}\n")
    found, findings = read(world)
    looser = {path: text for path, text in found.files.items() if path != "policies/masks.yaml"}
    sent, findings = project(looser)
    plan = plan_step(world.node, sent, findings, principal=OWNER_SALES)
    assert publish(world.node, plan.id, principal=OWNER_SALES, only=[ORDERS]).ok
    assert [rule.name for rule in world.node.homes["sales"].policies().masks] == ["no-mail"]


def test_what_the_federation_demands_stays_in_effect_where_the_node_has_no_mesh_yaml(world: World) -> None:
    world.write("policies/masks.yaml", "- {name: no-mail, classification: restricted, mask: 'null'}\n")
    assert published(world, ORDERS).ok
    (world.root / "mesh.yaml").rename(world.root / "mesh.elsewhere")
    found, _ = read(world)
    looser = {path: text for path, text in found.files.items() if path != "policies/masks.yaml"}
    sent, findings = project({**looser, "mesh.yaml": (world.root / "mesh.elsewhere").read_text()})
    plan_step(world.node, sent, findings, principal=OWNER_SALES)
    assert [rule.name for rule in world.node.homes["sales"].policies().masks] == ["no-mail"]
    assert govern.wanted(world.node, world.node.homes["sales"], sent)["policies/masks.yaml"].startswith(
        "- {name: no-mail"
    )


def test_the_beginning_of_an_id_finds_no_plan_of_another_domain(world: World) -> None:
    plan = planned(world)
    with pytest.raises(UnknownPlan):
        publish(world.node, plan.short, principal=STRANGER)
    with pytest.raises(NotPermitted):
        publish(world.node, plan.id, principal=STRANGER)


def test_an_owner_publishes_a_plan_of_the_whole_mesh_that_changes_only_what_is_theirs(world: World) -> None:
    published(world, ORDERS)
    published(world, BASKETS, SCORES, by=OWNER_GROWTH)
    edit(world, "sales/orders/orders.odps.yaml", "status: active", "status: active\ntenant: main")
    report = published(world)
    assert [(one.product, one.state) for one in report.products] == [(ORDERS, "published")]
    edit(world, "growth/baskets/baskets.odps.yaml", "status: active", "status: active\ntenant: main")
    with pytest.raises(NotPermitted, match="growth"):
        published(world)


def test_an_unknown_plan_and_a_product_outside_it_are_told(world: World) -> None:
    with pytest.raises(UnknownPlan):
        publish(world.node, "beef", principal=OWNER_SALES)
    plan = planned(world)
    with pytest.raises(UnknownPlan, match="sales/order is not in the plan"):
        publish(world.node, plan.short, principal=OWNER_SALES, only=[ProductId("sales", "order")])


def test_a_cancelled_publish_changes_nothing(world: World) -> None:
    plan, stop = planned(world), threading.Event()
    stop.set()
    with pytest.raises(RunCancelled):
        publish(world.node, plan.id, principal=OWNER_SALES, only=[ORDERS], cancelled=stop)
    assert not world.node.homes["sales"].published()


def test_a_breaking_change_needs_to_be_allowed_and_is_recorded_with_its_consumers(world: World) -> None:
    published(world, ORDERS)
    published(world, BASKETS, by=OWNER_GROWTH)
    bump(world, "1.1.0")
    text = contract("sales", "orders", {"orders": [c for c in COLUMNS if c[0] != "customer"]}, version="1.1.0")
    world.write(CONTRACT, text)
    edit(world, "sales/orders/orders.sql", "customer, ", "")
    plan = planned(world)
    found = plan.product(ORDERS)
    assert found is not None
    assert found.state == "blocked"
    assert [c.who for c in found.consumers if c.touched] == ["product:growth/baskets"]
    (removed,) = (change for line in found.lines for change in line.changes if change.what == "column-removed")
    assert (removed.sign, removed.text) == ("-", "column removed orders.customer: who reads the column finds nothing")
    with pytest.raises(PlanBlocked):
        publish(world.node, plan.id, principal=OWNER_SALES, only=[ORDERS])
    assert published(world, ORDERS, allow_breaking=[ORDERS]).ok
    entry = next(e for e in _acts(world) if e.get("act") == "product.published" and e.get("breaking"))
    assert entry["consumers"] == ["product:growth/baskets"]


def _acts(world: World) -> list[dict[str, object]]:
    from hanse.node import ledger

    return [dict(act.entry) for act in ledger.acts(world.node.homes["sales"])]


def test_rollback_serves_the_former_data_under_a_number_of_its_own(world: World) -> None:
    published(world, ORDERS)
    world.write("data/orders.csv", CSV + "4,eve,eve@x.org,1\n")
    published(world, ORDERS)
    back = rollback(world.node, ORDERS, principal=OWNER_SALES, why="wrong row")
    assert (back.sequence, back.of) == (3, 1)
    assert len(rows(world)) == 3
    with pytest.raises(NotPublished):
        rollback(world.node, ORDERS, 9, principal=OWNER_SALES)
    with pytest.raises(NotPermitted):
        rollback(world.node, ORDERS, 2, principal=STRANGER)


def test_two_majors_are_served_side_by_side_and_the_owner_moves_the_default(world: World) -> None:
    published(world, ORDERS)
    second = contract("sales", "orders", {"orders": COLUMNS[:2]}, version="2.0.0")
    world.write("sales/orders/orders.v2.odcs.yaml", second)
    edit(
        world,
        "sales/orders/orders.odps.yaml",
        "outputPorts:\n",
        "outputPorts:\n  - {name: orders, version: 2.0.0, contractId: sales.orders.v2}\n",
    )
    world.write("sales/orders/orders_v2.sql", "SELECT id, customer FROM raw\n")
    edit(
        world,
        "sales/orders/build.yaml",
        "tables:\n  orders: {sql: orders.sql}\n",
        "tables:\n  orders@1: {sql: orders.sql}\n  orders@2: {sql: orders_v2.sql}\n",
    )
    assert published(world, ORDERS).ok
    home = world.node.homes["sales"]
    assert home.published()[ORDERS].default_major == 1
    assert {line.major for line in home.published()[ORDERS].lines} == {1, 2}
    moved = default(world.node, ORDERS, 2, principal=OWNER_SALES)
    assert (moved.sequence, home.published()[ORDERS].default_major) == (3, 2)
    with pytest.raises(NotPublished, match="no major 7"):
        default(world.node, ORDERS, 7, principal=OWNER_SALES)
    ended = retire(world.node, ORDERS, principal=OWNER_SALES, major=1)
    assert (ended.major, {line.major for line in home.published()[ORDERS].lines}) == (1, {2})
    [finding] = [one for one in planned(world).products[0].findings if one.code == "plan.line-retired"]
    assert finding.file == "sales/orders/orders.v1.odcs.yaml"
    with pytest.raises(PlanBlocked, match=r"plan\.line-retired"):
        published(world, ORDERS)


def test_a_product_is_not_retired_while_grants_hold_unless_forced(world: World) -> None:
    published(world, ORDERS)
    access.grant(world.node, OWNER_SALES, ORDERS, to="person:stranger", until=LATER, why="to look")
    with pytest.raises(NotPublished, match="no major 2"):
        retire(world.node, ORDERS, principal=OWNER_SALES, major=2)
    with pytest.raises(StillGranted, match="person:stranger until 2027"):
        retire(world.node, ORDERS, principal=OWNER_SALES)
    done = retire(world.node, ORDERS, principal=OWNER_SALES, force=True)
    assert done.holders == ("person:stranger until 2027-11-25 (g-sales-1)",)
    assert ORDERS not in world.node.homes["sales"].published()


def test_what_was_retired_does_not_return_because_its_files_are_still_there(world: World) -> None:
    published(world, ORDERS)
    retire(world.node, ORDERS, principal=OWNER_SALES)
    told = planned(world).product(ORDERS)
    assert told is not None
    assert told.state == "blocked"
    assert "plan.status-move" in {one.code for one in told.findings}
    edit(world, "sales/orders/orders.odps.yaml", "status: active", "status: retired")
    after = planned(world).product(ORDERS)
    assert after is not None
    assert after.state == "unchanged"
    assert ORDERS not in world.node.homes["sales"].published()


def test_a_rollback_tells_which_publications_it_passed_over(world: World) -> None:
    published(world, ORDERS)
    world.write("data/orders.csv", CSV + "4,eve,eve@x.org,1\n")
    published(world, ORDERS)
    edit(world, "sales/orders/orders.odps.yaml", "status: active", "status: deprecated")
    published(world, ORDERS)
    back = rollback(world.node, ORDERS, principal=OWNER_SALES)
    assert (back.of, back.passed_over) == (1, (2,))


def test_a_status_of_retired_ends_the_product_by_publish(world: World) -> None:
    published(world, ORDERS)
    for status in ("deprecated", "retired"):
        path = "sales/orders/orders.odps.yaml"
        edit(world, path, "status: deprecated" if status == "retired" else "status: active", f"status: {status}")
        report = published(world, ORDERS)
        assert report.ok, report.as_json()
    assert report.products[0].state == "retired"
    assert ORDERS not in world.node.homes["sales"].published()


def test_what_was_built_by_somebody_else_during_the_test_is_not_published_untested(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hanse.node.steps import test as step

    tested = step.test

    def beside(*given: Any, **more: Any) -> Any:
        report = tested(*given, **more)
        world.write("data/orders.csv", CSV + "4,eve,eve@x.org,1\n")
        world.build("sales/orders", by=[OWNER_SALES])
        return report

    monkeypatch.setattr(step, "test", beside)
    report = published(world, ORDERS)
    assert [finding.code for one in report.products for finding in one.findings] == ["publish.moved"]
    monkeypatch.undo()
    assert published(world, ORDERS).ok
    assert len(rows(world)) == 4
