"""What was worked out for a set of tables, remembered for that very set; bounded by what it holds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sized
from typing import Generic, TypeVar

T = TypeVar("T", bound=Sized)
_MOST = 500_000  # parts, over all that is remembered


class Remembered(Generic[T]):
    """Values by the identity of what they were made of: those things never change, they are replaced."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[int, ...], tuple[tuple[object, ...], T]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, make: Callable[[], T], *made_of: object) -> T:
        """What `make` gives, or gave for the very same things."""
        key = tuple(map(id, made_of))
        held = self._held.get(key)  # it keeps them alive, so that their identity stays their own
        if held is not None:
            return held[1]
        value = make()
        with self._lock:
            self._held[key] = (made_of, value)
            while len(self._held) > 1 and sum(len(one) + 1 for _, one in self._held.values()) > _MOST:
                self._held.popitem(last=False)
        return value
