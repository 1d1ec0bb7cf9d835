"""Runs: builds, tests and publishes that go on while their caller looks on, or goes away and comes back."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hanse.errors import FailedError, HanseError, Kind, code
from hanse.governance.decision import Principal
from hanse.node.events import Event

LOG = logging.getLogger("hanse.runs")
RUNNING, DONE, FAILED, CANCELLED = "running", "done", "failed", "cancelled"
_KEPT = 256  # runs that are remembered
_MOST_EVENTS = 10_000  # of one run
_MOST_WAITING = 64  # runs that have not ended

Work = Callable[[Callable[[Event], None], threading.Event], Any]


class UnknownRun(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "run.unknown",
        Kind.NOT_FOUND,
        "There is no such run",
        "The last 100 runs that people began in a domain, and the last 100 scheduled ones of each product, are kept "
        "and shown to who may publish there.",
        "hanse runs lists yours.",
    )

    def __init__(self, id: str) -> None:
        super().__init__(f"there is no run {id[:80]!r}", mend="hanse runs lists yours")


class TooManyRuns(HanseError):
    kind = Kind.UNAVAILABLE
    code = code(
        "run.too-many",
        Kind.UNAVAILABLE,
        "Too many runs go on",
        "A node bounds what it does at once, so that those who began first end.",
        "Try again when some have ended: hanse runs",
    )


class RunCancelled(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "run.cancelled",
        Kind.CONFLICT,
        "The run was cancelled",
        "Somebody stopped it, or the node was stopped; nothing half done is left.",
        "Start it again.",
    )


@dataclass(frozen=True, slots=True)
class RunEvent:
    """An event of a run, with its number from 1 and when it happened."""

    number: int
    at: datetime
    event: Event

    def as_json(self) -> dict[str, Any]:
        said = {"kind": self.event.kind, "text": self.event.text, "data": dict(self.event.data)}
        return {"number": self.number, "at": self.at.isoformat(), **said}


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands: `result` is what its step gave (JSON), `error` what stopped it."""

    id: str
    verb: str
    by: str
    state: str  # running | done | failed | cancelled
    started_at: datetime
    ended_at: datetime | None = None
    events: tuple[RunEvent, ...] = ()
    result: Any = None
    error: HanseError | None = None

    def as_json(self, after: int = 0) -> dict[str, Any]:
        return {
            "id": self.id,
            "verb": self.verb,
            "by": self.by,
            "state": self.state,
            "started_at": self.started_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
            "events": [event.as_json() for event in self.events if event.number > after],
            "result": self.result,
            "error": None if self.error is None else self.error.as_problem(),
        }


@dataclass(slots=True)
class _Going:
    id: str
    verb: str
    by: str
    started_at: datetime
    state: str = RUNNING
    ended_at: datetime | None = None
    events: list[RunEvent] = field(default_factory=list)
    result: Any = None
    error: HanseError | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def now(self) -> Run:
        return Run(
            self.id,
            self.verb,
            self.by,
            self.state,
            self.started_at,
            self.ended_at,
            tuple(self.events),
            self.result,
            self.error,
        )


class Runs:
    """Starts work in threads and remembers what it told; `kept` is given each run that has ended."""

    def __init__(
        self, clock: Callable[[], datetime], threads: int = 4, kept: Callable[[Run], None] = lambda _: None
    ) -> None:
        self._clock, self._kept = clock, kept
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="run")
        self._runs: OrderedDict[str, _Going] = OrderedDict()
        self._lock = threading.Lock()
        self._waiters = ThreadPoolExecutor(32, thread_name_prefix="run-wait")

    def start(self, verb: str, principal: Principal, work: Work) -> str:
        """Begin `work(progress, cancelled)` and return the run's id; raises `TooManyRuns`.

        What `work` returns is the run's result (through `as_json`, where it has that); a `HanseError` it raises the
        run's error.
        """
        going = _Going(f"run-{secrets.token_hex(6)}", verb, principal.id, self._clock())
        with self._lock:
            if sum(one.state == RUNNING for one in self._runs.values()) >= _MOST_WAITING:
                raise TooManyRuns(f"{_MOST_WAITING} runs go on already", mend="hanse runs shows yours")
            self._runs[going.id] = going
            for id in [id for id, one in self._runs.items() if one.state != RUNNING][: max(0, len(self._runs) - _KEPT)]:
                del self._runs[id]
        self._threads.submit(self._work, going, work)
        return going.id

    def knows(self, id: str) -> bool:
        """Whether a caller began the run `id`, and it is remembered."""
        with self._lock:
            return id in self._runs

    def get(self, id: str, principal: Principal) -> Run:
        """The run as it stands; `UnknownRun` for one that is not the principal's."""
        return self._own(id, principal).now()

    async def wait(self, id: str, principal: Principal, after: int = 0, seconds: float = 30.0) -> Run:
        """The run as soon as it has an event after number `after` or has ended, or when `seconds` are over."""
        going = self._own(id, principal)

        def wait() -> None:
            with going.changed:
                going.changed.wait_for(lambda: len(going.events) > after or going.state != RUNNING, seconds)

        if len(going.events) <= after and going.state == RUNNING:
            await asyncio.get_running_loop().run_in_executor(self._waiters, wait)
        return going.now()

    def cancel(self, id: str, principal: Principal) -> Run:
        """Ask a run to stop; it ends where it can leave nothing half done."""
        going = self._own(id, principal)
        going.cancelled.set()
        return going.now()

    def list(self, principal: Principal, limit: int = 20) -> list[Run]:
        """The principal's latest runs, newest first."""
        with self._lock:
            own = [one for one in reversed(self._runs.values()) if one.by == principal.id]
        return [one.now() for one in own[:limit]]

    def close(self, seconds: float = 30.0) -> None:
        """Wait so long for what goes on, then cancel it and wait until it has stopped."""
        with self._lock:
            going = [one for one in self._runs.values() if one.state == RUNNING]
        for one in going:
            with one.changed:
                if not one.changed.wait_for(lambda one=one: one.state != RUNNING, seconds):  # type: ignore[misc]
                    one.cancelled.set()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._waiters.shutdown(wait=False, cancel_futures=True)

    def _own(self, id: str, principal: Principal) -> _Going:
        with self._lock:
            going = self._runs.get(id)
        if going is None or going.by != principal.id:
            raise UnknownRun(id)
        return going

    def _work(self, going: _Going, work: Work) -> None:
        def progress(event: Event) -> None:
            with going.changed:
                if len(going.events) < _MOST_EVENTS:
                    going.events.append(RunEvent(len(going.events) + 1, self._clock(), event))
                    going.changed.notify_all()

        result, error, state = None, None, DONE
        try:
            made = work(progress, going.cancelled)
            result = made.as_json() if hasattr(made, "as_json") else made
        except HanseError as failure:
            error, state = failure, CANCELLED if going.cancelled.is_set() else FAILED
        except BaseException:
            id = secrets.token_hex(4)
            LOG.exception("run %s failed, fault %s", going.id, id)
            error, state = FailedError(f"a fault in hanse, {id}", mend=f"look for {id} in the node's log"), FAILED
        ended_at = self._clock()
        try:
            self._kept(replace(going.now(), state=state, ended_at=ended_at, result=result, error=error))
        except Exception:  # what it did stands, and its caller is told
            LOG.exception("run %s could not be noted", going.id)
        with going.changed:
            going.result, going.error, going.ended_at, going.state = result, error, ended_at, state
            going.changed.notify_all()
