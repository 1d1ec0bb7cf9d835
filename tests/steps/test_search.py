"""search: what may be discovered, best first, with the columns that match."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hanse.node.steps.search import SearchResult, search
from tests.steps.mesh_of_two import CSV, files, product
from tests.steps.walking import BASKETS, ORDERS, OWNER_GROWTH, OWNER_SALES, SCORES, STRANGER, ask, edit, published
from tests.steps.world import World, opened


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    texts = files()
    texts["growth/scores/scores.odps.yaml"] = product("growth", "scores", inputs=["growth.baskets.v1"], access="closed")
    with opened(tmp_path_factory.mktemp("mesh"), texts, {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        published(world, BASKETS, SCORES, by=OWNER_GROWTH)
        yield world


def found(world: World, words: str) -> SearchResult:
    return search(world.node, ask(STRANGER), words)


def test_without_words_all_that_may_be_discovered_is_listed(world: World) -> None:
    assert [hit.product for hit in found(world, "").hits] == [BASKETS, ORDERS]
    assert SCORES in [hit.product for hit in search(world.node, ask(OWNER_GROWTH), "").hits]


def test_a_title_comes_before_an_id_and_an_id_before_a_column(world: World) -> None:
    assert [hit.product for hit in found(world, "order").hits] == [ORDERS, BASKETS]
    assert found(world, "order").hits[1].columns == ("orders",)


def test_every_word_must_be_there(world: World) -> None:
    assert [hit.product for hit in found(world, "email ORDERS").hits] == [ORDERS]
    assert found(world, "email ORDERS").hits[0].columns == ("email",)
    assert not found(world, "email baskets").hits


def test_a_slip_of_the_finger_gets_the_nearest_spelling(world: World) -> None:
    result = found(world, "custmer")
    assert not result.hits
    assert "customer" in result.nearest


def test_words_of_a_product_that_may_not_be_discovered_find_nothing_and_are_no_spelling(world: World) -> None:
    assert not found(world, "scores").hits
    assert "score" not in found(world, "scor").nearest


def test_a_new_publication_is_found_at_once(tmp_path: Path) -> None:
    with opened(tmp_path, files(), {"orders.csv": CSV}) as world:
        assert not found(world, "orders").hits
        published(world, ORDERS)
        assert found(world, "orders").hits
        edit(world, "sales/orders/orders.odps.yaml", "name: Orders", "name: Purchases")
        published(world, ORDERS, by=OWNER_SALES)
        assert found(world, "purch").hits[0].title == "Purchases"


def test_a_hidden_column_is_found_neither_by_its_name_nor_by_what_it_means(tmp_path: Path) -> None:
    texts = files() | {"policies/masks.yaml": "- {name: hide-mail, classification: restricted, mask: hide}\n"}
    path = "sales/orders/orders.v1.odcs.yaml"
    texts[path] = texts[path].replace(
        "        description: C.\n        classification: restricted",
        "        description: Mailbox.\n        classification: restricted",
    )
    with opened(tmp_path, texts, {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        assert [hit.product for hit in found(world, "customer").hits] == [ORDERS]
        assert not found(world, "mailbox").hits
        assert not found(world, "email").hits
