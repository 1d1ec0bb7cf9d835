"""The pool of workers: engines kept by relation set, ready ones beside them, a bounded queue before them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

from hanse.engine.errors import Busy
from hanse.engine.settings import GIB, EngineSettings
from hanse.engine.worker.process import Process, Zygote


class Pool:
    """At most `settings.workers` processes run questions; one more stands ready without an engine's relations.

    A caller (a principal) gets at most all workers but one at a time, where there are two or more, so that nobody
    can hold up everybody else. At the bound of the queue the answer is `Busy`.
    """

    def __init__(self, settings: EngineSettings, zygote: Zygote) -> None:
        self._settings, self._zygote = settings, zygote
        self._kept: dict[Hashable, list[Process]] = {}  # idle, by relation set; least recently used first
        self._ready: list[Process] = []
        self._busy: set[Process] = set()
        self._by_caller: dict[str, int] = {}
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._spawning = 0
        self._open = True
        self._share = max(1, settings.workers - 1)
        self._sweeper: asyncio.Task[None] | None = None

    def _limits(self) -> dict[str, int]:
        memory = self._settings.limits.memory_bytes
        return {
            "memory": memory,
            "address_space": memory + GIB,
            "files": 4096,
            "threads": self._settings.threads,
        }

    async def start(self) -> None:
        """Have one worker ready."""
        self._ready.append(await self._zygote.fork("query", self._limits()))
        self._sweeper = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """End every process."""
        self._open = False
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in (*self._ready, *self._busy, *(p for kept in self._kept.values() for p in kept)):
            process.kill()
        self._ready.clear()
        self._kept.clear()
        self._busy.clear()
        for _, waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(Busy())

    def _may(self, caller: str) -> bool:
        if len(self._busy) + self._spawning >= self._settings.workers:
            return False
        return not caller or self._by_caller.get(caller, 0) < self._share

    async def acquire(self, key: Hashable, caller: str = "") -> Process:
        """A worker for the relation set `key`; its `key` is None when its relations are still to be opened."""
        while not self._may(caller):
            if len(self._waiting) >= self._settings.waiting or not self._open:
                raise Busy
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((caller, waiter))
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                raise
            finally:
                with contextlib.suppress(ValueError):
                    self._waiting.remove((caller, waiter))
        self._by_caller[caller] = self._by_caller.get(caller, 0) + 1
        process = self._take(key)
        if process is None:
            self._spawning += 1
            try:
                process = await self._zygote.fork("query", self._limits())
            except BaseException:
                self._done(caller)
                raise
            finally:
                self._spawning -= 1
        self._busy.add(process)
        return process

    def _take(self, key: Hashable) -> Process | None:
        kept = self._kept.get(key)
        while kept:
            process = kept.pop()
            if not kept:
                del self._kept[key]
            if process.alive:
                return process
            process.kill()
        while self._ready:
            process = self._ready.pop()
            if process.alive:
                self._refill()
                return process
            process.kill()
        return None

    def release(self, process: Process, caller: str = "", *, reuse: bool) -> None:
        """Give a worker back; without `reuse` it ends now."""
        self._busy.discard(process)
        process.served += 1
        process.idle_since = time.monotonic()
        if reuse and self._open and process.served < self._settings.kept_queries:
            kept = self._kept.pop(process.key, [])
            self._kept[process.key] = [*kept, process]
            self._evict()
        else:
            process.kill()
        self._done(caller)
        self._refill()

    def _done(self, caller: str) -> None:
        left = self._by_caller.get(caller, 1) - 1
        if left > 0:
            self._by_caller[caller] = left
        else:
            self._by_caller.pop(caller, None)
        self._wake()

    def _wake(self) -> None:
        for caller, waiter in self._waiting:
            if not waiter.done() and self._may(caller):
                waiter.set_result(None)
                return

    def _evict(self) -> None:
        while sum(map(len, self._kept.values())) > self._settings.workers:
            key = next(iter(self._kept))
            self._kept[key].pop(0).kill()
            if not self._kept[key]:
                del self._kept[key]

    def drop(self, unwanted: Callable[[Any], bool]) -> None:
        """End the idle workers whose relation set is `unwanted`."""
        for key in [key for key in self._kept if unwanted(key)]:
            for process in self._kept.pop(key):
                process.kill()

    def _refill(self) -> None:
        if self._open and not self._ready and not self._tasks:
            task = asyncio.create_task(self._fill())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _fill(self) -> None:
        with contextlib.suppress(Exception):  # a question that needs one forks it itself, and tells the reason
            process = await self._zygote.fork("query", self._limits())
            if self._open and not self._ready:
                self._ready.append(process)
            else:
                process.kill()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(5.0, self._settings.kept_seconds))
            before = time.monotonic() - self._settings.kept_seconds
            for key in list(self._kept):
                old = [p for p in self._kept[key] if p.idle_since < before]
                for process in old:
                    self._kept[key].remove(process)
                    process.kill()
                if not self._kept[key]:
                    del self._kept[key]

    @property
    def processes(self) -> tuple[int, ...]:
        """The process ids of all workers."""
        kept = (p for processes in self._kept.values() for p in processes)
        return tuple(p.pid for p in (*self._busy, *self._ready, *kept))
