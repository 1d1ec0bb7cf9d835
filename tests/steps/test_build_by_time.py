"""Increments by time: late rows within the window come in, older ones do not; a moved home keeps its domain."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from hanse.governance.decision import Request
from hanse.names import ProductId
from hanse.node.node import Node
from hanse.node.settings import Settings
from hanse.node.steps.query import query
from tests.steps.mesh_of_two import CSV, KEY, PUBLIC, contract, files, product
from tests.steps.walking import OWNER_SALES, published
from tests.steps.world import NOON, World, opened

EVENTS = ProductId("sales", "events")
BUILD = """sources: {raw: {kind: files, path: ../../data/events, format: csv}}
tables: {events: {sql: events.sql, mode: incremental, by: time, time_column: happened, late: 2h}}
"""
COLUMNS = [("id", "integer", "BIGINT", KEY), ("happened", "timestamp", "TIMESTAMP", PUBLIC)]
SQL = "SELECT CAST(id AS BIGINT) AS id, CAST(happened AS TIMESTAMP) AS happened FROM raw\n"


def ids(world: World) -> list[int]:
    async def ask() -> list[Any]:
        answer = await query(world.node, Request(OWNER_SALES, NOON), "SELECT id FROM sales.events ORDER BY id")
        return list((await answer.table())["id"].to_pylist())

    return asyncio.run_coroutine_threadsafe(ask(), world.loop).result(30)


def test_late_rows_come_in_within_the_window_and_since_replaces_all_after_it(tmp_path: Path) -> None:
    mesh = {
        **files(),
        "sales/events/events.odps.yaml": product("sales", "events"),
        "sales/events/events.v1.odcs.yaml": contract("sales", "events", {"events": COLUMNS}),
        "sales/events/build.yaml": BUILD,
        "sales/events/events.sql": SQL,
    }
    first = "id,happened\n1,2024-01-01 10:00:00\n2,2024-01-01 12:00:00\n"
    second = "id,happened\n3,2024-01-01 11:00:00\n4,2024-01-01 09:00:00\n5,2024-01-02 00:00:00\n"
    with opened(tmp_path, mesh, {"orders.csv": CSV, "events/1.csv": first}) as world:
        published(world, EVENTS)
        world.write("data/events/2.csv", second)
        assert published(world, EVENTS).products[0].sequence == 2
        assert ids(world) == [1, 2, 3, 5], "4 came later than the window allows"
        world.build("sales/events", by=[OWNER_SALES], since=NOON.replace(year=2023))
        published(world, EVENTS)
        assert ids(world) == [1, 2, 3, 4, 5], "nothing changed since, and yet it was asked for"
    shutil.move(tmp_path / ".hanse/homes/sales", tmp_path / "elsewhere")
    node = Node.open(Settings(tmp_path, roots=(tmp_path,)), lambda: NOON, homes=[tmp_path / "elsewhere"])
    try:
        assert list(node.homes) == ["sales"]
        assert node.homes["sales"].published()[EVENTS].sequence == 3
    finally:
        for home in node.homes.values():
            home.close()
