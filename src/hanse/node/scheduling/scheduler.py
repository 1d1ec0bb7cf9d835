"""The scheduler: lets a run wait for every product that is due, and works them off, one a product at a time."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hanse.errors import FailedError, HanseError
from hanse.names import ProductId
from hanse.node.builds.stream import BuildCancelled
from hanse.node.events import Event
from hanse.node.home.run_log import CANCELLED, DONE, FAILED, INPUT, SCHEDULE, WAITING, NotedRun
from hanse.node.outbox import deliver
from hanse.node.runs import RunCancelled
from hanse.node.scheduling.accepted import schedules
from hanse.node.scheduling.refresh import Tries, refresh

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.home.values import Published
    from hanse.node.node import Node
    from hanse.spec.schedule import Schedule

LOG = logging.getLogger("hanse.schedule")
_LOOK_SECONDS = 0.5
_MOST_RESTING = 62  # runs that wait for a source at once


@dataclass(slots=True)
class _Going:
    """A run that a thread has, or will have."""

    id: str
    product: ProductId
    cancelled: threading.Event = field(default_factory=threading.Event)
    rests: bool = False  # it waits to reach a source again, and others may go on

    def rest(self, seconds: float) -> bool:
        """Wait so long; whether it was cancelled meanwhile."""
        self.rests = True
        try:
            return self.cancelled.wait(seconds)
        finally:
            self.rests = False


class Scheduler:
    """Runs what schedules say, from `start` to `close`; all it must remember lies in the homes."""

    def __init__(self, node: Node) -> None:
        self._node = node
        settings = node.settings
        self._tries = Tries(settings.source_tries, settings.source_wait_seconds)
        self._at_once = settings.runs_at_once
        self._threads = ThreadPoolExecutor(self._at_once + _MOST_RESTING, thread_name_prefix="schedule")
        self._going: dict[ProductId, _Going] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="schedule", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen: tuple[int, ...] = ()  # generations of the homes when it was last asked what is due
        self._next: datetime | None = None  # the next time of any schedule after that
        self._ahead: dict[ProductId, datetime] = {}  # the next times of those whose last run is noted in the future
        self._unsure: set[str] = set()  # domains where the end of a run could not be noted

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go on with what was interrupted, and look from now on; `loop` is the one that the engine lives on."""
        self._loop = loop
        for home in self._node.homes.values():
            for run in home.run_log.recover():
                home.run_log.tell(run.id, "run.again", "wait  the node ended during this run; it goes on", {})
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Begin nothing more; let runs end so long, then stop them: the next start goes on with those."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._threads.shutdown(wait=False, cancel_futures=True)
        waiting = threading.Thread(target=self._threads.shutdown, name="schedule-end", daemon=True)
        waiting.start()
        waiting.join(seconds)
        for going in list(self._going.values()):
            going.cancelled.set()
        waiting.join()

    def cancel(self, home: Home, run: NotedRun) -> None:
        """Stop a run that waits or goes on; one that has ended stays as it is."""
        with self._lock:
            for going in self._going.values():
                if going.id == run.id:
                    going.cancelled.set()
        now = home.run_log.get(run.id)
        if now is not None and now.state == WAITING:
            home.run_log.end(run.id, CANCELLED, result=None, error=None, told=False)

    def due(self) -> None:
        """Let a run wait for each product that is due now, and find when the next one is."""
        now, found = self._node.clock(), None
        self._seen = self._generations()
        for home in self._node.homes.values():
            latest = home.run_log.latest()
            for product, published, when in schedules(home):
                last = latest.get(product)
                at = self._time(product, when, published.at if last is None else max(published.at, last.queued_at), now)
                if at is not None and at <= now:
                    home.run_log.queue(product, SCHEDULE, at)
                    self._ahead.pop(product, None)
                    at = when.next(now)
                elif when.after_inputs and (moved := self._moved(home, product, published, last)) is not None:
                    home.run_log.queue(product, INPUT, moved)
                found = at if found is None else found if at is None else min(found, at)
        self._next = found

    def begin(self) -> None:
        """Hand each waiting run whose product is free to a thread."""
        for home in self._node.homes.values():
            if home.domain in self._unsure:
                self._reclaim(home)
            if not home.run_log.news:
                continue
            home.run_log.news = False
            for run in home.run_log.waiting():
                assert run.product is not None, "what a schedule begins is of one product"
                with self._lock:
                    working = sum(not one.rests for one in self._going.values())
                    if run.product in self._going or working >= self._at_once or self._ended.is_set():
                        home.run_log.news = True  # it is for the next look
                        continue
                    going = self._going[run.product] = _Going(run.id, run.product)
                self._threads.submit(self._run, home, going)

    def _reclaim(self, home: Home) -> None:
        """Let runs wait again that are noted as running and have ended."""
        self._unsure.discard(home.domain)
        with self._lock:
            going = [one.id for one in self._going.values()]
        try:
            home.run_log.recover(going)
        except BaseException:
            self._unsure.add(home.domain)
            raise

    def _time(self, product: ProductId, when: Schedule, since: datetime, now: datetime) -> datetime | None:
        """The first time of a schedule that no run stands for; a clock that was ahead once does not stop it."""
        if since <= now:
            self._ahead.pop(product, None)
            return when.next(since)
        if (at := self._ahead.get(product) or when.next(now)) is not None:
            self._ahead[product] = at
        return at

    def _look_on(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            try:
                if self._generations() != self._seen or (self._next is not None and self._next <= self._node.clock()):
                    self.due()
                self.begin()
            except Exception:  # a store that refuses now is asked again at the next look
                LOG.exception("schedules could not be looked at")
                self._seen = ()

    def _generations(self) -> tuple[int, ...]:
        return tuple(home.store.generation for home in self._node.homes.values())

    def _moved(self, home: Home, product: ProductId, published: Published, last: NotedRun | None) -> datetime | None:
        """When an input was published after the latest run of `product` was put in line."""
        since = last.queued_at if last is not None else home.store.products()[product].known_since
        moved = [
            now.at
            for id in _inputs(published)
            if (owner := self._node.homes.get(id.domain)) is not None
            and (now := owner.published().get(id)) is not None
            and now.at > since
        ]
        return max(moved, default=None)

    def _run(self, home: Home, run: _Going) -> None:
        try:
            if home.run_log.begin(run.id):
                self._work(home, run)
        except Exception:  # the store refuses: the run stays as it is noted, and is begun again
            LOG.exception("run %s could not be noted", run.id)
            self._unsure.add(home.domain)
        finally:
            with self._lock:
                self._going.pop(run.product, None)
            home.run_log.news = True

    def _work(self, home: Home, run: _Going) -> None:
        assert self._loop is not None

        def progress(event: Event) -> None:
            home.run_log.tell(run.id, event.kind, event.text, event.data)

        result: Mapping[str, Any] | None = None
        error: Mapping[str, Any] | None = None
        try:
            asyncio.run_coroutine_threadsafe(self._node.engine.start(), self._loop).result()
            result = refresh(self._node, run.product, self._tries, progress, run.cancelled, run.rest)
            state = DONE if result["ok"] else FAILED
            error = None if result["ok"] else _problem(result["products"][0]["finding"])
        except (RunCancelled, BuildCancelled) as stopped:
            if self._ended.is_set():
                return  # stopped with the node: the next start goes on with it
            state, error = CANCELLED, stopped.as_problem()
        except HanseError as failure:
            state, error = FAILED, failure.as_problem()
        except BaseException:
            id = secrets.token_hex(4)
            LOG.exception("run %s failed, fault %s", run.id, id)
            fault = FailedError(f"a fault in hanse, {id}", mend=f"look for {id} in the node's log")
            state, error = FAILED, fault.as_problem()
        home.run_log.end(run.id, state, result=result, error=error, told=state == FAILED)
        if state == FAILED:
            deliver(home)


def _inputs(published: Published) -> set[ProductId]:
    """The other products that a publication was made of."""
    found = set()
    for address in (one for said in published.lineage.values() for one in said["tables"] if len(one) > 1):
        stem, _, digits = address[1].rpartition("_v")
        found.add(ProductId(address[0], stem if stem and digits.isdigit() else address[1]))
    return found - {published.product.id}


def _problem(finding: Mapping[str, Any]) -> dict[str, Any]:
    """A finding as a problem."""
    where = f"{finding['file']}:{finding['line']}:{finding['column']}"
    told = {"code": finding["code"], "detail": finding["message"], "where": where}
    return told | {name: finding[name] for name in ("why", "mend") if finding[name]}
