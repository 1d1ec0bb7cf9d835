"""What a question is given: tables with their snapshots and decisions, and sources of a build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from hanse.engine.snapshot import TableSnapshot
from hanse.governance.decision import Decision, TableFacts


@dataclass(frozen=True, slots=True)
class Input:
    """A table under its decision. `name` is how the statement calls it; `reads` are raw tables for row policies.

    `sample` is the part of its rows that is read, in percent; None for all.

    The keys of `reads` are the names as the policies write them, ASCII-lowered.
    """

    name: tuple[str, ...]
    facts: TableFacts
    snapshot: TableSnapshot
    decision: Decision
    warehouse: Path
    copies: Path
    mask_key: bytes = field(repr=False)
    reads: Mapping[tuple[str, ...], Input] = field(default_factory=lambda: MappingProxyType({}))
    sample: float | None = None


@dataclass(frozen=True, slots=True)
class SourceInput:
    """A data source of a build: `scan` is a table-function call made by a plug-in of `hanse.sources`."""

    name: str
    scan: str
    files: tuple[Path, ...]
    sample: float | None = None
