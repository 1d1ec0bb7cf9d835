"""Sources: what a build may read besides products. Plug-ins of `hanse.sources` turn a name into a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hanse import plugins
from hanse.errors import HanseError, Kind, code
from hanse.names import nearest
from hanse.spec.model import Source

GROUP = "hanse.sources"


class SourceMissing(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "build.source-missing",
        Kind.NOT_FOUND,
        "A source's file is not there",
        "Relative paths are resolved on the node, below the roots that its operator listed.",
        "Mend the path in build.yaml, or put the file there.",
    )


class SourceOutsideRoot(HanseError):
    kind = Kind.DENIED
    code = code(
        "build.source-outside-root",
        Kind.DENIED,
        "A source lies outside the roots that the operator listed",
        "A build reads files only below those folders; links are followed only while they stay inside.",
        "Move the file, or have the operator add its folder to `roots` in .hanse/node.yaml.",
    )


class SourceUnreadable(HanseError):
    kind = Kind.INVALID
    code = code(
        "build.source-unreadable",
        Kind.INVALID,
        "A source's file cannot be read as what it is said to be",
        "The file is damaged or of another format, or its rows do not match what was found at its start.",
        "Mend the file, or state its format and options in build.yaml.",
    )


class SourceBadOption(HanseError):
    kind = Kind.INVALID
    code = code(
        "build.source-option",
        Kind.INVALID,
        "A source is described with something its kind does not have",
        "Each kind of source has its own options.",
        "`hanse explain build.source-option`; the message names the options that exist.",
    )


@dataclass(frozen=True, slots=True)
class Scan:
    """How to read a source now: `scan` is one DuckDB table-function call over `files`, which are real paths."""

    name: str
    scan: str
    files: tuple[Path, ...]


class Reader(Protocol):
    """A kind of source."""

    def scan(self, source: Source, roots: Sequence[Path], base: Path) -> Scan:
        """Resolve `source` (relative paths from `base`) below `roots`; raises the errors above, opens no file."""

    def fingerprint(self, source: Source, roots: Sequence[Path], base: Path) -> str:
        """A text that changes when the data does; cheap, and without importing an engine."""


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
