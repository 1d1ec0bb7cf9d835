"""The outbox: at least once, in order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hanse.node.home import Home
from hanse.node.home.values import HomeEvent
from hanse.node.outbox import deliver

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home.create(tmp_path / "sales", "sales", lambda: NOON)
    for number in range(3):
        with home.change() as change:
            home.store.tell(change.connection, "product.published", None, {"number": number})
    yield home
    home.close()


def test_events_come_in_order_and_once(home: Home) -> None:
    heard: list[int] = []
    assert deliver(home, [lambda _, event: heard.append(event.body["number"])]) == 3
    assert heard == [0, 1, 2]
    assert deliver(home, [lambda _, event: heard.append(event.body["number"])]) == 0


def test_an_event_that_was_not_taken_comes_again_and_none_overtakes_it(home: Home) -> None:
    heard: list[int] = []

    def fails_once(_: str, event: HomeEvent) -> None:
        heard.append(event.body["number"])
        if heard == [0, 1]:
            raise OSError("away")

    assert deliver(home, [fails_once]) == 1
    assert deliver(home, [fails_once]) == 2
    assert heard == [0, 1, 1, 2]
