"""audit: who saw what, to whom it may concern; and an edited, removed or cut entry is found."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hanse.node.permission import NotPermitted
from hanse.node.steps import audit
from hanse.node.steps.query import query
from tests.steps.mesh_of_two import CSV, files
from tests.steps.walking import ORDERS, OWNER_GROWTH, OWNER_SALES, STRANGER, ask, published
from tests.steps.world import World, opened


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path, files(), {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        yield world


def read(world: World, sql: str = "SELECT id FROM sales.orders") -> None:
    async def answer() -> None:
        found = await query(world.node, ask(STRANGER), sql)
        async for _ in found.batches():
            pass

    asyncio.run_coroutine_threadsafe(answer(), world.loop).result(30)


def changed(world: World, sql: str) -> list[str]:
    store = world.root / ".hanse/homes/sales/store.db"
    with sqlite3.connect(store) as connection:
        assert connection.execute(sql).rowcount > 0
    (proof,) = audit.verify(world.node, OWNER_SALES)
    return list(proof.faults)


def test_a_read_is_told_with_columns_rows_and_how_it_ended(world: World) -> None:
    read(world)
    for _ in range(100):
        entry = audit.entries(world.node, OWNER_SALES, product=ORDERS, by="stranger")[0].as_json()
        if entry["outcome"]:
            break
        time.sleep(0.05)  # what came of a read is written without anybody waiting
    assert (entry["principal"], entry["action"], entry["products"]) == ("person:stranger", "query", ["sales/orders"])
    assert entry["tables"][0]["columns"] == ["id"]
    assert (entry["outcome"], entry["rows"]) == ("answered", 3)


def test_everybody_sees_their_own_reads_and_the_domain_s_people_all(world: World) -> None:
    read(world)
    mine = audit.entries(world.node, STRANGER)
    assert {one.act.principal for one in mine} == {"person:stranger"}
    assert {one.act.domain for one in audit.entries(world.node, OWNER_GROWTH)} == {"growth"}
    assert {one.act.principal for one in audit.entries(world.node, OWNER_SALES)} >= {
        "person:stranger",
        "person:owner_sales",
    }
    assert not audit.entries(world.node, STRANGER, by="owner_sales")


def test_verify_is_for_who_may_read_the_audit(world: World) -> None:
    assert [proof.faults for proof in audit.verify(world.node, OWNER_SALES)] == [()]
    with pytest.raises(NotPermitted):
        audit.verify(world.node, STRANGER)


def test_an_edited_entry_is_found(world: World) -> None:
    faults = changed(world, "UPDATE audit_entry SET body = replace(body, 'sales', 'salex') WHERE number = 2")
    assert any("entry 2 was changed" in fault for fault in faults)


def test_a_removed_entry_is_found(world: World) -> None:
    assert any("entry 2 is missing" in fault for fault in changed(world, "DELETE FROM audit_entry WHERE number = 2"))


def test_reordered_entries_are_found(world: World) -> None:
    swap = "UPDATE audit_entry SET number = CASE number WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE number IN (2, 3)"
    store = world.root / ".hanse/homes/sales/store.db"
    with sqlite3.connect(store) as connection:
        connection.execute(swap)
    assert changed(world, "UPDATE audit_entry SET number = -number WHERE number < 0")


def test_a_cut_tail_is_found(world: World) -> None:
    assert not audit.verify(world.node, OWNER_SALES)[0].faults
    faults = changed(world, "DELETE FROM audit_entry WHERE number >= (SELECT max(number) FROM audit_entry)")
    assert any("cut off" in fault for fault in faults)
