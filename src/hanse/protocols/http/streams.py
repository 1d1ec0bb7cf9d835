"""What streams of events have in common: one look at the homes for all of them, and a bound on those of one caller."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from hanse.errors import HanseError, Kind, code

OF_ONE = 8  # streams that one principal may have
LOOK_SECONDS = 1.0  # each stream asks so often whether something happened
_FRESH_SECONDS = 0.5  # what was seen so long ago is still told to others

Marks = tuple[str | None, ...]


class TooManyStreams(HanseError):
    kind = Kind.UNAVAILABLE
    code = code(
        "events.too-many-streams",
        Kind.UNAVAILABLE,
        "Too many streams of one caller",
        "A stream of events holds a connection, so that each caller may have only some at once.",
        "End one of them, or ask with GET /api/v1/events?after= and the last cursor.",
    )


class Streams:
    """The streams of a node that go on."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()
        self._look: asyncio.Future[Marks] | None = None
        self._at = 0.0

    @contextmanager
    def held(self, who: str) -> Iterator[None]:
        """Count one more stream of `who` while the block runs."""
        self._of[who] += 1
        try:
            yield
        finally:
            self._of[who] -= 1
            if not self._of[who]:
                del self._of[who]

    def check(self, who: str) -> None:
        """Raise `TooManyStreams` when `who` has as many as one may have."""
        if self._of[who] >= OF_ONE:
            raise TooManyStreams(f"{OF_ONE} streams of {who} go on already", mend="end one of them")

    async def marks(self, look: Callable[[], Awaitable[Marks]]) -> Marks:
        """What changes whenever something happened; one `look` answers all who ask at about the same time."""
        now = asyncio.get_running_loop().time()
        if self._look is None or (self._look.done() and now - self._at >= _FRESH_SECONDS):
            self._look, self._at = asyncio.ensure_future(look()), now
        return await asyncio.shield(self._look)
