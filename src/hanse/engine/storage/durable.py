"""Make what a publication names survive a power cut: files, metadata and folders are synced first."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from hanse.engine.snapshot import DataFile, TableSnapshot
from hanse.errors import HanseError, Kind, code

_REMEMBERED = 100_000
_DURABLE: set[tuple[int, int, int, int]] = set()  # files that are on the disk: device, number, size, time of writing


class NotDurable(HanseError):
    kind = Kind.UNAVAILABLE
    code = code(
        "storage.not-durable",
        Kind.UNAVAILABLE,
        "Stored data could not be made durable",
        "A publication is acknowledged only after its files are on the disk; the disk refused.",
        "Free space or mend the disk, then run the step again; what was published before stays served.",
    )

    def __init__(self, what: str, why: str) -> None:
        super().__init__(
            f"{what} could not be written to the disk: {why}", mend="free space or mend the disk and retry"
        )


def sync_durable(warehouse: Path, snapshot: TableSnapshot) -> None:
    """Fsync the files of `snapshot`, its table's metadata, and every folder up to `warehouse`; raise `NotDurable`."""
    table = table_folder(warehouse, snapshot.iceberg_table)
    metadata = table / "metadata"
    try:
        for file in snapshot.files:
            _sync_once(warehouse / file.path)
        for path in metadata.iterdir():
            with suppress(FileNotFoundError):  # a build beside took away an older state, which this one does not need
                _sync_once(path)
        folder = table
        for inner in (metadata, *({(warehouse / file.path).parent for file in snapshot.files})):
            _sync(inner)
        while True:
            _sync(folder)
            if folder in (warehouse, folder.parent):
                break
            folder = folder.parent
    except OSError as error:
        raise NotDurable(snapshot.table, error.strerror or type(error).__name__) from error


def is_whole(path: Path, file: DataFile) -> bool:
    """Whether the file at `path` is byte for byte the recorded one; raises `OSError` when it cannot be read."""
    if path.stat().st_size != file.size:
        return False
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256


def table_folder(warehouse: Path, iceberg_table: str) -> Path:
    """Where the table called `iceberg_table` (dotted) lies: `domain/product/port_v1/table`."""
    return warehouse.joinpath(*iceberg_table.split("."))


def _sync_once(path: Path) -> None:
    """Sync a file that never changes once it is written, unless this process did so before."""
    facts = path.stat()
    mark = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    if mark not in _DURABLE:
        _sync(path)
        if len(_DURABLE) >= _REMEMBERED:
            _DURABLE.clear()
        _DURABLE.add(mark)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
