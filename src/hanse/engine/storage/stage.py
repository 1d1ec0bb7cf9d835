"""Stage a table: a snapshot on a branch cut from the published one, that no reader sees until it is published."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.engine.arrow_cast import fitted
from hanse.engine.errors import DataDamaged
from hanse.engine.snapshot import DataFile, StoredColumn, TableSnapshot
from hanse.engine.storage.compact import merged
from hanse.engine.storage.durable import is_whole, table_folder
from hanse.engine.storage.prune import is_before
from hanse.engine.storage.write import Written, write_files
from hanse.errors import HanseError, Kind, code
from hanse.names import TableId, literal, quote
from hanse.spec.model import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table.update import TableUpdate

STORAGE_VERSION = 1  # part of every build fingerprint: data written otherwise is written anew

_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}


class KeysRepeat(HanseError):
    kind = Kind.INVALID
    code = code(
        "build.keys-repeat",
        Kind.INVALID,
        "An increment has the same key twice, or a key that is null",
        "Upsert replaces the row of a key: with two rows of one key it could not say which one stays.",
        "Make the transform give one row a key, and no null in the key's columns.",
    )

    def __init__(self, table: str, keys: Sequence[str], repeated: int, nulls: int) -> None:
        told = [f"{repeated} keys come more than once"] if repeated else []
        told += [f"{nulls} rows have no key"] if nulls else []
        super().__init__(
            f"{table}: " + " and ".join(told) + f" (key: {', '.join(keys)})",
            mend="make the transform give exactly one row a key",
        )


@dataclass(frozen=True, slots=True)
class _Replaced:
    """What an increment makes of the published files: kept as they are, and taken away for a file written anew."""

    kept: tuple[DataFile, ...]
    gone: frozenset[str]  # relative paths
    written: tuple[Written, ...]


def stage(
    warehouse: Path,
    catalog: Path,
    table: TableId,
    contract_table: Table,
    port: str,
    batches: pa.RecordBatchReader,
    *,
    base: TableSnapshot | None,
    mode: str,
    keys: Sequence[str] = (),
    time_column: str | None = None,
    since: datetime | date | None = None,
    branch: str,
) -> TableSnapshot:
    """Write `batches` as the next state of `table` on `branch`, cut from `base`, and return the snapshot.

    `mode` full replaces all rows; upsert replaces the rows of `base` that have the same `keys`; append replaces the
    rows of `base` whose `time_column` is at or after `since` (all of them when `since` is None) and takes none earlier.
    Raises `ValueDoesNotFit`, `ColumnsDiffer`, `TypeDoesNotFit`, `KeysRepeat`; nothing is left behind then.
    """
    from hanse.engine.arrow_types import arrow_schema
    from hanse.engine.storage.catalogue import opened

    if mode not in ("full", "upsert", "append"):
        raise ValueError(f"mode {mode!r} is none of full, upsert, append")
    if base is not None and mode == "upsert" and not keys:
        raise ValueError("upsert needs keys")
    warehouse, catalog = warehouse.absolute(), catalog.absolute()
    name = f"{table.product.domain}.{table.product.name}.{port}_v{table.major}.{table.table}"
    with opened(catalog, warehouse) as iceberg:
        schema = _prepare(iceberg, name, warehouse, contract_table, base)
    fields = arrow_schema(schema.fields)
    rows = fitted(batches, str(table), contract_table.columns, fields)
    if mode == "append" and time_column is not None and since is not None:
        rows = _at_or_after(rows, contract_table, time_column, since)
    data = table_folder(warehouse, name) / "data"
    written = write_files(rows, fields, data, schema.schema_id)
    extra: tuple[Written, ...] = ()
    merged_away: list[Written] = []
    try:
        columns = tuple(
            StoredColumn(c.name, f.field_id, c.type, c.required)
            for c, f in zip(contract_table.columns, schema.fields, strict=True)
        )
        if mode == "upsert":
            _refuse_repeats(str(table), [w.path for w in written], keys)
        replaced = _replace(
            warehouse,
            base,
            columns,
            fields,
            data=data,
            schema_id=schema.schema_id,
            written=written,
            mode=mode,
            keys=keys,
            time_column=time_column,
            since=since,
        )
        extra = replaced.written
        new = [*replaced.written, *written]
        if mode != "full":
            before = TableSnapshot(table.table, name, 0, schema.schema_id, columns, (), 0)
            old, anew = merged(
                warehouse,
                before,
                columns,
                (*replaced.kept, *(_recorded(file, warehouse) for file in new)),
                fields=fields,
                stored=lambda reader: _as_stored(reader, columns, fields),
                folder=data,
                schema_id=schema.schema_id,
            )
            extra = (*extra, *anew)
            merged_away = [file for file in new if _recorded(file, warehouse).path in old]
            new = [*anew, *(file for file in new if file not in merged_away)]
            replaced = _Replaced(
                tuple(file for file in replaced.kept if file.path not in old),
                replaced.gone | {file.path for file in replaced.kept if file.path in old},
                (),
            )
        with opened(catalog, warehouse) as iceberg:
            snapshot_id = _commit(iceberg, name, schema, base, gone=replaced.gone, written=new, branch=branch)
    except BaseException:
        for file in (*written, *extra):
            file.path.unlink(missing_ok=True)
        raise
    for file in merged_away:
        file.path.unlink(missing_ok=True)
    files = (*replaced.kept, *(_recorded(file, warehouse) for file in new))
    return TableSnapshot(
        table.table, name, snapshot_id, schema.schema_id, columns, files, sum(file.rows for file in files)
    )


def _recorded(file: Written, warehouse: Path) -> DataFile:
    return DataFile(str(file.path.relative_to(warehouse)), file.size, file.sha256, file.rows)


def _prepare(
    iceberg: SqlCatalog, name: str, warehouse: Path, contract_table: Table, base: TableSnapshot | None
) -> Schema:
    """The contract's schema, made the current one of the table in the catalogue (which is made if absent)."""
    from pyiceberg.exceptions import NoSuchTableError
    from pyiceberg.table.update import AddSchemaUpdate, SetCurrentSchemaUpdate

    from hanse.engine.storage.evolve import evolved

    try:
        held = iceberg.load_table(name)
    except NoSuchTableError:
        namespace = tuple(name.split(".")[:-1])
        iceberg.create_namespace_if_not_exists(namespace)
        fresh = evolved(contract_table.columns, (), 0, 0)
        held = iceberg.create_table(name, fresh, location=str(table_folder(warehouse, name)), properties=_PROPERTIES)
        # PyIceberg begins a table on `main` only: an empty state, from which branches may then be cut
        with held.transaction() as transaction, transaction.update_snapshot().fast_append():
            pass
        return held.schema()
    schemas = held.metadata.schemas
    olds = [s for s in schemas if base is not None and s.schema_id == base.schema_id] + [held.schema()]
    number = max(s.schema_id for s in schemas) + 1
    schema = evolved(contract_table.columns, olds, held.metadata.last_column_id, number)
    same = next((s for s in reversed(schemas) if s.fields == schema.fields), None)
    if same is None:
        updates: tuple[object, ...] = (AddSchemaUpdate(schema=schema), SetCurrentSchemaUpdate(schema_id=-1))
    elif same.schema_id != held.metadata.current_schema_id:
        updates = (SetCurrentSchemaUpdate(schema_id=same.schema_id),)
    else:
        return same
    iceberg.commit_table(held, (), (*_moved(held, warehouse, name), *updates))
    return same or schema


def _moved(held: IcebergTable, warehouse: Path, name: str) -> tuple[object, ...]:
    """The update that tells Iceberg where the table lies now, when the home was moved."""
    from pyiceberg.table.update import SetLocationUpdate

    place = str(table_folder(warehouse, name))
    return () if held.metadata.location == place else (SetLocationUpdate(location=place),)


def _at_or_after(
    rows: Iterator[pa.RecordBatch], table: Table, time_column: str, since: datetime | date
) -> Iterator[pa.RecordBatch]:
    """The rows whose time is at or after `since`: earlier ones were loaded before."""
    import pyarrow as pa
    import pyarrow.compute as pc

    index = next(i for i, c in enumerate(table.columns) if c.name.lower() == time_column.lower())
    for batch in rows:
        column = batch.column(index)
        kept = batch.filter(pc.greater_equal(column, pa.scalar(since, column.type)))
        if kept.num_rows:
            yield kept


def _refuse_repeats(table: str, files: Sequence[Path], keys: Sequence[str]) -> None:
    import duckdb

    if not files:
        return
    shown = ", ".join(quote(key) for key in keys)
    listed = ", ".join(literal(str(file)) for file in files)
    null = " OR ".join(f"{quote(key)} IS NULL" for key in keys)
    with duckdb.connect() as engine:
        found = engine.execute(
            f"WITH rows AS (SELECT {shown} FROM read_parquet([{listed}]))"
            f" SELECT (SELECT count(*) FROM (SELECT 1 FROM rows GROUP BY {shown} HAVING count(*) > 1)),"
            f" (SELECT count(*) FROM rows WHERE {null})"
        ).fetchone()
    repeated, nulls = found or (0, 0)
    if repeated or nulls:
        raise KeysRepeat(table, keys, repeated, nulls)


def _replace(
    warehouse: Path,
    base: TableSnapshot | None,
    columns: tuple[StoredColumn, ...],
    fields: pa.Schema,
    *,
    data: Path,
    schema_id: int,
    written: Sequence[Written],
    mode: str,
    keys: Sequence[str],
    time_column: str | None,
    since: datetime | date | None,
) -> _Replaced:
    """Write anew, without the rows that the increment replaces, only those published files that hold such rows."""
    import duckdb

    from hanse.engine.storage.scan import scan_sql

    if base is None or mode == "full" or (mode == "append" and (time_column is None or since is None)):
        return _Replaced((), frozenset(file.path for file in base.files) if base else frozenset(), ())
    if not written:
        return _Replaced(base.files, frozenset(), ())
    if mode == "upsert":
        listed = ", ".join(literal(str(file.path)) for file in written)
        pairs = " AND ".join(f"incoming.{quote(key)} = held.{quote(key)}" for key in keys)
        gone_if = f"EXISTS (SELECT 1 FROM read_parquet([{listed}]) AS incoming WHERE {pairs})"
    else:
        gone_if = f"coalesce(held.{quote(str(time_column))} >= ?, false)"
    kept, gone, anew = [], set(), []
    values = [] if mode == "upsert" else [since]
    with duckdb.connect() as engine:
        try:
            for file in base.files:
                if mode == "append" and is_before(warehouse / file.path, str(time_column), since):
                    kept.append(file)
                    continue
                if not _whole(warehouse, file):  # it would be written anew, with a checksum that fits
                    raise DataDamaged([base.iceberg_table])
                # read by field ids whatever the file was written under: `columns` are the new schema's
                alone = TableSnapshot(base.table, base.iceberg_table, base.snapshot_id, -1, columns, (file,), file.rows)
                rows = f"({scan_sql(alone, warehouse)}) AS held"
                counted = engine.execute(f"SELECT count(*) FROM {rows} WHERE {gone_if}", values).fetchone()
                if counted is None or counted[0] == 0:
                    kept.append(file)
                    continue
                gone.add(file.path)
                if counted[0] < file.rows:
                    reader = engine.execute(f"SELECT * FROM {rows} WHERE NOT ({gone_if})", values).to_arrow_reader()
                    anew += write_files(_as_stored(reader, columns, fields), fields, data, schema_id)
        except BaseException:
            for done in anew:
                done.path.unlink(missing_ok=True)
            raise
    return _Replaced(tuple(kept), frozenset(gone), tuple(anew))


def _whole(warehouse: Path, file: DataFile) -> bool:
    try:
        return is_whole(warehouse / file.path, file)
    except OSError:
        return False


def _as_stored(
    reader: pa.RecordBatchReader, columns: Sequence[StoredColumn], fields: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Rows read back from stored files, in the types they are stored in (a uuid comes back as text)."""
    import pyarrow as pa

    from hanse.engine.arrow_cast import conversion

    plan = [conversion(reader.schema.field(i).type, column.type) for i, column in enumerate(columns)]
    for batch in reader:
        arrays = [batch.column(i) if convert is None else convert(batch.column(i)) for i, convert in enumerate(plan)]
        yield pa.RecordBatch.from_arrays(arrays, schema=fields)


def _commit(
    iceberg: SqlCatalog,
    name: str,
    schema: Schema,
    base: TableSnapshot | None,
    *,
    gone: Collection[str],
    written: Sequence[Written],
    branch: str,
) -> int:
    """Cut `branch` from `base` and commit the files to it; returns the new snapshot's id."""
    from pyiceberg.table.update import RemoveSnapshotRefUpdate, SetCurrentSchemaUpdate, SetSnapshotRefUpdate

    from hanse.engine.storage.transaction import OnceRead

    held = iceberg.load_table(name)
    updates: list[TableUpdate] = []
    ref = held.metadata.refs.get(branch)
    if base is None:
        if ref is not None:
            updates.append(RemoveSnapshotRefUpdate(ref_name=branch))
    elif ref is None or ref.snapshot_id != base.snapshot_id:
        updates.append(SetSnapshotRefUpdate(ref_name=branch, type="branch", snapshot_id=base.snapshot_id))
    if held.metadata.current_schema_id != schema.schema_id:  # another stage of the table came between
        updates.append(SetCurrentSchemaUpdate(schema_id=schema.schema_id))
    with OnceRead(held) as transaction:
        transaction.begin(tuple(updates))
        update = transaction.update_snapshot(branch=branch)
        with update.overwrite() if gone else update.fast_append() as producer:
            if gone and base is not None:
                snapshot = held.metadata.snapshot_by_id(base.snapshot_id)
                assert snapshot is not None
                for manifest in snapshot.manifests(held.io):
                    for entry in manifest.fetch_manifest_entry(held.io, discard_deleted=True):
                        if _relative(entry.data_file.file_path, name) in gone:
                            producer.delete_data_file(entry.data_file)
            for file in written:
                producer.append_data_file(_data_file(held, schema, file))
            return int(producer.snapshot_id)


def _relative(location: str, name: str) -> str:
    """A data file's path below the warehouse, wherever the home lay when it was written."""
    return "/".join([*name.split("."), *Path(location).parts[-2:]])


def _data_file(held: IcebergTable, schema: Schema, file: Written) -> object:
    from pyiceberg.io.pyarrow import (
        compute_statistics_plan,
        data_file_statistics_from_parquet_metadata,
        parquet_path_to_id_mapping,
    )
    from pyiceberg.manifest import DataFile as IcebergFile
    from pyiceberg.manifest import DataFileContent, FileFormat
    from pyiceberg.typedef import Record

    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=file.footer,
        stats_columns=compute_statistics_plan(schema, held.metadata.properties),
        parquet_column_mapping=parquet_path_to_id_mapping(schema),
    )
    return IcebergFile.from_args(
        content=DataFileContent.DATA,
        file_path=str(file.path),
        file_format=FileFormat.PARQUET,
        partition=Record(),
        file_size_in_bytes=file.size,
        sort_order_id=None,
        spec_id=held.metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )
