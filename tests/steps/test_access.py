"""access: request, approve, refuse, grant, renew, revoke; nobody decides on an own request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse.governance import grants
from hanse.governance.decide import decide
from hanse.governance.decision import Clear, Decision, Principal
from hanse.governance.keys import public_pem
from hanse.names import ProductId
from hanse.node import ledger
from hanse.node.access.errors import (
    AlreadyDecided,
    BadTerms,
    ClosedProduct,
    OwnRequest,
    UnknownAgreement,
    UnknownProduct,
)
from hanse.node.home.values import AccessRequest
from hanse.node.permission import NotPermitted
from hanse.node.steps import access
from tests.steps.mesh_of_two import CSV, files, product
from tests.steps.walking import BASKETS, ORDERS, OWNER_GROWTH, OWNER_SALES, STRANGER, ask, edit, planned, published
from tests.steps.world import NOON, World, opened, person

LATER = NOON + timedelta(days=90)
STEWARD = replace(person("steward", ""), teams=frozenset[str]())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    texts = {**files(), "sales/orders/orders.odps.yaml": product("sales", "orders", access="request")}
    texts["people.yaml"] += "  steward: {title: Steward}\n"
    texts["sales/domain.yaml"] = texts["sales/domain.yaml"].replace("[owner]}", "[owner], steward: [steward]}")
    with opened(tmp_path, texts, {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        yield world


def requested(world: World, by: Principal = STRANGER, **terms: Any) -> AccessRequest:
    said = {"until": LATER, "purpose": "reporting", "why": "to report", **terms}
    return access.request(world.node, by, ORDERS, **said)


def seen(world: World, by: Principal, purpose: str | None = None) -> Decision:
    home = world.node.homes["sales"]
    (facts,) = home.facts(ORDERS)
    return decide(replace(ask(by), purpose=purpose), facts, home.grants(ORDERS), home.policies())


def clear(decision: Decision) -> set[str]:
    return {path[0] for path, view in decision.columns.items() if isinstance(view, Clear)}


def test_a_request_is_approved_by_the_owner_and_holds_at_once(world: World) -> None:
    assert not seen(world, STRANGER).allowed
    asked = requested(world)
    assert asked.id == "r-sales-1"
    decided, given = access.approve(world.node, OWNER_SALES, asked.id, note="fine")
    assert (decided.status, decided.note, decided.grant, given.id) == ("approved", "fine", "g-sales-1", "g-sales-1")
    assert seen(world, STRANGER).allowed
    assert clear(seen(world, STRANGER)) == {"id", "customer", "amount"}, "email is above internal"


def test_all_columns_reach_up_to_the_highest_class_of_the_day(world: World) -> None:
    asked = requested(world, columns=["*"])
    _, given = access.approve(world.node, OWNER_SALES, asked.id)
    assert (given.columns, given.ceiling) == (None, "restricted")
    assert "email" in clear(seen(world, STRANGER))


def test_a_named_column_is_clear(world: World) -> None:
    access.grant(world.node, OWNER_SALES, ORDERS, to="person:stranger", columns=["email"], until=LATER, why="mail")
    assert "email" in clear(seen(world, STRANGER))


def test_the_grant_is_signed_by_the_home(world: World) -> None:
    given = access.grant(world.node, OWNER_SALES, ORDERS, to="person:stranger", until=LATER, why="to look")
    home = world.node.homes["sales"]
    signature = home.agreements.signature(given.id)
    assert signature is not None
    held = home.agreements.grant(given.id)
    assert held is not None
    assert grants.verify(held, signature, public_pem(home.key))
    assert not grants.verify(replace(held, to="team:growth"), signature, public_pem(home.key))


def test_an_approval_of_a_request_that_named_no_column_unmasks_none(world: World) -> None:
    asked = requested(world)
    for columns in (["email"], ["*"]):
        with pytest.raises(BadTerms, match="was not asked for"):
            access.approve(world.node, OWNER_SALES, asked.id, columns=columns)
    _, given = access.approve(world.node, OWNER_SALES, asked.id, columns=["amount"])
    assert given.columns == frozenset({"amount"})


def test_an_approval_may_be_for_less_and_never_for_more(world: World) -> None:
    asked = requested(world, columns=["email", "amount"])
    with pytest.raises(BadTerms, match="'id' was not asked for"):
        access.approve(world.node, OWNER_SALES, asked.id, columns=["id"])
    with pytest.raises(BadTerms, match="later"):
        access.approve(world.node, OWNER_SALES, asked.id, until=LATER + timedelta(days=1))
    _, given = access.approve(world.node, OWNER_SALES, asked.id, columns=["amount"], until=NOON + timedelta(days=1))
    assert (given.columns, given.until) == (frozenset({"amount"}), NOON + timedelta(days=1))


def test_nobody_decides_on_an_own_request_or_grants_to_themselves(world: World) -> None:
    asked = requested(world, by=STEWARD)
    with pytest.raises(OwnRequest):
        access.approve(world.node, STEWARD, asked.id)
    with pytest.raises(OwnRequest):
        access.refuse(world.node, STEWARD, asked.id, why="no")
    for whom in ("person:owner_sales", "team:sales"):
        with pytest.raises(OwnRequest):
            access.grant(world.node, OWNER_SALES, ORDERS, to=whom, columns=["email"], until=LATER, why="mine")
    access.approve(world.node, OWNER_SALES, asked.id)


def test_who_has_no_role_neither_decides_nor_learns_of_a_request(world: World) -> None:
    asked = requested(world)
    with pytest.raises(UnknownAgreement):
        access.approve(world.node, OWNER_GROWTH, asked.id)
    with pytest.raises(UnknownAgreement):
        access.approve(world.node, OWNER_GROWTH, "r-sales-99")
    assert not access.listed(world.node, OWNER_GROWTH).requests
    assert [(one.id, may) for one, may in access.listed(world.node, STRANGER).requests] == [(asked.id, False)]
    assert [(one.id, may) for one, may in access.listed(world.node, OWNER_SALES).requests] == [(asked.id, True)]
    with pytest.raises(NotPermitted):
        access.grant(world.node, STEWARD, ORDERS, to="person:stranger", until=LATER, why="I may only decide")


def test_a_token_without_the_scope_administer_decides_nothing(world: World) -> None:
    asked = requested(world)
    reading = replace(OWNER_SALES, scopes=frozenset({"read"}))
    with pytest.raises(NotPermitted, match="administer"):
        access.approve(world.node, reading, asked.id)


def test_a_request_is_decided_once(world: World) -> None:
    asked = requested(world)
    refused = access.refuse(world.node, STEWARD, asked.id, why="ask for less")
    assert (refused.status, refused.note, refused.decided_by) == ("refused", "ask for less", "person:steward")
    with pytest.raises(AlreadyDecided, match="refused by person:steward"):
        access.approve(world.node, OWNER_SALES, asked.id)


def test_the_same_terms_asked_twice_are_one_request(world: World) -> None:
    assert requested(world).id == requested(world).id
    assert requested(world, columns=["email"]).id != requested(world).id


def test_a_revoked_grant_ends_now_and_an_ended_one_says_when(world: World) -> None:
    given = access.grant(world.node, OWNER_SALES, ORDERS, to="person:stranger", until=LATER, why="to look")
    assert seen(world, STRANGER).allowed
    access.revoke(world.node, OWNER_SALES, given.id, why="done")
    assert seen(world, STRANGER).code == "access.ended"
    with pytest.raises(AlreadyDecided):
        access.renew(world.node, OWNER_SALES, given.id, until=LATER + timedelta(days=9), why="again")


def test_the_holder_gives_up_a_grant_and_others_cannot_touch_it(world: World) -> None:
    given = access.grant(world.node, OWNER_SALES, ORDERS, to="person:stranger", until=LATER, why="to look")
    with pytest.raises(UnknownAgreement):
        access.revoke(world.node, OWNER_GROWTH, given.id, why="mine now")
    assert access.revoke(world.node, STRANGER, given.id, why="no longer needed").revoked_at == NOON


def test_an_owner_renews_and_a_holder_asks_to(world: World) -> None:
    given = access.grant(
        world.node,
        OWNER_SALES,
        ORDERS,
        to="person:stranger",
        columns=["email"],
        until=LATER,
        purpose="reporting",
        why="x",
    )
    longer = LATER + timedelta(days=30)
    renewed = access.renew(world.node, OWNER_SALES, given.id, until=longer, why="still")
    assert renewed == replace(given, until=longer)
    asked = access.renew(world.node, STRANGER, given.id, until=longer + timedelta(days=1), why="still needed")
    assert isinstance(asked, AccessRequest)
    assert (asked.whom, asked.columns, asked.purpose) == ("person:stranger", ("email",), "reporting")


def test_a_product_asks_through_who_may_publish_it_and_only_then(world: World) -> None:
    with pytest.raises(NotPermitted):
        requested(world, to="product:growth/baskets")
    planned(world, OWNER_GROWTH)
    asked = requested(world, by=OWNER_GROWTH, to="product:growth/baskets")
    access.approve(world.node, OWNER_SALES, asked.id)
    assert seen(world, world.node.product_principal(BASKETS)).allowed
    assert not seen(world, OWNER_GROWTH).allowed, "what a product was granted is not for its people"


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"until": NOON}, "not in the future"),
        ({"until": NOON + timedelta(days=3000)}, "five years"),
        ({"purpose": "reportng"}, "no purpose 'reportng'"),
        ({"columns": ["emial"]}, "no column 'emial'"),
        ({"why": "  "}, "say why"),
    ],
)
def test_terms_that_cannot_be_agreed_on_are_refused_with_what_would_do(
    world: World, terms: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadTerms, match=told):
        requested(world, **terms)


def test_a_grant_to_nobody_is_refused(world: World) -> None:
    for whom, near in (("person:strangr", "stranger"), ("team:growht", "growth"), ("ada", "person:ada")):
        with pytest.raises(BadTerms) as error:
            access.grant(world.node, OWNER_SALES, ORDERS, to=whom, until=LATER, why="x")
        assert near in error.value.mend


def test_a_closed_product_looks_like_none_and_takes_no_request(world: World) -> None:
    edit(world, "sales/orders/orders.odps.yaml", "value: request", "value: closed")
    published(world, ORDERS)
    with pytest.raises(UnknownProduct) as closed:
        requested(world)
    with pytest.raises(UnknownProduct) as none:
        access.request(world.node, STRANGER, ProductId("sales", "nothing"), until=LATER, why="x")
    assert closed.value.mend == none.value.mend
    access.grant(world.node, OWNER_SALES, ORDERS, to="person:stranger", until=LATER, why="asked by phone")
    with pytest.raises(ClosedProduct):
        requested(world)


def test_every_act_is_in_the_audit_and_in_the_outbox(world: World) -> None:
    home = world.node.homes["sales"]
    asked = requested(world)
    _, given = access.approve(world.node, OWNER_SALES, asked.id)
    access.revoke(world.node, OWNER_SALES, given.id, why="done")
    acts = [act.entry["act"] for act in ledger.acts(home) if str(act.entry["act"]).startswith("access.")]
    assert sorted(acts) == ["access.approved", "access.requested", "access.revoked"]
    told = [event.name for event in home.store.events() if event.name.startswith("access.")]
    assert told == ["access.requested", "access.approved", "access.revoked"]
