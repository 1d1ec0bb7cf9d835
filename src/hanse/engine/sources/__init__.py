"""Sources: what a build may read besides products. Plug-ins of `hanse.sources` turn a name into a scan.

The same call serves everyone who wants rows of a source, wherever it lies:

    given = Given(roots, base, connection, egress)
    scan = reader(source).scan(source, given, Wanted(), folder)
    duckdb.sql(f"SELECT * FROM {scan.scan}")

`scan.scan` reads local files only: a source that lies elsewhere was read into `folder` (empty, the caller's, removed
by the caller) before. To profile `CONNECTION.table`, read `Source(name, connection.kind, {"table": …}, place)`, with
`Wanted(rows=…)` for a bounded part of it. `hanse.node.sources.Sources` does all of this for a domain, with a node or
without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from hanse import plugins
from hanse.engine.sources.egress import Egress
from hanse.engine.sources.errors import (
    SourceBadOption,
    SourceMissing,
    SourceOutsideRoot,
    SourceUnreachable,
    SourceUnreadable,
)
from hanse.names import nearest
from hanse.spec.model import Source

__all__ = [
    "Connection",
    "Given",
    "Reader",
    "Scan",
    "Since",
    "Source",
    "SourceBadOption",
    "SourceMissing",
    "SourceOutsideRoot",
    "SourceUnreachable",
    "SourceUnreadable",
    "Wanted",
    "reader",
]
GROUP = "hanse.sources"
NOWHERE = Egress()
MOST_BYTES = 64 << 30


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection of a domain with its values put in: it holds secrets, so it is never printed and never stored."""

    name: str
    kind: str
    options: Mapping[str, Any] = field(repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def redact(self, text: str) -> str:
        """`text` without any value that came from a variable, should a driver's message repeat one."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) > 2:  # shorter ones hide nothing, and stand in every other word
                text = text.replace(secret, "…")
        return text


@dataclass(frozen=True, slots=True)
class Given:
    """What a source is read with: the operator's roots, egress and limits, and the domain's connection."""

    roots: Sequence[Path]
    base: Path  # relative paths of sources start here
    connection: Connection | None = None
    egress: Egress = NOWHERE
    seconds: float = 30.0  # how long a source may keep the node waiting for its first or next word
    most_bytes: int = MOST_BYTES  # of what is read from elsewhere
    wall_seconds: float = 3600.0  # of one whole reading


@dataclass(frozen=True, slots=True)
class Since:
    """Only rows whose `column` is at or after `moment` are wanted."""

    column: str
    moment: datetime | date


@dataclass(frozen=True, slots=True)
class Wanted:
    """The part of a source that is needed; a reader may give more columns or rows, never fewer."""

    columns: frozenset[str] | None = None  # lowered names; None: all
    since: Since | None = None
    rows: int | None = None  # at most so many, whichever come first

    def of(self, columns: Iterable[str]) -> list[str]:
        """Those of `columns` that are wanted, and at least one, since a scan of none has no rows."""
        known = list(columns)
        needed = set() if self.since is None else {self.since.column.lower()}
        chosen = [c for c in known if self.columns is None or c.lower() in self.columns or c.lower() in needed]
        return chosen or known[:1]


@dataclass(frozen=True, slots=True)
class Scan:
    """How to read a source now: `scan` is one DuckDB table-function call over `files`, which are real paths.

    `rows` is how many rows a source that lies elsewhere handed over; None for files that are read where they are.
    """

    name: str
    scan: str
    files: tuple[Path, ...]
    rows: int | None = None
    columns: Mapping[str, str] | None = None  # all of the source's columns and their types, as it said


class Reader(Protocol):
    """A kind of source. One with a `kind` of connection is `remote`: it runs in a process of its own, with limits."""

    remote: bool

    def scan(self, source: Source, given: Given, wanted: Wanted, folder: Path) -> Scan:
        """Say how to read what is `wanted` of `source`; raises the errors of `hanse.engine.sources.errors`.

        What lies elsewhere is read now, into the empty `folder`, in bounded memory; what lies below the roots is
        only found, not opened.
        """

    def fingerprint(self, source: Source, given: Given) -> str | None:
        """A text that changes when the data does, cheaply; None when that cannot be told, and then it is read."""

    def check(self, given: Given) -> str:
        """Connect to `given.connection` and say in a few words what answered; raises as `scan` does."""


def reader(source: Source) -> Reader:
    """The plug-in that reads sources of this kind; raises `SourceBadOption` naming those installed."""
    try:
        found: Reader = plugins.load(GROUP, source.kind)
    except KeyError:
        known = plugins.names(GROUP)
        near = nearest(source.kind, known) or known
        raise SourceBadOption(
            f"source {source.name!r}: there is no kind {source.kind!r}",
            where=str(source.place),
            mend=f"write kind: {' or '.join(near)}, or install the package that brings {source.kind!r}",
        ) from None
    return found
