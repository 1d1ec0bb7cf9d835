"""Write Parquet files from a stream in bounded memory, with size, checksum and Iceberg's statistics."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanse.engine.storage.durable import NotDurable

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 122_880  # rows: DuckDB's own, one unit of work for a thread of a reader
_GROUP_BYTES = 256 << 20  # a wide row group is cut earlier, so that memory stays bounded
_FILE_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """A finished Parquet file and its footer."""

    path: Path
    size: int
    sha256: str
    rows: int
    footer: Any  # pyarrow.parquet.FileMetaData


class _Hashing:
    """A binary file that hashes what is written to it; Parquet is written from first byte to last."""

    def __init__(self, file: RawIOBase) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        self._hash.update(data)
        try:
            count = self._whole(memoryview(data))
        except OSError as error:
            raise NotDurable("a data file", error.strerror or type(error).__name__) from error
        self.size += count
        return count

    def _whole(self, data: memoryview) -> int:
        """Write all of `data`: a raw file may take less at once."""
        left = data.cast("B")
        while left.nbytes:
            left = left[self._file.write(left) :]
        return data.nbytes

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    @property
    def closed(self) -> bool:
        return self._file.closed

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def write_files(batches: Iterator[pa.RecordBatch], schema: pa.Schema, folder: Path, schema_id: int) -> list[Written]:
    """Write `batches` (already of `schema`) below `folder`; on any failure nothing of it is left behind.

    A file's name begins with the id of its schema: `scan_sql` reads by name what was written under the same one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Written] = []
    begun: list[Path] = []
    try:
        groups = _groups(batches, schema)
        group = next(groups, None)
        while group is not None:
            path = folder / f"{schema_id}-{uuid.uuid4()}.parquet"
            begun.append(path)
            group = _write_file(path, schema, group, groups, written)
    except BaseException:
        for path in begun:
            path.unlink(missing_ok=True)
        raise
    return written


def _write_file(
    path: Path, schema: pa.Schema, group: pa.Table, groups: Iterator[pa.Table], written: list[Written]
) -> pa.Table | None:
    """One file of groups up to the file size; the group that no longer fits begins the next."""
    import pyarrow.parquet as pq

    following: pa.Table | None = group
    # unbuffered: a full disk is met in `write`, where it is told, and not at the end
    with path.open("xb", buffering=0) as raw:
        sink = _Hashing(raw)
        with pq.ParquetWriter(
            sink,  # type: ignore[arg-type,unused-ignore]
            schema,
            compression="zstd",
            compression_level=1,  # a third less work than level 3 for files of the same size
            write_statistics=True,
            store_schema=False,
            write_page_index=False,
        ) as writer:
            rows = 0
            while following is not None and sink.size < _FILE_BYTES:
                writer.write_table(following, row_group_size=ROW_GROUP)
                rows += following.num_rows
                following = next(groups, None)
    footer = pq.read_metadata(path)
    written.append(Written(path, sink.size, sink.sha256, rows, footer))
    return following


def _groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Batches gathered into tables of one row group each."""
    import pyarrow as pa

    kept: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        while batch.num_rows:
            room = ROW_GROUP - rows
            head, batch = batch.slice(0, room), batch.slice(room)
            kept.append(head)
            rows += head.num_rows
            size += head.nbytes
            if rows == ROW_GROUP or size >= _GROUP_BYTES:
                yield pa.Table.from_batches(kept, schema=schema)
                kept, rows, size = [], 0, 0
    if kept:
        yield pa.Table.from_batches(kept, schema=schema)
