"""Data states: the immutable files of a table, and the snapshot of a port line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hanse.spec.types import Type


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of a snapshot; `path` is relative to the home's warehouse, so that a home can move."""

    path: str
    size: int  # bytes
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A top-level column as stored: Iceberg's field id finds it in the files whatever its name was then."""

    name: str
    field_id: int
    type: Type
    required: bool


@dataclass(frozen=True, slots=True)
class TableSnapshot:
    """A data state of one table, immutable. Reading needs these facts only, no Iceberg call."""

    table: str
    iceberg_table: str  # namespace and name in the home's catalogue, dotted
    snapshot_id: int
    schema_id: int
    columns: tuple[StoredColumn, ...]
    files: tuple[DataFile, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class LineSnapshot:
    """A data state of a port line: its tables by name, with the fingerprint of what built it."""

    tables: Mapping[str, TableSnapshot]
    fingerprint: str
