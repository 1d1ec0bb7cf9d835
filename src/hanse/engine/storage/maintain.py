"""Keep Iceberg in step with the publications: `main` follows, and what nothing names any more is swept."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hanse.engine.snapshot import TableSnapshot
from hanse.engine.storage.durable import table_folder


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


def sweep(warehouse: Path, catalog: Path, keep: Collection[TableSnapshot], grace: timedelta, now: datetime) -> Swept:
    """Remove snapshots that `keep` does not hold and files that nothing names, both only when older than `grace`.

    `keep` is every snapshot that is published, may be rolled back to or waits as a stage.
    """
    from pyiceberg.table.update import RemoveSnapshotRefUpdate, RemoveSnapshotsUpdate

    from hanse.engine.storage.catalogue import HomeFiles, opened

    warehouse, catalog = warehouse.absolute(), catalog.absolute()
    if not catalog.exists():
        return Swept(0, 0, 0)
    kept_ids = {snapshot.snapshot_id for snapshot in keep}
    kept_paths = {warehouse / file.path for snapshot in keep for file in snapshot.files}
    before = (now - grace).timestamp()
    files = HomeFiles({"hanse.warehouse": str(warehouse)})
    removed = 0
    named: set[Path] = set(kept_paths)
    folders: list[Path] = []
    with opened(catalog, warehouse) as iceberg:
        for identifier in _tables(iceberg):
            held = iceberg.load_table(identifier)
            main = held.metadata.refs.get("main")
            kept = kept_ids if main is None else kept_ids | {main.snapshot_id}
            stale = [
                s.snapshot_id
                for s in held.metadata.snapshots
                if s.snapshot_id not in kept and s.timestamp_ms / 1000 < before
            ]
            if stale:
                refs = [name for name, ref in held.metadata.refs.items() if ref.snapshot_id in stale]
                updates: list[object] = [RemoveSnapshotRefUpdate(ref_name=name) for name in refs]
                updates.append(RemoveSnapshotsUpdate(snapshot_ids=stale))
                iceberg.commit_table(held, (), tuple(updates))
                removed += len(stale)
                held = iceberg.load_table(identifier)
            named.add(files.place(held.metadata_location))
            named.update(files.place(entry.metadata_file) for entry in held.metadata.metadata_log)
            for snapshot in held.metadata.snapshots:
                named.add(files.place(snapshot.manifest_list))
                for manifest in snapshot.manifests(held.io):
                    named.add(files.place(manifest.manifest_path))
                    for entry in manifest.fetch_manifest_entry(held.io, discard_deleted=True):
                        named.add(files.place(entry.data_file.file_path))
            folders.append(table_folder(warehouse, ".".join(identifier)))
    count = size = 0
    for folder in folders:
        for path in (*folder.glob("data/*"), *folder.glob("metadata/*")):
            status = path.lstat()
            if path not in named and status.st_mtime < before:
                path.unlink(missing_ok=True)
                count += 1
                size += status.st_size
    return Swept(removed, count, size)


def _tables(iceberg: object) -> list[tuple[str, ...]]:
    from pyiceberg.catalog.sql import IcebergTables
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    with Session(iceberg.engine) as session:  # type: ignore[attr-defined]
        rows = session.execute(select(IcebergTables.table_namespace, IcebergTables.table_name)).all()
    return [(*namespace.split("."), name) for namespace, name in rows]
