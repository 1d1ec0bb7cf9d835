"""Make a backup of homes while they are served: consistent, incremental, and the former one stays until it is whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from hanse.node.backups.errors import NoBackup, SourceDamaged
from hanse.node.backups.folder import BackupFolder, Kept, Manifest
from hanse.node.backups.sealed import checked, sealed
from hanse.node.backups.store_copy import copy_from_server, copy_sqlite, named_files
from hanse.node.home.lease import copying

KEYS = "keys.sealed"
SECRETS = ("key", "mask.key")
_TRIES = 5
_LOCATION_PARTS = 6  # domain/product/port_v1/table/metadata/file: what of a location is within the warehouse


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup holds, and how much of it was new."""

    domains: tuple[str, ...]
    files: int
    size: int
    new_files: int
    new_size: int


class _Copies:
    """The files of one home as they are kept."""

    def __init__(self, home: Path, folder: BackupFolder) -> None:
        self.home, self.folder = home, folder
        self.kept: dict[str, Kept] = {}
        self.new_files = self.new_size = 0

    def note(self, path: str, done: tuple[str, int, bool]) -> None:
        sha256, size, new = done
        self.kept[path] = Kept(path, sha256, size)
        self.new_files += new
        self.new_size += size if new else 0

    def data(self, store: Path, domain: str) -> None:
        """Every data file that the store's copy names."""
        for file in {file.path: file for file in named_files(store, domain)}.values():
            path = f"warehouse/{file.path}"
            try:
                self.note(path, self.folder.put(self.home / path, file.sha256))
            except (OSError, ValueError):
                raise SourceDamaged(
                    f"{path} of {domain} is missing or is not what was published",
                    mend="hanse build and hanse publish make it again",
                ) from None

    def iceberg(self) -> None:
        """The Iceberg catalogue and its metadata: the catalogue first, so that what it names is copied after it."""
        if not (self.home / "iceberg.db").exists():
            return
        for _ in range(_TRIES):
            part = self.folder.scratch()
            try:
                copy_sqlite(self.home / "iceberg.db", part)
                current = _current(part)
                done = self.folder.put(part)
            finally:
                part.unlink(missing_ok=True)
            for file in sorted((self.home / "warehouse").glob("*/*/*/*/metadata/*")):
                path = file.relative_to(self.home).as_posix()
                try:
                    if path not in self.kept:  # metadata files never change
                        self.note(path, self.folder.put(file))
                except FileNotFoundError:  # a commit beside took away an older state
                    continue
            if current <= set(self.kept):
                self.note("iceberg.db", done)
                return
        raise SourceDamaged("the Iceberg catalogue names metadata that is not there", mend="hanse doctor")


def backup(
    homes: Mapping[str, Path],
    stores: Mapping[str, str],
    folder: Path,
    passphrase: str,
    clock: Callable[[], datetime],
) -> BackedUp:
    """Back up `homes` (domain → folder; `stores`: URLs of those whose store a PostgreSQL keeps) into `folder`.

    A second backup into the same folder copies new files only. Raises `NoBackup` when there is nothing to back up,
    `SourceDamaged`, `UnsafePassphrase`.
    """
    checked(passphrase)
    if not homes:
        raise NoBackup("there is no home to back up here", mend="name the project: --dir D")
    at = clock().isoformat()
    kept = BackupFolder(folder)
    kept.prepare()
    copies = {domain: _home(domain, home, stores.get(domain), kept, passphrase) for domain, home in homes.items()}
    manifest = Manifest(at, {domain: tuple(one.kept.values()) for domain, one in copies.items()})
    kept.commit(manifest)
    files = [file for found in manifest.homes.values() for file in found]
    return BackedUp(
        tuple(sorted(homes)),
        len(files),
        sum({file.sha256: file.size for file in files}.values()),
        sum(one.new_files for one in copies.values()),
        sum(one.new_size for one in copies.values()),
    )


def _home(domain: str, home: Path, url: str | None, folder: BackupFolder, passphrase: str) -> _Copies:
    copies = _Copies(home, folder)
    with copying(home):
        store = folder.scratch()
        try:
            if url is None:
                copy_sqlite(home / "store.db", store)
            else:
                copy_from_server(url, f"hanse_{domain}", store)
            # after the store: whatever a publication names was in the warehouse and in Iceberg before it
            copies.data(store, domain)
            copies.iceberg()
            copies.note("store.db", folder.put(store))
        finally:
            store.unlink(missing_ok=True)
        secrets = {name: (home / name).read_bytes() for name in SECRETS}
        copies.note(KEYS, folder.put_bytes(sealed(secrets, passphrase, domain)))
    return copies


def _current(catalogue: Path) -> set[str]:
    """The metadata file of each table, relative to the home, wherever that lay when it was written."""
    with closing(sqlite3.connect(catalogue)) as read:
        rows = read.execute("SELECT metadata_location FROM iceberg_tables").fetchall()
    return {"/".join(("warehouse", *PurePosixPath(location).parts[-_LOCATION_PARTS:])) for (location,) in rows}
