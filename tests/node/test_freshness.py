"""Freshness: the age of the data's own time column against its promise, without reading data again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse.governance.decision import Principal, Request
from hanse.names import ProductId
from hanse.node.freshness import Watch, told
from hanse.node.steps.query import query
from tests.steps.mesh_of_two import CSV, KEY, PUBLIC, contract, files, product
from tests.steps.walking import OWNER_SALES, STRANGER, published
from tests.steps.world import Clock, World, opened

EVENTS = ProductId("sales", "events")
COLUMNS = [("id", "integer", "BIGINT", KEY), ("happened", "timestamp", "TIMESTAMP", PUBLIC)]
LEVEL = "slaProperties:\n  - {property: latency, value: 1, unit: h, element: events.happened}\n"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(tmp_path: Path, clock: Clock) -> Iterator[World]:
    mesh = {
        **files(),
        "sales/events/events.odps.yaml": product("sales", "events"),
        "sales/events/events.v1.odcs.yaml": contract("sales", "events", {"events": COLUMNS}) + LEVEL,
        "sales/events/build.yaml": "sources: {raw: {kind: files, path: ../../data/events.csv}}\n"
        "tables: {events: {sql: events.sql}}\n",
        "sales/events/events.sql": "SELECT CAST(id AS BIGINT) AS id, CAST(happened AS TIMESTAMP) AS happened FROM raw",
    }
    with opened(tmp_path, mesh, {"orders.csv": CSV, "events.csv": ""}) as made:
        made.node.clock = clock
        for home in made.node.homes.values():
            home.clock = home.store.clock = clock
        yield made


def publish_event(world: World, at: str) -> None:
    world.write("data/events.csv", f"id,happened\n1,2020-01-01 00:00:00\n2,{at}\n")
    assert published(world, EVENTS).products[0].ok


def names(world: World) -> list[str]:
    events = world.node.homes["sales"].store.events(most=10_000)
    return [event.name.rpartition("-")[2] for event in events if "service-level" in event.name]


def header(world: World, clock: Clock, by: Principal = OWNER_SALES) -> Any:
    async def ask() -> Any:
        answer = await query(world.node, Request(by, clock.now), "SELECT id FROM sales.events")
        await answer.table()
        return answer.facts.get("freshness")

    return asyncio.run_coroutine_threadsafe(ask(), world.loop).result(30)


def test_the_state_changes_with_the_clock_alone_and_each_change_is_one_event(world: World, clock: Clock) -> None:
    home = world.node.homes["sales"]
    publish_event(world, "2026-11-25 11:30:00")
    assert told(home) == 0, "a promise that is kept from the start is no news"
    for path in home.warehouse.glob("*/events/*/*/data/*.parquet"):
        path.rename(path.with_suffix(".away"))  # nothing below reads data
    clock.now += timedelta(minutes=29)
    assert told(home) == 0
    clock.now += timedelta(minutes=2)
    assert told(home) == 1
    assert told(home) == 0
    assert names(world) == ["missed"]
    missed = home.store.events(most=10_000)[-1]
    assert (missed.name, missed.product) == ("product.service-level-missed", "events")
    assert missed.body["newest"] == "2026-11-25T11:30:00+00:00"
    assert missed.body["goal_seconds"] == 3600
    publish_event(world, "2026-11-25 12:30:00")
    assert told(home) == 1
    assert names(world) == ["missed", "met"]


def test_data_that_is_old_when_it_is_published_is_told_at_once(world: World) -> None:
    publish_event(world, "2026-11-25 09:00:00")
    assert told(world.node.homes["sales"]) == 1
    assert names(world) == ["missed"]


def test_a_serving_node_tells_within_one_interval(world: World) -> None:
    publish_event(world, "2026-11-25 09:00:00")
    watch = Watch(world.node.homes, timedelta(milliseconds=5))
    watch.start()
    try:
        for _ in range(2000):
            if names(world):
                break
    finally:
        watch.close()
    assert names(world) == ["missed"]


def test_an_answer_tells_the_age_of_what_it_was_made_of(world: World, clock: Clock) -> None:
    publish_event(world, "2026-11-25 11:30:00")
    assert header(world, clock) == {
        "sales.events_v1.events": {
            "newest": "2026-11-25T11:30:00+00:00", "age_seconds": 1800.0, "goal_seconds": 3600.0, "state": "met",
        }
    }  # fmt: skip
    clock.now += timedelta(hours=1)
    assert [one["state"] for one in header(world, clock).values()] == ["missed"]


def test_the_age_of_a_masked_column_is_not_told(world: World, clock: Clock) -> None:
    world.write("policies/masks.yaml", "- {name: no-times, column: sales.events.events.happened, mask: null}\n")
    publish_event(world, "2026-11-25 11:30:00")
    home = world.node.homes["sales"]
    assert told(home) == 0
    assert header(world, clock, STRANGER) is None
