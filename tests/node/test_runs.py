"""Runs: work that goes on while its caller looks on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from hanse.errors import FailedError, HanseError
from hanse.governance.decision import Principal, PrincipalKind
from hanse.node.events import Event
from hanse.node.runs import RunCancelled, Runs, UnknownRun

ADA = Principal(PrincipalKind.PERSON, "ada")
BOB = Principal(PrincipalKind.PERSON, "bob")


@pytest.fixture
def runs() -> Iterator[Runs]:
    runs = Runs(lambda: datetime.now(UTC))
    yield runs
    runs.close(1)


def ended(runs: Runs, id: str) -> str:
    for _ in range(200):
        if (state := runs.get(id, ADA).state) != "running":
            return state
        time.sleep(0.01)
    raise AssertionError("it goes on")


def test_a_run_tells_its_events_in_order_and_its_result(runs: Runs) -> None:
    def work(progress: object, cancelled: threading.Event) -> dict[str, int]:
        assert callable(progress)
        progress(Event("build.started", "one"))
        progress(Event("build.built", "two"))
        return {"rows": 3}

    id = runs.start("build", ADA, work)
    assert ended(runs, id) == "done"
    told = runs.get(id, ADA).as_json(after=1)
    assert [(event["number"], event["text"]) for event in told["events"]] == [(2, "two")]
    assert (told["result"], told["verb"], told["by"]) == ({"rows": 3}, "build", "person:ada")


def test_a_refusal_is_the_run_s_error_and_a_fault_gets_an_id(runs: Runs) -> None:
    def refuse(*_: object) -> None:
        raise HanseError("no", mend="do otherwise")

    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret value 42")

    first, second = runs.start("test", ADA, refuse), runs.start("test", ADA, fail)
    assert (ended(runs, first), ended(runs, second)) == ("failed", "failed")
    assert runs.get(first, ADA).as_json()["error"]["mend"] == "do otherwise"
    error = runs.get(second, ADA).error
    assert isinstance(error, FailedError)
    assert "42" not in error.message


def test_a_run_is_its_starter_s_only(runs: Runs) -> None:
    id = runs.start("build", ADA, lambda *_: None)
    with pytest.raises(UnknownRun):
        runs.get(id, BOB)
    with pytest.raises(UnknownRun):
        runs.cancel(id, BOB)
    assert [run.id for run in runs.list(ADA)] == [id]
    assert runs.list(BOB) == []


def test_a_cancelled_run_says_so(runs: Runs) -> None:
    def work(_: object, cancelled: threading.Event) -> None:
        cancelled.wait(5)
        raise RunCancelled("stopped")

    id = runs.start("publish", ADA, work)
    runs.cancel(id, ADA)
    assert ended(runs, id) == "cancelled"


def test_waiting_returns_with_the_next_event_or_when_time_is_over(runs: Runs) -> None:
    go = threading.Event()

    def work(progress: object, _: threading.Event) -> None:
        assert callable(progress)
        go.wait(5)
        progress(Event("build.started", "one"))
        go.clear()
        go.wait(5)

    async def watch(id: str) -> None:
        assert not (await runs.wait(id, ADA, 0, 0.05)).events
        go.set()
        assert len((await runs.wait(id, ADA, 0, 5)).events) == 1
        go.set()
        assert (await runs.wait(id, ADA, 1, 5)).state == "done"

    asyncio.run(watch(runs.start("build", ADA, work)))


def test_closing_cancels_what_does_not_end_in_time() -> None:
    runs = Runs(lambda: datetime.now(UTC))

    def work(_: object, cancelled: threading.Event) -> None:
        assert cancelled.wait(5)
        raise RunCancelled("stopped")

    id = runs.start("build", ADA, work)
    runs.close(0.05)
    assert runs.get(id, ADA).state == "cancelled"
