"""What goes on reading in a home: nothing that it may still open is deleted before it ends."""

from __future__ import annotations

import threading
from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """A moment of a sweep: `epoch` counts such moments, `oldest` is when the longest reader began."""

    epoch: int
    oldest: int


class Reads:
    """Readers and builds that go on, each with the moment of its begin; shared by the homes of a node."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._epoch = 1
        self._number = 0
        self._active: dict[int, int] = {}
        self._unnamed: dict[Hashable, dict[Hashable, int]] = {}

    def begin(self) -> int:
        """Note that a reader begins, before it learns any name; returns what `end` takes."""
        with self._lock:
            self._number += 1
            self._active[self._number] = self._epoch
            return self._number

    def end(self, reader: int) -> None:
        """Note that a reader has ended; twice is harmless."""
        with self._lock:
            self._active.pop(reader, None)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Note a reader for the time of the block."""
        reader = self.begin()
        try:
            yield
        finally:
            self.end(reader)

    def look(self) -> Look:
        """A moment after which nobody who begins can learn a name that is gone by then."""
        with self._lock:
            epoch, self._epoch = self._epoch, self._epoch + 1
            return Look(epoch, min(self._active.values(), default=self._epoch))

    def free(self, home: Hashable, look: Look, unnamed: Collection[Hashable]) -> set[Hashable]:
        """Those of `unnamed` that nobody who still reads can have learnt of; the others wait for a later look.

        `unnamed` must have been listed before `look`, and found without a name after it.
        """
        with self._lock:
            known = self._unnamed.get(home, {})
            seen = {one: known.get(one, look.epoch) for one in unnamed}
            free = {one for one, epoch in seen.items() if epoch < look.oldest}
            self._unnamed[home] = {one: epoch for one, epoch in seen.items() if one not in free}
            return free
