"""Where rows of a remote source land: Parquet files in the reading's own folder, written as they come."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.engine.sources import Scan, Since, Source, Wanted
from hanse.engine.sources.errors import SourceBadOption, SourceChanged, SourceTooLarge
from hanse.names import literal, nearest, quote

if TYPE_CHECKING:
    import pyarrow as pa

FILE = "part-0.parquet"
_GROUP = 122_880
_TIMES = ("DATE", "TIMESTAMP")


def landed(source: Source, folder: Path, rows: int, columns: Mapping[str, str] | None = None) -> Scan:
    """The scan of what was written to FILE in `folder`."""
    file = folder / FILE
    return Scan(source.name, f"read_parquet([{literal(str(file))}])", (file,), rows, columns)


def write(source: Source, schema: pa.Schema, batches: Iterable[pa.RecordBatch], folder: Path) -> int:
    """Write `batches` to FILE in `folder` and count their rows; a few batches are held at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    plain = pa.schema([field.with_type(_plain(field.type)).remove_metadata() for field in schema])
    rows = 0
    try:
        with pq.ParquetWriter(folder / FILE, plain, compression="lz4") as writer:
            held: list[pa.RecordBatch] = []
            size = 0
            for batch in batches:
                rows += batch.num_rows
                size += batch.num_rows
                held.append(_cast(batch, plain))
                if size >= _GROUP:
                    writer.write_table(pa.Table.from_batches(held, plain), row_group_size=size)
                    held, size = [], 0
            if held:
                writer.write_table(pa.Table.from_batches(held, plain), row_group_size=max(size, 1))
    except OSError as error:
        if error.errno in (errno.EFBIG, errno.ENOSPC) or "too large" in str(error):
            raise too_large(source) from None
        raise
    return rows


def too_large(source: Source) -> SourceTooLarge:
    """What was read passed the bound, or the disk is full."""
    return SourceTooLarge(
        f"source {source.name!r} gave more than the node may keep, or the disk is full",
        where=str(source.place),
        mend="read fewer columns or rows, or have the operator raise limits.source_mib",
    )


def _plain(type_: pa.DataType) -> pa.DataType:
    """The type as Parquet has it: an extension's storage, a dictionary's values."""
    import pyarrow as pa

    if isinstance(type_, pa.BaseExtensionType):
        return type_.storage_type
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def _cast(batch: pa.RecordBatch, plain: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = []
    for column, field in zip(batch.columns, plain, strict=True):
        kept = column.storage if isinstance(column, pa.ExtensionArray) else column
        columns.append(kept if kept.type == field.type else kept.cast(field.type))
    return pa.record_batch(columns, schema=plain)


def chosen(source: Source, columns: Mapping[str, str], wanted: Wanted) -> list[str]:
    """The columns to read of those that the source has; raises `SourceChanged` when it is not as `columns` says.

    `columns:` of the source in build.yaml says what is expected: column → SQL type.
    """
    expected = source.options.get("columns")
    if expected is not None:
        if not isinstance(expected, Mapping) or not all(isinstance(type_, str) for type_ in expected.values()):
            raise SourceBadOption(
                f"source {source.name!r}: columns maps columns to SQL types",
                where=str(source.place),
                mend="write columns: {id: BIGINT, …}",
            )
        for name, type_ in expected.items():
            _as_expected(source, columns, str(name), type_)
    if wanted.since is not None:
        require(source, columns, wanted.since.column)
    return wanted.of(columns)


def require(source: Source, columns: Mapping[str, str], name: str) -> None:
    """Raise `SourceChanged` when the source has no column `name`."""
    if not any(column.lower() == name.lower() for column in columns):
        raise _gone(source, columns, name)


def _as_expected(source: Source, columns: Mapping[str, str], name: str, type_: str) -> None:
    found = next((has for column, has in columns.items() if column.lower() == name.lower()), None)
    if found is None:
        raise _gone(source, columns, name)
    if _same(found) != _same(type_):
        raise SourceChanged(
            f"source {source.name!r}: column {name!r} is {found} now, build.yaml expects {type_}",
            where=str(source.place),
            mend=f"write {name}: {found} there, and mend the transform where it counts on {type_}",
        )


def _gone(source: Source, columns: Iterable[str], name: str) -> SourceChanged:
    near = nearest(name, columns)
    return SourceChanged(
        f"source {source.name!r} has no column {name[:100]!r} any more",
        where=str(source.place),
        mend=f"nearest: {', '.join(near)}" if near else f"it has: {', '.join(list(columns)[:20])}",
    )


_SYNONYMS = {
    "INT": "INTEGER", "INT4": "INTEGER", "INT8": "BIGINT", "INT2": "SMALLINT", "TEXT": "VARCHAR", "STRING": "VARCHAR",
    "FLOAT8": "DOUBLE", "FLOAT4": "FLOAT", "REAL": "FLOAT", "BOOL": "BOOLEAN",
    "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE", "NUMERIC": "DECIMAL", "DATETIME": "TIMESTAMP", "BYTEA": "BLOB",
}  # fmt: skip


def _same(type_: str) -> str:
    """A type's one spelling."""
    text = " ".join(type_.upper().replace("(", " (").split())
    head, bracket, rest = text.partition(" (")
    return _SYNONYMS.get(head, head) + (bracket + rest).replace(" ", "")


def bound(source: Source, since: Since, columns: Mapping[str, str]) -> str:
    """`since` as a condition in SQL, in the column's own type, so that whoever holds the rows can apply it."""
    name, type_ = next((c, t) for c, t in columns.items() if c.lower() == since.column.lower())
    kind = type_.upper()
    if not kind.startswith(_TIMES):
        raise SourceBadOption(
            f"source {source.name!r}: the window's column {name!r} is {type_}, not a time",
            where=str(source.place),
            mend="write window: with a column of type date or timestamp",
        )
    moment = since.moment
    if kind == "DATE":
        day = moment.date() if isinstance(moment, datetime) else moment
        return f"{quote(name)} >= DATE {literal(day.isoformat())}"
    instant = moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    if kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"):
        return f"{quote(name)} >= TIMESTAMPTZ {literal(instant.isoformat(' '))}"
    return f"{quote(name)} >= TIMESTAMP {literal(instant.replace(tzinfo=None).isoformat(' '))}"


def select(names: Iterable[str], origin: str, condition: str | None, rows: int | None) -> str:
    """One SELECT of `names`."""
    text = f"SELECT {', '.join(quote(name) for name in names)} FROM {origin}"
    text += f" WHERE {condition}" if condition else ""
    return text + (f" LIMIT {rows}" if rows is not None else "")
