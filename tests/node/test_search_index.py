"""The search index: it ranks as the texts say, follows publications one by one, and can always be made again."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from hanse.names import ProductId, TableId
from hanse.node.finding.index import SearchIndex
from hanse.node.finding.spelling import Spelling
from hanse.node.finding.texts import texts, words
from tests.steps.mesh_of_two import CSV, files
from tests.steps.walking import BASKETS, ORDERS, OWNER_GROWTH, OWNER_SALES, edit, published
from tests.steps.world import World, opened

ORDERS_TABLE = TableId(ORDERS, 1, "orders")
BASKETS_TABLE = TableId(BASKETS, 1, "baskets")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    texts = files()
    path = "sales/orders/orders.v1.odcs.yaml"
    texts[path] = texts[path].replace("  - name: orders\n", "  - name: orders\n    businessName: Bestellung é\n")
    with opened(tmp_path_factory.mktemp("mesh"), texts, {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        published(world, BASKETS, by=OWNER_GROWTH)
        yield world


def index_of(world: World, path: Path) -> SearchIndex:
    index = SearchIndex(path)
    index.follow(world.node.homes)
    return index


def found(index: SearchIndex, word: str) -> dict[TableId, int]:
    listed = index.listed(frozenset({ORDERS_TABLE, BASKETS_TABLE}))
    return {listed[number]: rank for ranks in index.ranks(word).values() for number, rank in ranks}


def test_words_are_folded_and_parted() -> None:
    assert words("arr_delay arrDelay ÉTÉ Straße") == ["arr", "delay", "arr", "delay", "ete", "strasse"]
    assert words('"; DROP TABLE words; --*') == ["drop", "table", "words"]


def test_the_index_ranks_as_the_texts_say(world: World, tmp_path: Path) -> None:
    index = index_of(world, tmp_path / "node.db")
    known = {}
    for product in (ORDERS, BASKETS):
        home = world.node.homes[product.domain]
        one = home.published()[product]
        assert home.team is not None
        for line, state in one.lines.items():
            for table in state.contract.tables:
                known[TableId(product, line.major, table.name)] = texts(one, line, table, home.team.members)
    every = {
        word
        for one in known.values()
        for field in (one.title, one.columns, one.tags, one.text)
        for word in field.split()
    }
    for word in {one[:length] for one in every for length in (1, 2, len(one))} | {"nothing"}:
        expected = {table: rank for table, one in known.items() if (rank := one.rank(word)) is not None}
        assert found(index, word) == expected, word
    assert found(index, "bestellung") == {ORDERS_TABLE: 4}
    assert found(index, "order") == {ORDERS_TABLE: 0, BASKETS_TABLE: 3}
    index.close()


def test_only_who_owns_the_node_may_read_its_file(world: World, tmp_path: Path) -> None:
    index_of(world, tmp_path / "node.db").close()
    assert stat.S_IMODE((tmp_path / "node.db").stat().st_mode) == 0o600


def test_an_index_that_stands_is_not_made_again(world: World, tmp_path: Path) -> None:
    index_of(world, tmp_path / "node.db").close()
    with sqlite3.connect(tmp_path / "node.db") as connection:
        connection.execute("UPDATE words SET title = 'mark'")
    index = index_of(world, tmp_path / "node.db")
    assert set(found(index, "mark")) == {ORDERS_TABLE, BASKETS_TABLE}
    index.close()


@pytest.mark.parametrize("damage", ["gone", "empty", "noise", "cut", "other-form", "table-lost"])
def test_an_index_that_is_gone_or_damaged_is_made_again(world: World, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "node.db"
    index_of(world, path).close()
    match damage:
        case "gone":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "noise":
            path.write_bytes(bytes(range(256)) * 64)
        case "cut":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        case "other-form":
            with sqlite3.connect(path) as connection:
                connection.execute("PRAGMA user_version = 99")
        case "table-lost":
            with sqlite3.connect(path) as connection:
                connection.execute("DROP TABLE words")
    index = index_of(world, path)
    assert found(index, "orders") == {ORDERS_TABLE: 0, BASKETS_TABLE: 3}
    index.close()


def test_an_index_that_breaks_while_it_is_used_is_made_again(world: World, tmp_path: Path) -> None:
    index = index_of(world, tmp_path / "node.db")
    with sqlite3.connect(tmp_path / "node.db") as connection:
        connection.execute("DROP TABLE words")
    assert found(index, "orders") == {ORDERS_TABLE: 0, BASKETS_TABLE: 3}
    index.close()


def test_where_no_file_can_be_kept_it_is_in_memory(world: World, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder would be")
    index = index_of(world, tmp_path / "taken" / "node.db")
    assert found(index, "orders") == {ORDERS_TABLE: 0, BASKETS_TABLE: 3}
    index.close()


def test_only_what_was_published_is_taken_in_anew(tmp_path: Path) -> None:
    with opened(tmp_path, files(), {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        published(world, BASKETS, by=OWNER_GROWTH)
        index = index_of(world, tmp_path / "node.db")
        before = dict(index.listed(frozenset({ORDERS_TABLE, BASKETS_TABLE})))
        edit(world, "sales/orders/orders.odps.yaml", "name: Orders", "name: Purchases")
        published(world, ORDERS, by=OWNER_SALES)
        index.follow(world.node.homes)
        after = index.listed(frozenset({ORDERS_TABLE, BASKETS_TABLE}))
        assert {number for number, table in before.items() if table == BASKETS_TABLE} <= set(after)
        assert found(index, "purch") == {ORDERS_TABLE: 0}
        held = index.listed(frozenset({ORDERS_TABLE}))
        index.follow(world.node.homes)
        assert index.listed(frozenset({ORDERS_TABLE})) == held
        index.close()


def test_near_words_are_told_by_how_near_they_are() -> None:
    spelling = Spelling(["customer", "customers", "custom", "order", "weather", "2024"])
    assert spelling.near("custmer") == ["customer", "customers", "custom"]
    assert spelling.near("wether") == ["weather"]
    assert spelling.near("2025") == []
    assert spelling.near("x" * 1000) == []


def test_a_home_reads_only_the_publications_that_moved(world: World) -> None:
    home = world.node.homes["sales"]
    held = home.published()
    with home.change():
        pass
    assert home.published() is held
    assert home.facts(ProductId("sales", "nothing")) == ()
