"""query over real homes: what a build staged is seen by those who may publish it, and by nobody else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hanse.engine.errors import UnknownTable
from hanse.governance.decision import Principal, Request
from hanse.node.steps.query import query
from tests.steps import mesh_of_two as mesh
from tests.steps.walking import ORDERS, OWNER_SALES, edit, published
from tests.steps.world import NOON, World, opened, person


def ask(world: World, sql: str, who: Principal, **more: Any) -> list[dict[str, Any]]:
    async def all_rows() -> list[dict[str, Any]]:
        answer = await query(world.node, Request(who, NOON), sql, **more)
        return list((await answer.table()).to_pylist())

    assert world.node.engine.loop is not None
    return asyncio.run_coroutine_threadsafe(all_rows(), world.node.engine.loop).result(30)


def test_a_stage_is_seen_by_its_builders_only(tmp_path: Path) -> None:
    with opened(tmp_path, mesh.files(), {"orders.csv": mesh.CSV}) as world:
        world.build("sales/orders")
        owner, stranger = person("owner_sales", "sales"), person("stranger", "nobody")
        (row,) = ask(world, "SELECT count(*) AS n FROM sales.orders", owner, staged=True)
        assert row["n"] > 0
        for who, staged in ((owner, False), (stranger, True), (stranger, False)):
            with pytest.raises(UnknownTable):
                ask(world, "SELECT count(*) AS n FROM sales.orders", who, staged=staged)


def test_a_stage_does_not_show_what_its_contract_lowers_without_a_publication(tmp_path: Path) -> None:
    with opened(tmp_path, mesh.files(), {"orders.csv": mesh.CSV}) as world:
        published(world, ORDERS)
        sql = "SELECT count(email) AS n FROM sales.orders"
        assert ask(world, sql, OWNER_SALES) == [{"n": 0}]
        edit(world, "sales/orders/orders.v1.odcs.yaml", "classification: restricted", "classification: public")
        assert world.build("sales/orders", full=True).ok
        assert ask(world, sql, OWNER_SALES, staged=True) == [{"n": 0}]
