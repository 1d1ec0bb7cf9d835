"""Published files are what was published: each is compared with its checksum before anything is read from it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hanse.engine.errors import DataDamaged
from hanse.engine.relations.inputs import Input
from hanse.engine.snapshot import DataFile
from hanse.engine.storage.durable import is_whole

_AT_ONCE = 2
_State = tuple[int, ...]


@dataclass(slots=True)
class Whole:
    """Which files were found whole, or damaged, and in which state of the disk's.

    Neither Parquet's pages nor the engine that reads them notice a changed bit: it becomes another value. A file is
    read once whole when it is first asked for, and again when the file system says that it changed.
    """

    _known: dict[str, tuple[_State, bool]] = field(default_factory=dict)
    _reading: dict[str, asyncio.Task[bool]] = field(default_factory=dict)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def sure(self, given: Input) -> None:
        """Return when every file of `given` is what was published; raise `DataDamaged`, which names the table."""
        for one in (given, *given.reads.values()):
            unknown = list(self._unknown(one))
            if not all(await asyncio.gather(*(self._read(one.warehouse / file.path, file) for file in unknown))):
                raise DataDamaged([str(one.facts.id)])

    async def holds(self, path: Path, file: DataFile) -> bool:
        """Whether the file at `path` is still `file`."""
        try:
            state = _state(str(path))
        except OSError:
            return False
        known = self._known.get(str(path))
        return known[1] if known is not None and known[0] == state else await self._read(path, file)

    def made(self, path: Path) -> None:
        """Take note of a file that was just written and read back."""
        self._known[str(path)] = (_state(str(path)), True)

    def gone(self, path: Path) -> None:
        """Forget a file that was removed."""
        self._known.pop(str(path), None)

    def _unknown(self, given: Input) -> Iterator[DataFile]:
        """The files of `given` that are yet to be read; raises at once for one that is missing or known as damaged."""
        for file in given.snapshot.files:
            path = f"{given.warehouse}/{file.path}"
            try:
                state = _state(path)
            except OSError:
                raise DataDamaged([str(given.facts.id)]) from None
            known = self._known.get(path)
            if known is None or known[0] != state:
                yield file
            elif not known[1]:
                raise DataDamaged([str(given.facts.id)])

    async def _read(self, path: Path, file: DataFile) -> bool:
        key = str(path)
        task = self._reading.get(key)
        if task is None:
            task = self._reading[key] = asyncio.create_task(self._compared(path, file))
            task.add_done_callback(lambda _: self._reading.pop(key, None))
        return await asyncio.shield(task)

    async def _compared(self, path: Path, file: DataFile) -> bool:
        async with self._turns:
            try:
                state = _state(str(path))
                whole = await asyncio.to_thread(is_whole, path, file)
            except OSError:
                return False
        self._known[str(path)] = (state, whole)
        return whole

    async def close(self) -> None:
        """Stop what is being read."""
        tasks = tuple(self._reading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _state(path: str) -> _State:
    found = os.stat(path)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
