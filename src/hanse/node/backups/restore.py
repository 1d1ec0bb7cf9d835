"""Restore homes from a backup: never over one that is there, and only when every file is what was copied."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hanse.node.backups.errors import BackupDamaged, HomeExists
from hanse.node.backups.folder import BackupFolder, Kept
from hanse.node.backups.make import KEYS, SECRETS
from hanse.node.backups.sealed import opened
from hanse.node.backups.store_copy import copy_to_server


@dataclass(frozen=True, slots=True)
class Restored:
    """The homes that were restored, as of when, and how much came."""

    at: str
    domains: tuple[str, ...]
    files: int
    size: int


def restore(folder: Path, homes: Path, stores: Mapping[str, str], passphrase: str) -> Restored:
    """Make the homes of the backup in `folder` below `homes`, all or none.

    Raises `NoBackup`, `HomeExists`, `WrongPassphrase`, `BackupDamaged`; then nothing was made.
    """
    kept = BackupFolder(folder)
    manifest = kept.manifest()
    for domain in sorted(manifest.homes):
        _is_free(homes / domain)
    homes.mkdir(parents=True, exist_ok=True, mode=0o700)
    work = homes.parent / f"restoring-{secrets.token_hex(4)}"
    work.mkdir(mode=0o700)
    try:
        for domain, files in sorted(manifest.homes.items()):
            _home(kept, domain, files, work / domain, passphrase)
        for domain in sorted(manifest.homes):
            url = stores.get(domain)
            if url is not None and not copy_to_server(work / domain / "store.db", url, f"hanse_{domain}"):
                raise HomeExists(
                    f"the database server holds a store of {domain} already", mend="drop its schema, or name another"
                )
        for domain in sorted(manifest.homes):
            _is_free(homes / domain)
            if (homes / domain).exists():
                (homes / domain).rmdir()
            os.rename(work / domain, homes / domain)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    all_files = [file for found in manifest.homes.values() for file in found]
    return Restored(manifest.at, tuple(sorted(manifest.homes)), len(all_files), sum(file.size for file in all_files))


def _is_free(home: Path) -> None:
    if home.exists() and any(home.iterdir()):
        raise HomeExists(
            f"there is a home of {home.name} already", mend=f"mv {home} somewhere else, if it is not needed"
        )


def _home(kept: BackupFolder, domain: str, files: tuple[Kept, ...], made: Path, passphrase: str) -> None:
    named = {file.path: file for file in files}
    if KEYS not in named or "store.db" not in named:
        raise BackupDamaged(f"the backup of {domain} lacks its store or its keys")
    made.mkdir(mode=0o700)
    # the keys first: a wrong passphrase is told before anything large is copied
    kept.take(named[KEYS], made / KEYS)
    found = opened((made / KEYS).read_bytes(), passphrase, domain)
    (made / KEYS).unlink()
    for name in SECRETS:
        handle = os.open(made / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(found[name])
            file.flush()
            os.fsync(file.fileno())
    for one in files:
        if one.path != KEYS:
            kept.take(one, made / one.path)
    for name in ("warehouse", "copies"):
        (made / name).mkdir(exist_ok=True)
