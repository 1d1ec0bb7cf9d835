"""Merge the small files of increments as they are staged: a scan meets few files however many increments there were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.engine.errors import DataDamaged
from hanse.engine.snapshot import DataFile, StoredColumn, TableSnapshot
from hanse.engine.storage.durable import is_whole
from hanse.engine.storage.scan import scan_sql
from hanse.engine.storage.write import Written, write_files

if TYPE_CHECKING:
    import pyarrow as pa

# files of a tier, each with FAN times the rows of the tier below: a row is written log_FAN(increments) times in all,
# and there are fewer than FAN files a tier
FAN = 8
LARGE = 128 << 20  # bytes: a file of this size is not small any more

Stored = Callable[["pa.RecordBatchReader"], Iterator["pa.RecordBatch"]]


def merged(
    warehouse: Path,
    table: TableSnapshot,
    columns: tuple[StoredColumn, ...],
    files: Sequence[DataFile],
    *,
    fields: pa.Schema,
    stored: Stored,
    folder: Path,
    schema_id: int,
) -> tuple[frozenset[str], list[Written]]:
    """The paths of those of `files` that were merged, and the files that now hold their rows; equal data.

    Raises `DataDamaged` when a file is not what was recorded; then nothing is left behind.
    """
    import duckdb

    tiers: dict[int, list[DataFile]] = defaultdict(list)
    for file in files:
        if file.size < LARGE:
            tiers[_tier(file.rows)].append(file)
    small: list[DataFile] = []
    for tier in range(max(tiers, default=-1) + 1):
        # what full tiers below will give counts here, so that every row is written once
        one_more = bool(small) and _tier(sum(file.rows for file in small)) <= tier
        if len(tiers[tier]) + one_more >= FAN:
            small += tiers[tier]
    if not small:
        return frozenset(), []
    for file in small:
        if not is_whole(warehouse / file.path, file):
            raise DataDamaged([table.iceberg_table])
    alone = TableSnapshot(table.table, table.iceberg_table, table.snapshot_id, -1, columns, tuple(small), 0)
    with duckdb.connect() as engine:
        reader = engine.execute(scan_sql(alone, warehouse)).to_arrow_reader()
        return frozenset(file.path for file in small), write_files(stored(reader), fields, folder, schema_id)


def _tier(rows: int) -> int:
    tier = 0
    while rows >= FAN:
        rows //= FAN
        tier += 1
    return tier
