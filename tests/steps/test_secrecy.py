"""What the walk tells to those who may not know: nothing that would not be told of a product that does not exist."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse.errors import HanseError
from hanse.governance.decision import Clear, Decision, Hidden, Principal
from hanse.names import PortLine, ProductId
from hanse.node.access.errors import BadTerms, OwnRequest
from hanse.node.facts import facts_of_line
from hanse.node.steps import access, audit
from hanse.node.steps.default import default
from hanse.node.steps.plan import Plan
from hanse.node.steps.query import query
from hanse.node.steps.retire import retire
from hanse.node.steps.rollback import rollback
from hanse.protocols.http.routes.products import _type_of, served_contract
from hanse.spec.document import load
from hanse.spec.read import contract
from hanse.spec.read import product as product_of
from tests.steps.mesh_of_two import CSV, files, product
from tests.steps.walking import (
    BASKETS,
    ORDERS,
    OWNER_GROWTH,
    OWNER_SALES,
    SCORES,
    STRANGER,
    ask,
    edit,
    planned,
    published,
)
from tests.steps.world import NOON, World, opened

LATER = NOON + timedelta(days=90)
NOTHING = ProductId("sales", "orderz")
LEAK = """-- policy: leak
-- severity: warn
-- says: Tells every grant.
select '{product}' as product, null as place, product || ' to ' || grantee as message from catalog.grants
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    closed = {"sales/orders/orders.odps.yaml": product("sales", "orders", access="closed")}
    with opened(tmp_path, {**files(), **closed}, {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        access.grant(world.node, OWNER_SALES, ORDERS, to="product:growth/baskets", until=LATER, why="baskets")
        published(world, BASKETS, by=OWNER_GROWTH)
        yield world


@pytest.mark.parametrize(
    "act",
    [
        lambda world, id: rollback(world.node, id, 1, principal=STRANGER, why="x"),
        lambda world, id: default(world.node, id, 1, principal=STRANGER),
        lambda world, id: retire(world.node, id, principal=STRANGER),
        lambda world, id: access.request(world.node, STRANGER, id, until=LATER, why="x"),
        lambda world, id: access.grant(world.node, STRANGER, id, to="person:stranger", until=LATER, why="x"),
    ],
)
def test_an_act_on_a_closed_product_is_refused_like_one_on_nothing(
    world: World, act: Callable[[World, ProductId], object]
) -> None:
    told = []
    for id in (ORDERS, NOTHING):
        with pytest.raises(HanseError) as error:
            act(world, id)
        told.append(str(error.value.as_problem()).replace(id.name, "it"))
    assert told[0] == told[1]


def test_a_name_is_offered_to_those_only_who_may_know_it(world: World) -> None:
    with pytest.raises(BadTerms) as error:
        access.grant(world.node, OWNER_GROWTH, BASKETS, to="product:sales/orderz", until=LATER, why="x")
    assert "sales/orders" not in error.value.mend
    with pytest.raises(BadTerms) as error:
        access.grant(world.node, OWNER_SALES, ORDERS, to="product:growth/baskts", until=LATER, why="x")
    assert "growth/baskets" in error.value.mend


@pytest.mark.parametrize("named", ["sales.orders.v1", "sales.orderz.v1"])
@pytest.mark.parametrize("by", [STRANGER, OWNER_GROWTH])
def test_a_plan_offers_no_contract_that_its_maker_may_not_know(world: World, by: Principal, named: str) -> None:
    for path in (world.root / "sales").rglob("*"):
        if path.is_file():
            path.unlink()
    edit(world, "growth/scores/scores.odps.yaml", "growth.baskets.v1", named)
    text = str([(one.message, one.mend) for one in planned(world, by, products=[SCORES]).products[0].findings])
    assert f"no contract {named!r} is known here" in text
    assert text.count("sales.orders.v1") == text.count(named) * (named == "sales.orders.v1")


def test_who_builds_a_product_plans_with_the_closed_input_that_it_was_granted(world: World) -> None:
    for path in (world.root / "sales").rglob("*"):
        if path.is_file():
            path.unlink()
    told = planned(world, OWNER_GROWTH, products=[BASKETS]).products[0]
    assert "ref.unknown-contract" not in told.blocked_by
    assert "ref.unknown-contract" in planned(world, STRANGER, products=[BASKETS]).products[0].blocked_by


def test_nobody_grants_unasked_to_a_product_they_build(world: World) -> None:
    with pytest.raises(OwnRequest):
        access.grant(world.node, OWNER_SALES, ORDERS, to="product:sales/orders", columns=["*"], until=LATER, why="x")


def _messages(plan: Plan) -> list[str]:
    return [finding.message for one in plan.products for finding in one.findings]


@pytest.mark.parametrize(
    ("by", "domain", "seen"),
    [(STRANGER, "sales", False), (OWNER_GROWTH, "growth", False), (OWNER_SALES, "sales", True)],
)
def test_a_policy_that_somebody_sends_along_reads_the_grants_of_their_own_domain_only(
    world: World, by: Principal, domain: str, seen: bool
) -> None:
    into = {"sales": "sales/orders", "growth": "growth/baskets"}[domain]
    world.write(f"{domain}/policies/publish/leak.sql", LEAK.format(product=into))
    assert ("sales/orders to product:growth/baskets" in _messages(planned(world, by))) is seen


def test_who_holds_a_grant_is_told_to_those_only_who_may_end_the_product(world: World) -> None:
    edit(world, "sales/orders/orders.odps.yaml", "status: active", "status: retired")
    assert any("holds g-sales-1" in message for message in _messages(planned(world, OWNER_SALES)))
    assert not any("g-sales-1" in message for message in _messages(planned(world, STRANGER)))
    edit(world, "growth/baskets/baskets.odps.yaml", "status: active", "status: retired")
    access.grant(world.node, OWNER_GROWTH, BASKETS, to="person:owner_sales", until=LATER, why="x")
    assert not any("g-growth-1" in message for message in _messages(planned(world, STRANGER)))


def test_one_s_own_entry_does_not_tell_how_large_the_data_behind_a_policy_is(world: World) -> None:
    def told(by: Principal) -> dict[str, Any]:
        async def answer() -> None:
            found = await query(world.node, ask(by), "SELECT count(*) FROM growth.baskets")
            async for _ in found.batches():
                pass

        asyncio.run_coroutine_threadsafe(answer(), world.loop).result(30)
        entries = (one.as_json() for one in audit.entries(world.node, by))
        table: dict[str, Any] = next(one for one in entries if one["action"] == "query")["tables"][0]
        return table

    access.grant(world.node, OWNER_GROWTH, BASKETS, to="person:stranger", until=LATER, why="x")
    assert told(OWNER_GROWTH)["scanned"] > 0, "an owner may know"
    assert "scanned" not in told(STRANGER)


CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: t
    properties:
      - name: who
        logicalType: object
        physicalType: STRUCT(name VARCHAR, secret VARCHAR)
        properties:
          - {name: name, logicalType: string}
          - {name: secret, logicalType: string}
      - name: all
        logicalType: array
        items:
          logicalType: object
          properties:
            - {name: name, logicalType: string}
            - {name: secret, logicalType: string}
"""


def test_a_served_contract_names_no_field_that_is_hidden_however_deep_it_lies() -> None:
    document, _ = load(CONTRACT, "t.yaml")
    assert document is not None
    read, _ = contract(document)
    assert read is not None
    hidden: dict[str, set[tuple[str, ...]]] = {"t": {("who", "secret"), ("all", "[]", "secret")}}
    line = PortLine(ORDERS, "orders", 1)
    text = served_contract(read, hidden, "http://x", ORDERS, line)
    assert "secret" not in text
    assert text.count("name: name") == 2


def test_a_type_names_no_field_that_is_hidden() -> None:
    document, _ = load(CONTRACT, "t.yaml")
    assert document is not None
    read, _ = contract(document)
    assert read is not None
    product_, _ = load(product("sales", "orders"), "p.yaml")
    assert product_ is not None
    described, _ = product_of(product_, ORDERS)
    assert described is not None
    (facts,) = facts_of_line(described, PortLine(ORDERS, "orders", 1), read, "sales")
    views = {one.path: Hidden("x") if one.path[-1] == "secret" else Clear() for one in facts.columns}
    decision = Decision(facts.id, True, True, "", "", columns=views)
    for column in read.tables[0].columns:
        assert "secret" in column.type.sql
        assert "secret" not in _type_of(column, facts, decision)
