"""Why the engine could not read files: in words of ours, for its own may repeat a value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_CSV_LINE, _JSON_LINE = re.compile(r"CSV Error on Line: (\d+)"), re.compile(r" in line (\d+)")
_COLUMN = re.compile(r'converting column "([^"\n]{1,80})"')
ONE_COLUMN = "detect the CSV parsing dialect"  # the engine says so, or takes each row for one value
_MEND, _STATE = "mend the file there", "its format, types or null words"
# a mark in the engine's words (DuckDB 1.5) → what is wrong, how to mend it, what to state of it instead
_KNOWN = (
    ("not utf-8 encoded", "it is not UTF-8", "save it as UTF-8", "encoding:"),
    ("Expected Number of Columns", "the row has another number of columns than the file", _MEND, _STATE),
    (ONE_COLUMN, "its rows are not all alike, or its delimiter is none of , ; | and tab", _MEND,
     "delimiter: or quote:"),
    ("unterminated quote", "a quote is not closed", _MEND, "quote:"),
    ("has duplicate key", "an object names a member twice", _MEND, ""),
    ("Malformed JSON", "it is no well-formed JSON", _MEND, ""),
    ("No magic bytes", "it is no Parquet file, or cut off", _MEND, "format:"),
    ("too small to be a Parquet file", "it is no Parquet file, or cut off", _MEND, "format:"),
    ("Need at least one non-root column", "it has no column", _MEND, ""),
    ("Schema mismatch between globbed files", "not all files have the same columns",
     "give them the same columns", "union_by_name: true"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unreadable:
    """`place` is a file's name and, where it is known, the line in it; to `state` that would help too."""

    place: str
    why: str
    mend: str
    state: str

    @property
    def mend_or_state(self) -> str:
        """How to mend it where a build.yaml describes the files."""
        return f"{self.mend}, or state {self.state} in build.yaml" if self.state else self.mend

    def __str__(self) -> str:
        return f"{self.place} cannot be read: {self.why}"


def unreadable(said: str, files: Sequence[Path]) -> Unreadable:
    """What `said`, the engine's words on `files`, comes to."""
    file = next((path for path in files if str(path) in said), files[0])
    place = file.name
    if line := _CSV_LINE.search(said):
        place += f":{line[1]}"
    elif line := _JSON_LINE.search(said):
        place += f":{int(line[1]) - 1}"  # the engine counts one too many
    if column := _COLUMN.search(said):
        return Unreadable(place, f"column {column[1]!r} does not hold what it is said to hold", _MEND, _STATE)
    for mark, why, mend, state in _KNOWN:
        if mark in said:
            return Unreadable(place, why, mend, state)
    return Unreadable(place, "it is damaged, or of another format", _MEND, _STATE)
