"""The nearest names, looked for only as long as that helps: a file full of mistakes cannot buy our time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from hanse.names import nearest

_LOOKUPS = 200
_NAMES = 1000
_LONGEST = 100


@dataclass(slots=True)
class Near:
    """Finds the names most like a word, for the first 200 words that are asked for; then nothing."""

    left: int = _LOOKUPS

    def __call__(self, word: str, known: Iterable[str], most: int = 3) -> list[str]:
        """The known names most like `word`, best first; at most 1000 of them are looked at."""
        if self.left == 0:
            return []
        self.left -= 1
        return nearest(word[:_LONGEST], islice(known, _NAMES), most)
