"""search: what may be discovered, best first, with the columns that match."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hanse.names import ProductId
from hanse.node.steps.search import Filters, SearchResult, search
from tests.steps.mesh_of_two import CSV, KEY, contract, files, product
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


def test_beginnings_of_words_are_found_whatever_their_accents(world: World) -> None:
    assert [hit.product for hit in found(world, "CÚST").hits] == [BASKETS, ORDERS]
    assert found(world, "cust").hits[0].columns == ("customer",)
    assert not found(world, "ustomer").hits


def test_titles_ids_columns_tags_and_texts_rank_in_that_order(tmp_path: Path) -> None:
    texts = files()
    word = {
        "a": ("name: A", "name: Zebra one"),
        "zebra": ("name: Zebra", "name: C"),
        "d": ("purpose: d of sales.", "purpose: about zebras."),
        "e": ("kind: DataProduct\n", "kind: DataProduct\ntags: [zebra]\n"),
        "f": ("name: F", "name: G"),
    }
    for name, (old, new) in word.items():
        described = product("sales", name)
        assert old in described
        texts[f"sales/{name}/{name}.odps.yaml"] = described.replace(old, new)
        column = "zebra" if name == "f" else "id"
        columns = [(column, "integer", "BIGINT", KEY)]
        texts[f"sales/{name}/{name}.v1.odcs.yaml"] = contract("sales", name, {f"t{name[0]}": columns})
        texts[f"sales/{name}/build.yaml"] = f"tables:\n  t{name[0]}: {{sql: {name}.sql}}\n"
        texts[f"sales/{name}/{name}.sql"] = f"SELECT 1::BIGINT AS {column}\n"
    with opened(tmp_path, texts, {"orders.csv": CSV}) as world:
        published(world, *(ProductId("sales", name) for name in word))
        assert [hit.product.name for hit in found(world, "zebra").hits] == ["a", "zebra", "f", "e", "d"]
        tagged = search(world.node, ask(STRANGER), "", Filters(tag="ZEBRA"))
        assert [hit.product.name for hit in tagged.hits] == ["e"]


def test_filters_and_pages_count_what_they_leave_out(world: World) -> None:
    for filters, left in (
        (Filters(domain="sales"), [ORDERS]),
        (Filters(owner="Owner_Growth"), [BASKETS]),
        (Filters(owner="growth"), [BASKETS]),
        (Filters(status="active"), [BASKETS, ORDERS]),
        (Filters(status="retired"), []),
        (Filters(tag="nothing"), []),
    ):
        result = search(world.node, ask(STRANGER), "", filters)
        assert [hit.product for hit in result.hits] == left
        assert result.total == len(left)
    second = search(world.node, ask(STRANGER), "", start=1, limit=1)
    assert ([hit.product for hit in second.hits], second.total) == ([ORDERS], 2)


def test_people_policies_and_what_to_do_next_are_told(world: World) -> None:
    result = found(world, "owner sales")
    assert [(one.name, one.title, one.roles) for one in result.people] == [
        ("owner_sales", "Owner of sales", ("owner",))
    ]
    assert [one.name for one in found(world, "hanse open").policies] == ["hanse.read-open", "hanse.unmask-open"]
    assert found(world, "orders").steps[0].command == 'hanse query "select * from sales.orders limit 5"'


def test_a_hit_tells_age_state_and_access(world: World) -> None:
    hit = found(world, "orders").hits[0]
    assert (hit.version, hit.health.state, hit.may_read, hit.until) == ("1.0.0", "ok", True, None)


def test_the_catalogue_is_found_by_its_words_or_its_domain(world: World) -> None:
    assert "mesh/catalog" in [str(hit.product) for hit in found(world, "catalogue").hits]
    only = search(world.node, ask(STRANGER), "", Filters(domain="mesh"))
    assert [str(hit.product) for hit in only.hits] == ["mesh/catalog"]


@pytest.mark.parametrize(
    "words", ['" OR 1', "a AND b NOT c", "title : *", "(^x", "\x00", "🦓", "_", "a" * 5000, "'; --"]
)
def test_whatever_is_typed_is_only_words(world: World, words: str) -> None:
    found(world, words)
