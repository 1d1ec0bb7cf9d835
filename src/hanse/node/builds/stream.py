"""A governed answer as a stream for a build's thread, which notices at once that it was cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

from hanse.errors import HanseError, Kind, code

if TYPE_CHECKING:
    from hanse.engine.engine import Engine
    from hanse.engine.gate import Gated
    from hanse.engine.relations.inputs import Input, SourceInput
    from hanse.engine.settings import Limits

T = TypeVar("T")
_LOOK_SECONDS = 0.1


class BuildCancelled(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "build.cancelled",
        Kind.CONFLICT,
        "The build was cancelled",
        "Nothing half written is left; what was staged before stays as it was.",
        "Run the build again when you want it.",
    )

    def __init__(self) -> None:
        super().__init__("the build was cancelled; nothing of it is left", mend="run it again when you want it")


@contextmanager
def read(
    engine: Engine, gated: Gated, inputs: Sequence[Input | SourceInput], limits: Limits, caller: str, cancelled: Event
) -> Iterator[Any]:
    """The answer to `gated` as a `pyarrow.RecordBatchReader`; its worker is free again at the end, read or not."""
    import pyarrow as pa

    loop = engine.loop
    if loop is None:
        raise RuntimeError("the engine is not started")
    answer = waited(engine.run(gated, inputs, None, limits=limits, caller=caller), loop, cancelled)
    batches = answer.batches()

    async def following() -> Any:
        return await anext(batches, None)

    def each() -> Iterator[Any]:
        while (batch := waited(following(), loop, cancelled)) is not None:
            yield batch

    try:
        yield pa.RecordBatchReader.from_batches(answer.schema, each())
    finally:
        asyncio.run_coroutine_threadsafe(answer.cancel(), loop).result()


def waited(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop, cancelled: Event) -> T:
    """What `work` gives on `loop`, for another thread; raises `BuildCancelled` once `cancelled` is set."""
    future = asyncio.run_coroutine_threadsafe(work, loop)
    while True:
        try:
            return future.result(_LOOK_SECONDS)
        except NotYet:
            if future.done():  # the work itself ran out of time
                raise
            if cancelled.is_set():
                future.cancel()
                raise BuildCancelled from None
