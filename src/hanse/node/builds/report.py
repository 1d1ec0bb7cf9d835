"""What a build did, table by table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hanse.engine.snapshot import LineSnapshot
from hanse.errors import Finding, Severity
from hanse.names import PortLine, TableId

BUILT, UNCHANGED, FAILED = "built", "unchanged", "failed"


@dataclass(frozen=True, slots=True)
class BuiltTable:
    """One table of a build: `state` is built, unchanged or failed, and `finding` says why it failed.

    `read` is how many rows each source that lies elsewhere handed over.
    """

    table: TableId
    rows: int
    seconds: float
    state: str
    finding: Finding | None = None
    read: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "table": str(self.table),
            "product": str(self.table.product),
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
            "state": self.state,
            "finding": None if self.finding is None else asdict(self.finding),
            "read": dict(self.read),
        }


@dataclass(frozen=True, slots=True)
class BuildReport:
    """A build: its tables in the order they were made, the port lines staged, and what was found on the way."""

    tables: tuple[BuiltTable, ...]
    stages: Mapping[PortLine, LineSnapshot]
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every table is there."""
        return all(table.state != FAILED for table in self.tables)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a publication, sorted."""
        failed = [table.finding for table in self.tables if table.finding is not None]
        return tuple(sorted(f for f in (*failed, *self.findings) if f.severity is Severity.ERROR))

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "hanse.build/1",
            "ok": self.ok,
            "tables": [table.as_json() for table in self.tables],
            "stages": [
                {"line": str(line), "rows": {name: table.rows for name, table in snapshot.tables.items()}}
                for line, snapshot in sorted(self.stages.items())
            ],
            "findings": [asdict(finding) for finding in self.findings],
        }
