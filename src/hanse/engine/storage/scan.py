"""Read a snapshot with DuckDB by its list of files and field ids: the one text that reads stored data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hanse.engine.snapshot import TableSnapshot
from hanse.names import literal, quote


def scan_sql(snapshot: TableSnapshot, warehouse: Path, columns: Sequence[str] | None = None) -> str:
    """A SELECT over exactly the files of `snapshot`, in its column order or that of `columns` (names as stored).

    Where a file was written under another schema, field ids find its columns; one that it lacks is null.
    """
    stored = {column.name: column for column in snapshot.columns}
    chosen = list(snapshot.columns) if columns is None else [stored[name] for name in columns]
    # a SELECT needs a column: the caller counts rows when it asks for none
    shown = ", ".join(quote(column.name) for column in chosen) or "1"
    if not snapshot.files:
        empty = ", ".join(f"CAST(NULL AS {column.type.sql}) AS {quote(column.name)}" for column in chosen) or "1"
        return f"SELECT {empty} WHERE false"
    files = ", ".join(literal(str(warehouse / file.path)) for file in snapshot.files)
    if all(Path(file.path).name.startswith(f"{snapshot.schema_id}-") for file in snapshot.files):
        # every file was written under this very schema: read by name, for which DuckDB also knows how many rows
        return f"SELECT {shown} FROM read_parquet([{files}])"
    # all columns stand in the map whatever is chosen: DuckDB reads only what the SELECT names
    fields = ", ".join(
        f"{column.field_id}: {{name: {literal(column.name)}, type: {literal(column.type.sql)}, default_value: NULL}}"
        for column in snapshot.columns
    )
    return f"SELECT {shown} FROM read_parquet([{files}], schema = MAP {{{fields}}})"
