"""The newest time a table holds: where an increment by time goes on."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from hanse.engine.snapshot import TableSnapshot
from hanse.engine.storage.scan import scan_sql
from hanse.names import quote


def latest(warehouse: Path, snapshot: TableSnapshot, column: str) -> datetime | date | None:
    """The greatest value of a time column of `snapshot`; None when it has none."""
    import duckdb

    with duckdb.connect() as engine:
        found = engine.execute(f"SELECT max({quote(column)}) AS t FROM ({scan_sql(snapshot, warehouse)})")
        value = found.to_arrow_table().column(0)[0].as_py()
    return value if isinstance(value, date) else None
