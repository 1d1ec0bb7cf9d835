"""Governed copies: policy-applied Parquet, one per fingerprint, made once, bounded, evicted, dropped on revocation."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from hanse.engine.errors import DataDamaged, MemoryLimit, NoRoom, PolicyFailed, TimeLimit, TooLarge
from hanse.engine.relations.inputs import Input
from hanse.engine.relations.masks import pads
from hanse.engine.relations.policy import PolicySelect, fingerprint, policy_select
from hanse.engine.relations.whole import Whole
from hanse.engine.settings import GIB, EngineSettings
from hanse.engine.snapshot import DataFile
from hanse.engine.worker.frames import Closed, Frame
from hanse.engine.worker.process import Zygote, ask
from hanse.names import TableId

_SUM = ".sum"  # beside each copy: its checksum
HANDED = GIB // 2  # bytes of Arrow that the trusted reader hands over at most


@dataclass(slots=True)
class Copy:
    """A copy that stands: its path, size in bytes, and when it was last used (monotonic)."""

    path: Path
    size: int
    used: float
    sha256: str
    table: TableId | None = None


class Copies:
    """All governed copies of a node; a file's name is its fingerprint: a copy is never wrong, only unused."""

    def __init__(self, settings: EngineSettings, zygote: Zygote, evicted: Callable[[Path], None]) -> None:
        self._settings, self._zygote, self._evicted = settings, zygote, evicted
        self.whole = Whole()
        self._known: dict[Path, Copy] = {}
        self._making: dict[Path, asyncio.Task[Path]] = {}
        self._seen: set[Path] = set()
        self._readers = asyncio.Semaphore(max(1, settings.workers))

    @staticmethod
    def path(given: Input) -> Path:
        """Where the copy of `given` lies, made or not."""
        table = given.facts.id
        folder = f"{table.product.name}.v{table.major}.{table.table}"
        return given.copies / folder / f"{fingerprint(given)}.parquet"

    async def find(self, path: Path) -> Path | None:
        """The copy, if it stands and is what was made; a damaged one is removed, to be made again."""
        self._look(path.parent.parent)
        copy = self._known.get(path)
        if copy is None:
            return None
        if not await self.whole.holds(path, DataFile(path.name, copy.size, copy.sha256, 0)):
            if self._known.get(path) is copy:
                self._remove(path)
            return None
        copy.used = time.monotonic()
        return path

    async def make(self, given: Input, path: Path) -> Path:
        """The copy, made by the trusted reader if it does not stand; made once, whoever asks meanwhile."""
        task = self._making.get(path)
        if task is None:
            task = asyncio.create_task(self._make(given, path))
            self._making[path] = task
            task.add_done_callback(lambda done: self._made(path, done))
        return await asyncio.shield(task)

    def _made(self, path: Path, task: asyncio.Task[Path]) -> None:
        self._making.pop(path, None)
        if not task.cancelled():
            task.exception()  # it was told to whoever waited

    async def _make(self, given: Input, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            await self._read(given, policy_select(given), part, "parquet")
            size, digest = await asyncio.to_thread(_sealed, part, path.with_suffix(_SUM))
            os.rename(part, path)
        finally:
            part.unlink(missing_ok=True)
        self.whole.made(path)
        self._known[path] = Copy(path, size, time.monotonic(), digest, given.facts.id)
        self._shrink(path.parent.parent, keep=path)
        return path

    async def stream(self, given: Input, select: PolicySelect, path: Path) -> int:
        """Have the trusted reader write `select` as an Arrow stream to `path`; its size in bytes."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return await self._read(given, select, path, "arrow")

    async def _read(self, given: Input, select: PolicySelect, out: Path, form: str) -> int:
        settings = self._settings
        seconds = settings.reader_seconds
        limits = {
            "memory": settings.reader_memory_bytes,
            "address_space": settings.reader_memory_bytes + 2 * GIB,
            "file_size": settings.copy_bytes,
            "threads": settings.threads,
        }
        out.touch(mode=0o600)
        asked = {
            "sql": select.sql,
            "pads": pads(given.mask_key),
            "views": [[list(name), source] for name, source in select.views],
            "files": list(select.files),
            "out": str(out),
            "as": form,
            "most": HANDED,
            "cpu_seconds": seconds * settings.threads,
        }
        async with self._readers:
            process = await self._zygote.fork("read", limits)
            try:
                async with asyncio.timeout(seconds):
                    kind, said = await ask(process, Frame.READ, asked)
            except TimeoutError:
                raise TimeLimit(seconds) from None
            except Closed:
                raise MemoryLimit(settings.reader_memory_bytes) from None
            finally:
                process.kill()
        if kind is Frame.END:
            return int(said["bytes"])
        match said["class"]:
            case "OutOfMemoryException" | "MemoryError":
                if form == "arrow":
                    raise TooLarge(HANDED, "what the trusted reader hands over")
                raise MemoryLimit(settings.reader_memory_bytes)
            case "IOException" | "OSError" if said.get("no_room"):
                raise NoRoom(f"a governed copy of {given.facts.id} could not be kept")
            case "IOException" | "InvalidInputException" | "OSError" | "FileNotFoundError":
                raise DataDamaged([str(given.facts.id)])
        raise PolicyFailed(str(given.facts.id))

    def _look(self, folder: Path) -> None:
        """Learn the copies that an earlier process left in `folder`, once; unfinished ones are removed."""
        if folder in self._seen:
            return
        self._seen.add(folder)
        for path in folder.glob("*/*"):
            sealed = path.with_suffix(_SUM)
            if path.suffix == ".parquet" and sealed.is_file():
                facts = path.stat()
                age = max(0.0, time.time() - facts.st_atime)
                self._known[path] = Copy(path, facts.st_size, time.monotonic() - age, sealed.read_text())
            elif path.suffix != _SUM or not path.with_suffix(".parquet").is_file():
                path.unlink(missing_ok=True)

    def _shrink(self, folder: Path, keep: Path) -> None:
        mine = [copy for copy in self._known.values() if copy.path.parent.parent == folder]
        total = sum(copy.size for copy in mine)
        for copy in sorted(mine, key=lambda copy: copy.used):
            if total <= self._settings.copy_bytes:
                return
            if copy.path != keep:
                total -= copy.size
                self._remove(copy.path)

    def _remove(self, path: Path) -> None:
        self._known.pop(path, None)
        self._evicted(path)
        self.whole.gone(path)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            path.with_suffix(_SUM).unlink(missing_ok=True)

    def drop(self, copies: Path, table: TableId | None = None) -> int:
        """Remove the copies of `table`, or all of a home: called when a grant or policy goes. The number removed."""
        self._look(copies)
        folder = None if table is None else f"{table.product.name}.v{table.major}.{table.table}"
        gone = [
            path
            for path in self._known
            if path.parent.parent == copies and (folder is None or path.parent.name == folder)
        ]
        for path in gone:
            self._remove(path)
        return len(gone)

    async def close(self) -> None:
        """Stop what is being made; unfinished files are removed."""
        tasks: list[Awaitable[Path]] = list(self._making.values())
        for task in self._making.values():
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.whole.close()


def _sealed(part: Path, seal: Path) -> tuple[int, str]:
    """Make a finished copy durable, and its checksum beside it; its size in bytes and the checksum."""
    with part.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        os.fsync(opened.fileno())
        size = opened.tell()
    seal.write_text(digest)
    return size, digest
