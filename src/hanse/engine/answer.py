"""An answer as it streams: Arrow messages, passed through undecoded, with what it cost once it ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


class Answer:
    """What a question gives: `schema`, then batches. A small one is whole before it is handed out.

    `rows`, `bytes_out`, `cpu_seconds` are known after the end; `relations` tells the kind used for each table.
    """

    def __init__(
        self,
        schema: bytes | bytearray,
        batches: list[bytes | bytearray],
        following: Callable[[], Awaitable[bytes | bytearray | None]] | None,
        facts: dict[str, Any],
        relations: Mapping[str, str],
    ) -> None:
        self.schema_message, self._held, self._following, self._facts = schema, batches, following, facts
        self.relations = dict(relations)
        self.facts: dict[str, Any] = {}  # what the step adds: publications, policies, deprecations
        self._schema: Any = None
        self._on_end: list[Callable[[BaseException | None], Awaitable[None]]] = []
        self._guard: Callable[[], None] | None = None
        self._ended = False

    @property
    def schema(self) -> Any:
        """The `pyarrow.Schema`."""
        if self._schema is None:
            import pyarrow as pa

            self._schema = pa.ipc.read_schema(pa.py_buffer(self.schema_message))
        return self._schema

    @property
    def rows(self) -> int:
        return int(self._facts.get("rows", 0))

    @property
    def bytes_out(self) -> int:
        return int(self._facts.get("bytes", 0))

    @property
    def cpu_seconds(self) -> float:
        return float(self._facts.get("cpu", 0.0))

    @property
    def is_whole(self) -> bool:
        """Whether no process works for it any more."""
        return self._following is None

    def at_end(self, call: Callable[[BaseException | None], Awaitable[None]]) -> None:
        """Have `call` awaited once, when the answer has ended: with the error that ended it, or None."""
        self._on_end.append(call)

    def guarded(self, check: Callable[[], None]) -> None:
        """Call `check` before each batch that is still to come; what it raises ends the answer (a revoked grant)."""
        self._guard = check

    async def messages(self) -> AsyncIterator[bytes | bytearray]:
        """The record batches, one IPC message each; raises what stopped the question, never ends short."""
        failure: BaseException | None = None
        try:
            for held in self._held:
                yield held
            self._held = []
            while self._following is not None:
                if self._guard is not None:
                    self._guard()
                body = await self._following()
                if body is None:
                    self._following = None
                    break
                yield body
        except BaseException as error:
            failure = error
            raise
        finally:
            await self._finish(failure)

    async def ipc(self) -> AsyncIterator[bytes | bytearray]:
        """The whole answer as the bytes of one Arrow IPC stream."""
        yield self.schema_message
        async for body in self.messages():
            yield body
        yield _END_OF_STREAM

    async def batches(self) -> AsyncIterator[Any]:
        """The answer as `pyarrow.RecordBatch` values."""
        import pyarrow as pa

        async for body in self.messages():
            yield pa.ipc.read_record_batch(pa.py_buffer(body), self.schema)

    async def table(self) -> Any:
        """The whole answer as a `pyarrow.Table`, held in memory."""
        import pyarrow as pa

        return pa.Table.from_batches([batch async for batch in self.batches()], self.schema)

    async def cancel(self) -> None:
        """Stop the question; safe to call at any time, also after the end."""
        self._held = []
        following, self._following = self._following, None
        stop = getattr(following, "stop", None)
        if stop is not None:
            stop()
        await self._finish(Cancelled())

    async def _finish(self, failure: BaseException | None) -> None:
        if self._ended:
            return
        self._ended = True
        following, self._following = self._following, None
        stop = getattr(following, "stop", None)
        if stop is not None:
            stop()
        for call in self._on_end:
            await call(failure)


class Cancelled(Exception):
    """The caller went away before the end."""


def whole(table: Any, relations: Mapping[str, str] | None = None) -> Answer:
    """An answer of a `pyarrow.Table` that hanse made itself."""
    batches = [batch.serialize().to_pybytes() for batch in table.to_batches()]
    facts = {"rows": table.num_rows, "bytes": sum(map(len, batches)), "cpu": 0.0}
    return Answer(table.schema.serialize().to_pybytes(), batches, None, facts, relations or {})


__all__ = ["Answer", "Cancelled", "whole"]
