"""Grants whose end comes near are told of once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hanse.node.access import endings
from hanse.node.access.shown import grant_json
from hanse.node.steps import access
from tests.steps.mesh_of_two import CSV, files
from tests.steps.walking import ORDERS, OWNER_SALES, published
from tests.steps.world import NOON, World, opened


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path, files(), {"orders.csv": CSV}) as world:
        published(world, ORDERS)
        yield world


def _at(world: World, moment: datetime) -> None:
    world.node.clock = world.node.homes["sales"].clock = lambda: moment


def _told(world: World) -> list[str]:
    events = world.node.homes["sales"].store.events()
    return [str(one.body["grant"]) for one in events if one.name == "access.ends-soon"]


def test_a_grant_that_ends_within_a_week_is_told_of_once_and_again_when_renewed(world: World) -> None:
    home = world.node.homes["sales"]
    until = NOON + timedelta(days=30)
    given = access.grant(world.node, OWNER_SALES, ORDERS, to="person:stranger", until=until, why="to look")
    assert endings.told(home) == 0
    _at(world, until - timedelta(days=6))
    assert (endings.told(home), endings.told(home)) == (1, 0)
    assert _told(world) == [given.id]
    access.renew(world.node, OWNER_SALES, given.id, until=until + timedelta(days=30), why="still needed")
    assert endings.told(home) == 0
    _at(world, until + timedelta(days=25))
    assert endings.told(home) == 1


def test_a_grant_given_for_less_than_a_week_or_already_over_is_no_news(world: World) -> None:
    home = world.node.homes["sales"]
    short = NOON + timedelta(days=3)
    given = access.grant(world.node, OWNER_SALES, ORDERS, to="person:stranger", until=short, why="to look")
    assert endings.told(home) == 0
    assert not grant_json(given, NOON)["ends_soon"]
    _at(world, short + timedelta(days=1))
    assert endings.told(home) == 0
