"""The engine as the node sees it: gated statements in, governed Arrow out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hanse.engine import gate
from hanse.engine.answer import Answer
from hanse.engine.errors import DataDamaged, MemoryLimit, NotAllowed, ReaderTooSlow, TimeLimit, WorkerLost
from hanse.engine.gate import Gated, Reference, Scan
from hanse.engine.parameters import Parameters, fitting, packed
from hanse.engine.refusals import told
from hanse.engine.relations.choose import Relation, Relations
from hanse.engine.relations.copies import Copies
from hanse.engine.relations.inputs import Input, SourceInput
from hanse.engine.relations.policy import visible
from hanse.engine.settings import EngineSettings, Limits
from hanse.engine.sources import Given, Source, Wanted
from hanse.engine.worker.frames import Closed, Frame, message
from hanse.engine.worker.pool import Pool
from hanse.engine.worker.process import Process, Zygote, ask
from hanse.errors import HanseError
from hanse.names import TableId

_WHOLE = 256 * 1024  # an answer up to this size is read before it is handed out, which frees its worker

__all__ = ["Engine", "Input", "SourceInput"]


class Engine:
    """Runs gated statements over relations. One a node; `start` before the first question, `close` at the end."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self._zygote = Zygote()
        self._pool = Pool(settings, self._zygote)
        self._copies = Copies(settings, self._zygote, self._forget)
        self._relations = Relations(settings, self._copies)
        self._started: asyncio.Task[None] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    @property
    def zygote(self) -> Zygote:
        """What a transform's process is forked of."""
        return self._zygote

    async def start(self) -> None:
        """Start the zygote and the first worker; awaiting twice is harmless."""
        if self._started is None:
            self.loop = asyncio.get_running_loop()
            self._started = asyncio.create_task(self._start())
        await asyncio.shield(self._started)

    async def _start(self) -> None:
        await asyncio.to_thread(self._zygote.start)
        await self._pool.start()

    async def close(self) -> None:
        """End every process that was started."""
        if self._started is not None:
            await asyncio.gather(self._started, return_exceptions=True)
        await self._relations.close()
        await self._copies.close()
        await self._pool.close()
        await asyncio.to_thread(self._zygote.stop)

    async def gate(self, sql: str, parameters: Parameters | None = None) -> Gated:
        """Gate a statement: a short one here, a long one in a gate process. Raises as `hanse.engine.gate.check`."""
        if len(sql) <= gate.INLINE or len(sql) > gate.LONGEST:
            return gate.check(sql, parameters)
        await self.start()
        try:
            process = await self._zygote.fork("gate", {})
            try:
                async with asyncio.timeout(10):
                    kind, said = await ask(process, Frame.GATE, {"sql": sql})
            finally:
                process.kill()
        except (TimeoutError, Closed):
            raise NotAllowed("the statement is too complex to be read", mend="split it, or bind lists") from None
        if kind is Frame.ERROR:
            raise _revived(said)
        gated = _gated(said)
        if parameters is not None:
            fitting(gated.parameters, parameters)
        return gated

    async def run(
        self,
        gated: Gated,
        inputs: Sequence[Input | SourceInput],
        parameters: Parameters | None = None,
        *,
        limits: Limits | None = None,
        caller: str = "",
    ) -> Answer:
        """Run `gated` over `inputs`, one for each of its references.

        Raises the query errors of `hanse.engine.errors`; once an answer is handed out, they come from its batches.
        """
        await self.start()
        limits = limits or self.settings.limits
        values = {name: packed(value) for name, value in fitting(gated.parameters, parameters).items()}
        stream = True
        for attempt in (1, 2):
            relations = await self._relations.of(gated, inputs, stream=stream)
            try:
                return await self._run(gated, inputs, relations, values=values, limits=limits, caller=caller)
            except DataDamaged:
                # a copy may have been evicted under a kept engine: made again, once
                gone = [r.copy for r in relations if r.copy is not None and not r.copy.exists()]
                if attempt == 2 or not gone:
                    raise
            except MemoryLimit:
                # what the trusted reader handed over takes of the worker's memory, a copy does not
                if attempt == 2 or not any(r.stream for r in relations):
                    raise
                stream = False
            finally:
                self._relations.ended(relations)
        raise AssertionError("unreachable")

    async def _run(
        self,
        gated: Gated,
        inputs: Sequence[Input | SourceInput],
        relations: Sequence[Relation],
        *,
        values: dict[str, Any],
        limits: Limits,
        caller: str,
    ) -> Answer:
        key = tuple(relation.key for relation in relations)
        process = await self._pool.acquire(key, caller)
        stream = _Stream(self._pool, process, caller, limits, lambda said: self._told(said, gated, inputs, limits))
        # what was streamed for one question is of no use to the next, and its memory is
        stream.keeps = not any(relation.stream for relation in relations)
        try:
            seconds = limits.wall_seconds * self.settings.threads + 2
            request = b""
            if process.key is None:
                process.key = key
                request = message(
                    Frame.OPEN,
                    {
                        "relations": [relation.as_request() for relation in relations],
                        "files": [file for relation in relations for file in relation.files],
                        "cpu_seconds": seconds,
                    },
                )
            request += message(
                Frame.RUN,
                {
                    "sql": gated.sql,
                    "parameters": values,
                    "rows": limits.rows,
                    "reply_bytes": limits.reply_bytes,
                    "cpu_seconds": seconds,
                },
            )
            await stream.ask(request)
            schema = await stream.next()
            assert schema is not None
            held: list[bytes | bytearray] = []
            size = 0
            while size < _WHOLE:
                body = await stream.next()
                if body is None:
                    break
                held.append(body)
                size += len(body)
        except BaseException:
            stream.stop()
            raise
        following = None if stream.ended else stream
        kinds = {".".join(relation.called): relation.kind for relation in relations}
        return Answer(schema, held, following, stream.facts, kinds)

    def _told(
        self, said: dict[str, Any], gated: Gated, inputs: Sequence[Input | SourceInput], limits: Limits
    ) -> HanseError:
        tables = [given for given in inputs if isinstance(given, Input)]
        columns = [column.name for given in tables for column in visible(given)]
        return told(said, gated, columns, [str(given.facts.id) for given in tables], limits)

    def read(
        self,
        gated: Gated,
        inputs: Sequence[Input | SourceInput],
        parameters: Parameters | None = None,
        *,
        limits: Limits | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        caller: str = "",
    ) -> Any:
        """`run` for another thread than the event loop's: a `pyarrow.RecordBatchReader`."""
        import pyarrow as pa

        loop = loop or self.loop
        assert loop is not None, "start the engine first"
        answer = asyncio.run_coroutine_threadsafe(
            self.run(gated, inputs, parameters, limits=limits, caller=caller), loop
        ).result()
        batches = answer.batches()

        async def following() -> Any:
            return await anext(batches, None)

        def each() -> Iterator[Any]:
            try:
                while True:
                    batch = asyncio.run_coroutine_threadsafe(following(), loop).result()
                    if batch is None:
                        return
                    yield batch
            finally:
                # not awaited: a reader may be dropped in the event loop's own thread
                asyncio.run_coroutine_threadsafe(answer.cancel(), loop)

        return pa.RecordBatchReader.from_batches(answer.schema, each())

    async def source(self, what: str, source: Source, given: Given, wanted: Wanted, folder: Path) -> Any:
        """Do `what` (scan, fingerprint or check) with a source that lies elsewhere, in a process of its own."""
        from hanse.engine.sources import apart

        await self.start()
        return await apart.run(self._zygote, what, source, given, wanted, folder)

    def drop_copies(self, copies: Path, table: TableId | None = None) -> int:
        """Remove the governed copies of a table (or a home), and the engines that hold them: after a revocation.

        Safe from any thread; the number removed.
        """
        loop = self.loop
        if loop is None or loop.is_closed() or _is_running(loop):
            return self._copies.drop(copies, table)

        async def drop() -> int:
            return self._copies.drop(copies, table)

        return asyncio.run_coroutine_threadsafe(drop(), loop).result()

    def _forget(self, path: Path) -> None:
        held = str(path)
        self._pool.drop(lambda key: any(held in part for part in key))

    @property
    def processes(self) -> tuple[int, ...]:
        """The process ids of the workers."""
        return self._pool.processes


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this very thread runs `loop`, or nothing does."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return not loop.is_running()


class _Stream:
    """The frames of one answer; gives its worker back at the end, ends it after an error, limit or cancel."""

    def __init__(self, pool: Pool, process: Process, caller: str, limits: Limits, told: Any) -> None:
        self._pool, self._process, self._caller, self._limits, self._told = pool, process, caller, limits, told
        self._left = limits.wall_seconds
        self._stall: asyncio.TimerHandle | None = None
        self._stalled = False
        self.keeps = True  # the worker, after the end
        self.ended = False
        self.facts: dict[str, Any] = {}

    async def ask(self, request: bytes) -> None:
        try:
            await self._process.send(request)
        except Closed:
            self.stop()
            raise WorkerLost from None

    async def __call__(self) -> bytes | bytearray | None:
        return await self.next()

    async def next(self) -> bytes | bytearray | None:
        """The next schema or batch message; None at the end. Counts only the time that the worker takes."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self._stalled:
            raise ReaderTooSlow(self._limits.stall_seconds)
        if self.ended:
            return None
        since = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, self._left)):
                kind, body = await self._process.receive()
        except TimeoutError:
            self.stop()
            raise TimeLimit(self._limits.wall_seconds) from None
        except Closed:
            self.stop()
            raise WorkerLost from None
        except BaseException:
            self.stop()
            raise
        self._left -= time.monotonic() - since
        match kind:
            case Frame.SCHEMA | Frame.BATCH:
                self._stall = asyncio.get_running_loop().call_later(self._limits.stall_seconds, self._slow)
                return body
            case Frame.END:
                self.facts.update(json.loads(body))
                self._end(reuse=self.keeps)
                return None
        self.stop()
        said = json.loads(body) if kind is Frame.ERROR else {"class": ""}
        raise self._told(said)

    def _slow(self) -> None:
        self._stalled = True
        self.stop()

    def stop(self) -> None:
        """End the worker, if it still works for this answer."""
        self._end(reuse=False)

    def _end(self, *, reuse: bool) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if not self.ended:
            self.ended = True
            self._pool.release(self._process, self._caller, reuse=reuse)


def _gated(said: dict[str, Any]) -> Gated:
    def reference(found: dict[str, Any]) -> Reference:
        moment = found["timestamp"]
        return Reference(
            tuple(found["parts"]),
            found["version"],
            datetime.fromisoformat(moment) if moment else None,
            tuple(found["called"]),
        )

    return Gated(
        said["sql"],
        said["kind"],
        tuple(reference(found) for found in said["references"]),
        subject=reference(said["subject"]) if said["subject"] else None,
        parameters=frozenset(said["parameters"]),
        identifiers=None if said["identifiers"] is None else frozenset(said["identifiers"]),
        columns=tuple((tuple(names), offset) for names, offset in said["columns"]),
        named=tuple(Scan(tuple(found["called"]), found["alias"]) for found in said["named"]),
        scans=tuple(Scan(tuple(found["called"]), found["alias"]) for found in said["scans"]),
        show=said["show"],
        text=said["text"],
    )


def _revived(said: dict[str, Any]) -> HanseError:
    """An error of the gate process, as the error it is."""
    from hanse.engine import errors

    class_ = getattr(errors, said["class"], NotAllowed)
    error: HanseError = class_.__new__(class_)
    HanseError.__init__(
        error, said["detail"], mend=said.get("mend", ""), why=said.get("why", ""), where=said.get("where", "")
    )
    return error
