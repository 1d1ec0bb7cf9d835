"""When is there nothing to do: a table's fingerprint is a hash over everything that could make it different."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from hanse.engine.snapshot import LineSnapshot
from hanse.engine.storage import STORAGE_VERSION
from hanse.spec.model import Table, Transform


def table_fingerprint(
    transform: Transform, table: Table, inputs: Mapping[str, str], sources: Mapping[str, str], limits: Any = None
) -> str:
    """The fingerprint of what `transform` would make of `table` now.

    `inputs` maps an input's address to its snapshot and decision, `sources` a source's name to its fingerprint.
    """
    told = {
        "storage": STORAGE_VERSION,
        "language": transform.language,
        "function": transform.function,
        "code": transform.code,
        "given": {name: list(columns) for name, columns in transform.inputs.items()},
        "mode": [transform.mode, transform.by, transform.time_column, transform.late_seconds],
        "columns": [[column.name, repr(column.type), column.required, column.primary_key] for column in table.columns],
        "inputs": dict(sorted(inputs.items())),
        "sources": dict(sorted(sources.items())),
        "limits": limits,
    }
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def line_fingerprint(tables: Iterable[tuple[str, str]]) -> str:
    """A port line's fingerprint: each of its tables with its own, readable back by `of_table`."""
    return ",".join(f"{table}={fingerprint}" for table, fingerprint in sorted(tables))


SAMPLE = "sample."  # how the fingerprint of a table begins that was made of a part of its rows


def is_sample(line: LineSnapshot) -> bool:
    """Whether a table of `line` was made of a part of its rows only."""
    return any((of_table(line, table) or "").startswith(SAMPLE) for table in line.tables)


def of_table(line: LineSnapshot | None, table: str) -> str | None:
    """The fingerprint that `table` was built with, or None when `line` does not hold it."""
    if line is None or table not in line.tables:
        return None
    for part in line.fingerprint.split(","):
        name, _, fingerprint = part.partition("=")
        if name == table:
            return fingerprint
    return None
