"""mesh.catalog: a product as any other, whose rows are what its reader may know of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse.engine.answer import Answer
from hanse.engine.errors import UnknownTable
from hanse.governance.catalog import CATALOG
from hanse.governance.decision import Principal
from hanse.names import ProductId
from hanse.node.names import AccessChanged, NoAccess, UnknownPublication
from hanse.node.steps import access
from hanse.node.steps.audit import entries
from hanse.node.steps.query import query
from tests.steps.mesh_of_two import CSV, files, product
from tests.steps.walking import BASKETS, ORDERS, OWNER_GROWTH, OWNER_SALES, SCORES, STRANGER, ask, edit, published
from tests.steps.world import NOON, World, opened

CATALOGUE = ProductId("mesh", "catalog")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    texts = files() | {"policies/masks.yaml": "- {name: hide-mail, classification: restricted, mask: hide}\n"}
    texts["growth/scores/scores.odps.yaml"] = product("growth", "scores", inputs=["growth.baskets.v1"], access="closed")
    with opened(tmp_path_factory.mktemp("mesh"), texts, {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        published(world, BASKETS, SCORES, by=OWNER_GROWTH)
        yield world


def answer(world: World, sql: str, by: Principal = STRANGER) -> Answer:
    return asyncio.run_coroutine_threadsafe(query(world.node, ask(by), sql), world.loop).result(60)


def rows(world: World, sql: str, by: Principal = STRANGER) -> list[tuple[Any, ...]]:
    async def whole() -> Any:
        return await (await query(world.node, ask(by), sql)).table()

    table = asyncio.run_coroutine_threadsafe(whole(), world.loop).result(60)
    return [tuple(row.values()) for row in table.to_pylist()]


def test_every_table_has_the_columns_of_its_definition(world: World) -> None:
    for name, table in CATALOG.items():
        found = answer(world, f"select * from mesh.catalog.{name}").schema.names
        assert found == [column for column, _, _ in table.columns]


def test_a_reader_sees_the_products_that_they_may_discover(world: World) -> None:
    names = "select product from mesh.catalog.products"
    assert rows(world, names) == [("growth/baskets",), ("sales/orders",)]
    assert ("growth/scores",) in rows(world, names, OWNER_GROWTH)
    assert rows(world, "select product, source_product from mesh.catalog.lineage") == [
        ("growth/baskets", "sales/orders")
    ]


def test_a_hidden_column_is_in_no_table(world: World) -> None:
    assert rows(world, "select column_name from mesh.catalog.columns where product = 'sales/orders'") == [
        ("id",), ("customer",), ("amount",)
    ]  # fmt: skip
    assert rows(world, "select columns from mesh.catalog.tables where product = 'sales/orders'") == [(3,)]


def test_the_main_table_is_that_of_products(world: World) -> None:
    assert rows(world, "select count(*) from mesh.catalog") == rows(world, "select count(*) from mesh.catalog.products")
    assert rows(world, "select name from mesh.catalog_v1.products") == [("baskets",), ("orders",)]


def test_it_joins_with_data(world: World) -> None:
    sql = (
        "select c.column_name, count(*) from mesh.catalog.columns c, sales.orders o "
        "where c.product = 'sales/orders' and c.primary_key = 1 group by 1"
    )
    assert rows(world, sql) == [("id", 3)]


def test_grants_are_told_to_who_holds_them_and_to_who_decides(tmp_path: Path) -> None:
    with opened(tmp_path, files(), {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        until = NOON + timedelta(days=9)
        for to in ("person:stranger", "team:growth"):
            access.grant(world.node, OWNER_SALES, ORDERS, to=to, until=until, why="a look", purpose="reporting")
        sql = "select grantee from mesh.catalog.grants order by 1"
        assert rows(world, sql) == [("person:stranger",)]
        assert rows(world, sql, OWNER_GROWTH) == [("team:growth",)]
        assert rows(world, sql, OWNER_SALES) == [("person:stranger",), ("team:growth",)]


def test_what_is_published_is_there_at_once(tmp_path: Path) -> None:
    with opened(tmp_path, files(), {"orders.csv": CSV}) as world:
        assert rows(world, "select * from mesh.catalog.products") == []
        published(world, ORDERS)
        assert rows(world, "select title from mesh.catalog.products") == [("Orders",)]
        edit(world, "sales/orders/orders.odps.yaml", "name: Orders", "name: Purchases")
        published(world, ORDERS)
        assert rows(world, "select title from mesh.catalog.products") == [("Purchases",)]


def test_equal_rows_are_one_file_whoever_asks(world: World) -> None:
    other = replace(STRANGER, name="another")
    first, second = (world.node.catalog(ask(by)).snapshots["products"] for by in (STRANGER, other))
    assert first == second
    assert world.node.catalog(ask(OWNER_GROWTH)).snapshots["products"] != first


def test_it_is_recorded_in_every_home_that_it_tells_of(world: World) -> None:
    rows(world, "select count(*) from mesh.catalog.owners")
    for owner, domain in ((OWNER_SALES, "sales"), (OWNER_GROWTH, "growth")):
        found = [one.as_json() for one in entries(world.node, owner, product=CATALOGUE)]
        own = [one["tables"] for one in found if one["domain"] == domain and one["principal"] == STRANGER.id]
        assert "mesh.catalog_v1.owners" in [tables[0]["table"] for tables in own]


def test_it_has_no_past_and_no_other_table(world: World) -> None:
    assert rows(world, "select count(*) from mesh.catalog AT (VERSION => 1)") == [(2,)]
    with pytest.raises(UnknownPublication):
        answer(world, "select * from mesh.catalog AT (VERSION => 2)")
    with pytest.raises(UnknownPublication):
        answer(world, "select * from mesh.catalog AT (TIMESTAMP => TIMESTAMPTZ '2020-01-01 00:00:00+00')")
    for name in ("mesh.catalog.nothing", "mesh.nothing", "mesh.catalog_v2.products"):
        with pytest.raises(UnknownTable):
            answer(world, f"select * from {name}")


def test_a_forbid_of_the_federation_holds_for_it_and_is_recorded(tmp_path: Path) -> None:
    forbid = (
        '@id("no-catalogue") forbid (principal, action == Action::"read", resource)\n'
        'when { resource.product == "catalog" };\n'
    )
    with opened(tmp_path, files() | {"policies/access/no.cedar": forbid}, {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        with pytest.raises(NoAccess):
            answer(world, "select * from mesh.catalog.products")
        assert "no-catalogue" in str([one.as_json() for one in entries(world.node, OWNER_SALES)])


def test_who_may_know_of_less_is_told_so_while_they_read(world: World) -> None:
    names, at = world.node.names, world.node.catalog(ask(OWNER_GROWTH))
    assert not at.shows_less(ask(OWNER_GROWTH))
    assert at.shows_less(ask(STRANGER))
    found = next(
        names.found(one, ask(OWNER_GROWTH))
        for one in asyncio.run_coroutine_threadsafe(
            world.node.engine.gate("select * from mesh.catalog.products"), world.loop
        ).result(10).references
    )  # fmt: skip
    names.still(found, ask(OWNER_GROWTH))
    with pytest.raises(AccessChanged):
        names.still(found, ask(STRANGER))
