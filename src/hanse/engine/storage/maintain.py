"""Keep Iceberg in step with the publications: `main` follows, and what nothing names any more is swept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.engine.snapshot import TableSnapshot

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table as IcebergTable

    from hanse.engine.storage.catalogue import HomeFiles

Free = Callable[[Collection[Hashable]], "set[Hashable]"]


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed."""

    snapshots: int
    files: int
    size: int  # bytes


def follow_main(warehouse: Path, catalog: Path, snapshot: TableSnapshot) -> bool:
    """Move Iceberg's `main` to `snapshot`; idempotent, True when it moved. Nobody asks Iceberg who is current."""
    from pyiceberg.table.update import SetCurrentSchemaUpdate, SetSnapshotRefUpdate

    from hanse.engine.storage.catalogue import opened

    with opened(catalog.absolute(), warehouse.absolute()) as iceberg:
        held = iceberg.load_table(snapshot.iceberg_table)
        main = held.metadata.refs.get("main")
        if main is not None and main.snapshot_id == snapshot.snapshot_id:
            return False
        updates: list[object] = [SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=snapshot.snapshot_id)]
        if held.metadata.current_schema_id != snapshot.schema_id:
            updates.append(SetCurrentSchemaUpdate(schema_id=snapshot.schema_id))
        iceberg.commit_table(held, (), tuple(updates))
        return True


def sweep(
    warehouse: Path,
    catalog: Path,
    keep: Collection[TableSnapshot],
    grace: timedelta,
    now: datetime,
    *,
    there: Collection[Path],
    free: Free = set,
) -> Swept:
    """Remove snapshots that `keep` does not hold, and files of `there` that nothing names, when older than `grace`.

    `there` was listed before `keep` was, which is every snapshot that is published, may be read again or waits as a
    stage. Of snapshots and files without a name, `free` says which nobody may still be reading.
    """
    from hanse.engine.storage.catalogue import HomeFiles, opened

    warehouse, catalog = warehouse.absolute(), catalog.absolute()
    if not catalog.exists():
        return Swept(0, 0, 0)
    ids = {snapshot.snapshot_id for snapshot in keep}
    named = {warehouse / file.path for snapshot in keep for file in snapshot.files}
    before = (now - grace).timestamp()
    files = HomeFiles({"hanse.warehouse": str(warehouse)})
    with opened(catalog, warehouse) as iceberg:
        tables = {identifier: iceberg.load_table(identifier) for identifier in _tables(iceberg)}
        stale = {
            identifier: {
                one.snapshot_id
                for one in table.metadata.snapshots
                if one.snapshot_id not in ids | _main(table) and one.timestamp_ms / 1000 < before
            }
            for identifier, table in tables.items()
        }
        for identifier, table in tables.items():
            held = table.metadata
            named |= {files.place(table.metadata_location), *(files.place(o.metadata_file) for o in held.metadata_log)}
            named |= _named(files, table, {one.snapshot_id for one in held.snapshots} - stale[identifier], ids)
        gone_if_unread = {path for path in there if path not in named}
        unread = free({*(one for found in stale.values() for one in found), *gone_if_unread})
        removed = 0
        for identifier, table in tables.items():
            named |= _named(files, table, stale[identifier] - unread, ids)
            gone = stale[identifier] & unread
            if gone:
                _remove(iceberg, table, gone)
                removed += len(gone)
    count = size = 0
    for path in there:
        status = path.lstat() if path.exists() else None
        if status is None or path in named or path not in unread or status.st_mtime >= before:
            continue
        path.unlink(missing_ok=True)
        count += 1
        size += status.st_size
    return Swept(removed, count, size)


def _main(table: IcebergTable) -> set[int]:
    main = table.metadata.refs.get("main")
    return set() if main is None else {main.snapshot_id}


def _remove(iceberg: SqlCatalog, table: IcebergTable, gone: Collection[int]) -> None:
    """Take the snapshots `gone` out of the table's metadata, with the branches that end in them."""
    from pyiceberg.table.update import RemoveSnapshotRefUpdate, RemoveSnapshotsUpdate

    refs = [name for name, ref in table.metadata.refs.items() if ref.snapshot_id in gone]
    updates: list[object] = [RemoveSnapshotRefUpdate(ref_name=name) for name in refs]
    updates.append(RemoveSnapshotsUpdate(snapshot_ids=sorted(gone)))
    iceberg.commit_table(table, (), tuple(updates))


def _named(files: HomeFiles, table: IcebergTable, ids: Collection[object], known: Collection[int]) -> set[Path]:
    """Every file that the snapshots `ids` of a table name; the data files of those in `known` are known already."""
    named = set()
    for snapshot in table.metadata.snapshots:
        if snapshot.snapshot_id not in ids:
            continue
        named.add(files.place(snapshot.manifest_list))
        for manifest in snapshot.manifests(table.io):
            named.add(files.place(manifest.manifest_path))
            if snapshot.snapshot_id in known:
                continue
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                named.add(files.place(entry.data_file.file_path))
    return named


def _tables(iceberg: object) -> list[tuple[str, ...]]:
    from pyiceberg.catalog.sql import IcebergTables
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    with Session(iceberg.engine) as session:  # type: ignore[attr-defined]
        rows = session.execute(select(IcebergTables.table_namespace, IcebergTables.table_name)).all()
    return [(*namespace.split("."), name) for namespace, name in rows]
