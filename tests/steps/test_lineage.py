"""lineage: what it is made from and what is made from it, of what the reader may know of; columns too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hanse.names import ProductId
from hanse.node.steps.lineage import Lineage, LineageTooWide, _reached, lineage
from tests.steps.mesh_of_two import BASKETS as BASKETS_COLUMNS
from tests.steps.mesh_of_two import CSV, contract, files, product
from tests.steps.walking import BASKETS, ORDERS, OWNER_GROWTH, SCORES, STRANGER, ask, published
from tests.steps.world import World, opened


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("mesh"), files(), {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        published(world, BASKETS, SCORES, by=OWNER_GROWTH)
        yield world


def told(world: World, product: ProductId, up: int = 9, down: int = 9, *, columns: bool = False) -> Lineage:
    found = lineage(world.node, ask(STRANGER), product, up=up, down=down, columns=columns)
    assert found is not None
    return found


def test_it_goes_both_ways_as_far_as_is_asked(world: World) -> None:
    assert [(one.product, one.steps) for one in told(world, BASKETS).members] == [
        (ORDERS, -1),
        (BASKETS, 0),
        (SCORES, 1),
    ]
    assert told(world, ORDERS).links == ((BASKETS, SCORES), (ORDERS, BASKETS))
    assert told(world, ORDERS, down=1).links == ((ORDERS, BASKETS),)
    assert told(world, ORDERS, down=0).links == ()
    assert told(world, SCORES, up=0).links == ()


def test_each_product_has_its_version_and_state(world: World) -> None:
    member = told(world, ORDERS).members[0]
    assert (member.version, member.status, member.health.state) == ("1.0.0", "active", "ok")


def test_each_column_is_told_by_those_that_it_is_made_of(world: World) -> None:
    made = {(str(one.table), one.column): one.made_of for one in told(world, SCORES, columns=True).columns}
    baskets = next(facts.id for facts in world.node.homes["growth"].facts(BASKETS))
    assert made["growth.scores_v1.scores", "score"] == ((baskets, "customer"), (baskets, "orders"))
    origins = made["growth.baskets_v1.baskets", "amount"]
    assert origins is not None
    assert [(str(table), column) for table, column in origins] == [("sales.orders_v1.orders", "amount")]
    # a source of the product's own is nobody else's business
    assert made["sales.orders_v1.orders", "amount"] == ()


def test_what_may_not_be_known_of_is_left_out_with_what_is_behind_it(tmp_path: Path) -> None:
    texts = files() | {"policies/masks.yaml": "- {name: hide-mail, classification: internal, mask: hide}\n"}
    texts["growth/baskets/baskets.odps.yaml"] = product(
        "growth", "baskets", inputs=["sales.orders.v1"], access="closed"
    )
    with opened(tmp_path, texts, {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        published(world, BASKETS, SCORES, by=OWNER_GROWTH)
        assert [one.product for one in told(world, ORDERS).members] == [ORDERS]
        assert [one.product for one in told(world, SCORES).members] == [SCORES]
        assert lineage(world.node, ask(STRANGER), BASKETS) is None
        assert all(not one.made_of for one in told(world, SCORES, columns=True).columns)
        own = lineage(world.node, ask(OWNER_GROWTH), ORDERS, down=9)
        assert own is not None
        assert [one.product for one in own.members] == [ORDERS, BASKETS, SCORES]


def test_a_product_beside_is_not_of_the_same_line(tmp_path: Path) -> None:
    texts = files() | {
        "growth/others/others.odps.yaml": product("growth", "others", inputs=["sales.orders.v1"]),
        "growth/others/others.v1.odcs.yaml": contract("growth", "others", {"others": BASKETS_COLUMNS}),
        "growth/others/build.yaml": "tables:\n  others: {sql: others.sql}\n",
        "growth/others/others.sql": files()["growth/baskets/baskets.sql"],
    }
    with opened(tmp_path, texts, {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        published(world, BASKETS, ProductId("growth", "others"), by=OWNER_GROWTH)
        assert [one.product for one in told(world, BASKETS).members] == [ORDERS, BASKETS]


def test_a_circle_ends_where_it_began_and_a_wide_one_is_refused() -> None:
    a, b = ProductId("a", "a"), ProductId("b", "b")
    assert _reached(lambda one: [b if one == a else a], a, 50) == {a: 0, b: 1}
    many = [ProductId("a", f"p{number}") for number in range(2000)]
    with pytest.raises(LineageTooWide):
        _reached(lambda one: many if one == a else [], a, 1)
