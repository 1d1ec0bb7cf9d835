"""Words that look like a mistyped one, out of very many."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

_ALIKE = 0.7  # of difflib's ratio, from 0 to 1
_LONGEST = 64


class Spelling:
    """All words that are known. What they share with a mistyped one is counted by letter before it is compared."""

    def __init__(self, known: Iterable[str]) -> None:
        self._by_length: dict[int, list[tuple[int, str]]] = {}
        for word in known:
            if len(word) <= _LONGEST and not word.isdigit():
                self._by_length.setdefault(len(word), []).append((_letters(word), word))

    def near(self, word: str) -> list[str]:
        """Every known word that looks like `word`, best first."""
        if len(word) > _LONGEST:
            return []
        own = _letters(word)
        slips = max(1, round(len(word) * 0.4))
        matcher = SequenceMatcher(b=word, autojunk=False)
        found: list[tuple[float, str]] = []
        for length in range(max(1, len(word) - slips), len(word) + slips + 1):
            for letters, other in self._by_length.get(length, ()):
                if (letters ^ own).bit_count() > slips + 1:
                    continue
                matcher.set_seq1(other)
                if matcher.quick_ratio() >= _ALIKE and (ratio := matcher.ratio()) >= _ALIKE:
                    found.append((-ratio, other))
        return [other for _, other in sorted(found)]


def _letters(word: str) -> int:
    """The letters of a word as bits, whatever their order and number."""
    bits = 0
    for letter in word:
        bits |= 1 << (ord(letter) & 63)
    return bits
