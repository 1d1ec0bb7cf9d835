"""News: each reader is told what they may know of, in order, and from any place again; followers are told no less."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hanse.governance.decision import Principal, Request
from hanse.names import ProductId
from hanse.node import freshness
from hanse.node.access.errors import UnknownProduct
from hanse.node.news import following, view
from hanse.node.news.view import BadCursor, Said, Wanted
from hanse.node.steps import access
from hanse.node.steps.rollback import rollback
from tests.node.test_freshness import COLUMNS, LEVEL
from tests.steps.mesh_of_two import CSV, contract, files, product
from tests.steps.walking import BASKETS, ORDERS, OWNER_GROWTH, OWNER_SALES, STRANGER, edit, published
from tests.steps.world import NOON, World, opened


class Clock:
    """A clock of which each reading is a millisecond later."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path, files(), {"orders.csv": CSV}, clock=Clock()) as world:
        published(world, ORDERS)
        yield world


def told(
    world: World, by: Principal, after: str | None = None, most: int = 1000, **wanted: bool | str | ProductId
) -> list[Said]:
    return view.events(world.node, Request(by, world.node.clock()), Wanted(**wanted), after, most)  # type: ignore[arg-type]


def names(found: list[Said]) -> list[str]:
    return [one.name for one in found]


def test_a_stranger_is_told_what_happened_to_what_they_may_discover_and_no_more(world: World) -> None:
    found = told(world, STRANGER)
    assert names(found) == ["product.published", "product.new-version"]
    assert found[0].data == {"sequence": 1, "versions": {"orders@1": "1.0.0"}}
    assert found[1].text == "sales/orders is now served as orders@1 1.0.0"
    own = told(world, OWNER_SALES)
    assert "policies.published" in names(own)
    assert own[-1].data["by"] == "person:owner_sales"


def test_events_are_read_again_from_any_place_each_once_and_in_order(world: World) -> None:
    published(world, BASKETS, by=OWNER_GROWTH)
    edit(world, "sales/orders/orders.sql", "FROM raw", "FROM raw WHERE id < 3")
    published(world, ORDERS)
    whole = told(world, OWNER_SALES)
    assert len({one.domain for one in whole}) == 2
    for size in (1, 2, 3):
        cursor, found = None, []
        while page := told(world, OWNER_SALES, cursor, size):
            found += page
            cursor = page[-1].cursor
        assert [(one.at, one.name, one.domain) for one in found] == [(one.at, one.name, one.domain) for one in whole]
    for place, one in enumerate(whole):
        assert names(told(world, OWNER_SALES, one.cursor)) == names(whole)[place + 1 :]
    newest = told(world, OWNER_SALES, most=2, newest=True)
    assert names(newest) == names(whole)[-2:]
    assert told(world, OWNER_SALES, newest[-1].cursor) == [], "what came before the newest is passed over"


def test_events_of_hidden_products_change_no_byte_that_others_see(tmp_path: Path) -> None:
    def seen(root: Path, *, hidden: bool) -> list[dict[str, object]]:
        given = files() | {
            "sales/orders/orders.odps.yaml": product("sales", "orders"),
            "growth/baskets/baskets.odps.yaml": product(
                "growth", "baskets", inputs=["sales.orders.v1"], access="closed"
            ),
        }
        at = [NOON]
        with opened(root, given, {"orders.csv": CSV}, clock=lambda: at[0]) as world:
            pages: list[Said] = []
            for step in range(3):
                at[0] = NOON + timedelta(hours=2 * step)
                edit(
                    world, "sales/orders/orders.sql", "FROM raw", f"FROM raw WHERE id <> {step + 10}"
                ) if step else None
                published(world, ORDERS)
                at[0] += timedelta(hours=1)
                if hidden:
                    published(world, BASKETS, by=OWNER_GROWTH)
                    access.grant(
                        world.node, OWNER_GROWTH, BASKETS, to="person:owner_sales",
                        until=NOON + timedelta(days=step + 1), why="a test",
                    )  # fmt: skip
                pages += told(world, STRANGER, pages[-1].cursor if pages else None)
            return [one.as_json() for one in [*pages, *told(world, STRANGER), *told(world, STRANGER, newest=True)]]

    with_, without = seen(tmp_path / "with", hidden=True), seen(tmp_path / "without", hidden=False)
    assert json.dumps(with_) == json.dumps(without)
    assert {one["product"] for one in with_} == {"sales/orders"}
    cursor = str(with_[-1]["cursor"])
    assert set(json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))) == {"sales"}


def test_only_what_may_be_discovered_can_be_followed_and_the_rest_is_unknown_alike(world: World) -> None:
    edit(world, "growth/baskets/baskets.odps.yaml", "value: open", "value: closed")
    published(world, BASKETS, by=OWNER_GROWTH)
    said = set()
    for one in (BASKETS, ProductId("growth", "nothing"), ProductId("nowhere", "nothing")):
        with pytest.raises(UnknownProduct) as error:
            following.follow(world.node, STRANGER, one)
        said.add(str(error.value).replace(str(one), "…"))
    assert len(said) == 1


def test_following_twice_is_following_once_and_is_audited(world: World) -> None:
    for _ in range(2):
        following.follow(world.node, STRANGER, ORDERS)
    assert following.followed(world.node, STRANGER) == {ORDERS}
    for _ in range(2):
        following.unfollow(world.node, STRANGER, ORDERS)
    assert following.followed(world.node, STRANGER) == frozenset()
    from hanse.node.ledger import acts

    done = [act.entry["act"] for act in acts(world.node.homes["sales"]) if act.principal == STRANGER.id]
    assert done == ["product.unfollowed", "product.followed"]


def test_a_follower_is_told_each_kind_of_news(world: World) -> None:
    following.follow(world.node, STRANGER, ORDERS)
    cursor = told(world, STRANGER, newest=True)[-1].cursor

    def news() -> list[Said]:
        nonlocal cursor
        found = told(world, STRANGER, cursor, following=True)
        cursor = told(world, STRANGER, newest=True)[-1].cursor
        return found

    world.write("data/orders.csv", CSV + "4,cyd,c@x.org,1\n")
    published(world, ORDERS)
    assert names(news()) == [], "a refresh is no news"
    for path in ("orders.odps.yaml", "orders.v1.odcs.yaml"):
        edit(world, f"sales/orders/{path}", "version: 1.0.0", "version: 1.1.0")
    published(world, ORDERS)
    assert [one.text for one in news()] == ["sales/orders is now served as orders@1 1.1.0"]
    for path in ("orders.odps.yaml", "orders.v1.odcs.yaml"):
        edit(world, f"sales/orders/{path}", "version: 1.1.0", "version: 1.2.0")
    contract = (world.root / "sales/orders/orders.v1.odcs.yaml").read_text()
    column = contract[contract.index("      - name: email") : contract.index("      - name: amount")]
    edit(world, "sales/orders/orders.v1.odcs.yaml", column, "")
    edit(world, "sales/orders/orders.sql", "email, ", "")
    published(world, ORDERS, allow_breaking=[ORDERS])
    assert names(news()) == ["product.new-version", "product.breaking-change"]
    rollback(world.node, ORDERS, None, principal=OWNER_SALES, why="too early")
    assert names(news()) == ["product.rolled-back"]
    edit(world, "sales/orders/orders.odps.yaml", "status: active", "status: deprecated")
    published(world, ORDERS, allow_breaking=[ORDERS])
    assert "product.deprecated" in names(news())
    log = world.node.homes["sales"].run_log
    run = log.queue(ORDERS, "schedule", NOON)
    log.begin(run.id)
    log.end(run.id, "failed", result=None, error={"code": "query.failed", "detail": "secret"}, told=True)
    (failed,) = news()
    assert (failed.name, failed.data) == ("run.failed", {})
    assert "secret" not in failed.text
    edit(world, "sales/orders/orders.odps.yaml", "status: deprecated", "status: retired")
    published(world, ORDERS, allow_breaking=[ORDERS])
    assert names(news()) == ["product.retired"]


@pytest.mark.parametrize(("column", "knows"), [("public", True), ("restricted", False)])
def test_a_missed_service_level_is_told_to_those_who_see_its_column(tmp_path: Path, column: str, knows: bool) -> None:
    events = ProductId("sales", "events")
    columns = [COLUMNS[0], (*COLUMNS[1][:3], f"classification: {column}")]
    given = files() | {
        "sales/events/events.odps.yaml": product("sales", "events"),
        "sales/events/events.v1.odcs.yaml": contract("sales", "events", {"events": columns}) + LEVEL,
        "sales/events/build.yaml": "sources: {raw: {kind: files, path: ../../data/events.csv}}\n"
        "tables: {events: {sql: events.sql}}\n",
        "sales/events/events.sql": "SELECT CAST(id AS BIGINT) AS id, CAST(happened AS TIMESTAMP) AS happened FROM raw",
    }
    data = {"orders.csv": CSV, "events.csv": "id,happened\n1,2026-11-25 11:59:00\n"}
    clock = Clock()
    with opened(tmp_path, given, data, clock=clock) as world:
        assert published(world, events).ok
        following.follow(world.node, STRANGER, events)
        freshness.told(world.node.homes["sales"])
        clock.now += timedelta(hours=3)
        freshness.told(world.node.homes["sales"])
        missed = [one for one in told(world, STRANGER, following=True) if one.name.startswith("product.service")]
        assert len(missed) == knows
        if knows:
            assert missed[0].text == "sales/events: the data of events is older than the 1 h that its contract promises"
            assert "newest" not in missed[0].data
        assert [one.name for one in told(world, OWNER_SALES) if one.name.startswith("product.service")] == [
            "product.service-level-missed"
        ]


def test_one_s_own_requests_and_grants_are_told_and_no_other_s(world: World) -> None:
    access.grant(world.node, OWNER_SALES, ORDERS, to=STRANGER.id, until=NOON + timedelta(days=9), why="a test")
    access.grant(world.node, OWNER_SALES, ORDERS, to="team:growth", until=NOON + timedelta(days=9), why="a test")
    mine = [one for one in told(world, STRANGER) if one.name.startswith("access.")]
    assert [(one.name, one.data["to"]) for one in mine] == [("access.granted", STRANGER.id)]
    assert "by" not in mine[0].data
    team = [one for one in told(world, OWNER_GROWTH) if one.name.startswith("access.")]
    assert [one.data["to"] for one in team] == ["team:growth"]


DEEP = base64.urlsafe_b64encode(b"[" * 12_000).decode()


@pytest.mark.parametrize(
    "cursor", [DEEP, "7", "%%%", "bnVsbA", "eyJzYWxlcyI6IDd9", "x" * 20_000, "eyJTQUxFUyI6ICJ4In0"]
)
def test_a_cursor_that_events_did_not_give_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(BadCursor):
        told(world, STRANGER, cursor)


def test_events_of_a_home_keep_their_order_when_a_clock_goes_back(tmp_path: Path) -> None:
    at = [NOON]
    with opened(tmp_path, files(), {"orders.csv": CSV}, clock=lambda: at[0]) as world:
        store = world.node.homes["sales"].store
        for hours in (0, -5, 3):
            at[0] = NOON + timedelta(hours=hours)
            with store.database.write() as connection:
                store.tell(connection, "plan.accepted", ORDERS, {"n": hours})
        assert [one.body["n"] for one in store.events_of(["plan.accepted"], None, "", 10)] == [0, -5, 3]
        instants = [one.at for one in store.events()]
        assert instants == sorted(set(instants))
