"""The folder of a backup: `objects/` by checksum, and `manifest.json`, which takes the former one's place at once."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hanse.names import is_name
from hanse.node.backups.errors import BackupDamaged, NoBackup

SCHEMA = "hanse.backup/1"
_PIECE = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of a home as a backup keeps it; `path` is relative to the home."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds: when it was begun, and the files of each home."""

    at: str
    homes: Mapping[str, tuple[Kept, ...]]

    def text(self) -> str:
        homes = {domain: [asdict(file) for file in files] for domain, files in sorted(self.homes.items())}
        return json.dumps({"schema": SCHEMA, "at": self.at, "homes": homes}, indent=1)


class BackupFolder:
    """Objects and manifest below one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._objects = path / "objects"

    def prepare(self) -> None:
        """Make the folder, for its owner only; what a killed backup left half written goes."""
        self._objects.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.chmod(0o700)
        for part in self.path.glob("part-*"):
            part.unlink()

    def place(self, sha256: str) -> Path:
        return self._objects / sha256[:2] / sha256

    def scratch(self) -> Path:
        """A name for a file that becomes an object when it is whole."""
        return self.path / f"part-{secrets.token_hex(8)}"

    def put(self, source: Path, expected: str | None = None) -> tuple[str, int, bool]:
        """Keep a copy of `source` under its checksum: that, its size, whether it was new; `ValueError` if unexpected.

        A file whose checksum is known and kept is not read again.
        """
        size = source.stat().st_size
        if expected is not None and self.place(expected).exists() and self.place(expected).stat().st_size == size:
            return expected, size, False
        part = self.scratch()
        try:
            with part.open("xb") as out, source.open("rb") as read:
                os.chmod(part, 0o600)
                sha256, size = _copied(read.read, out.write)
                out.flush()
                os.fsync(out.fileno())
            if expected is not None and sha256 != expected:
                raise ValueError(source.name)
            return sha256, size, self.adopt(part, sha256)
        finally:
            part.unlink(missing_ok=True)

    def put_bytes(self, body: bytes) -> tuple[str, int, bool]:
        """Keep `body` under its checksum."""
        part = self.scratch()
        try:
            part.write_bytes(body)
            return self.put(part)
        finally:
            part.unlink(missing_ok=True)

    def adopt(self, part: Path, sha256: str) -> bool:
        """Let the finished file `part` be the object `sha256`; whether it was not there before."""
        place = self.place(sha256)
        if place.exists() and place.stat().st_size == part.stat().st_size:
            return False
        place.parent.mkdir(exist_ok=True, mode=0o700)
        os.replace(part, place)
        _sync(place.parent)
        return True

    def commit(self, manifest: Manifest) -> None:
        """Make `manifest` the one that counts, at once and durably; then drop what only the former one named."""
        part = self.scratch()
        with part.open("x", encoding="utf-8") as file:
            os.chmod(part, 0o600)
            file.write(manifest.text())
            file.flush()
            os.fsync(file.fileno())
        _sync(self._objects)
        os.replace(part, self.path / "manifest.json")
        _sync(self.path)
        named = {file.sha256 for files in manifest.homes.values() for file in files}
        for place in self._objects.glob("*/*"):
            if place.name not in named:
                place.unlink()

    def manifest(self) -> Manifest:
        """The manifest; raise `NoBackup`."""
        try:
            said = json.loads((self.path / "manifest.json").read_text(encoding="utf-8"))
            if said["schema"] != SCHEMA:
                raise ValueError("another form")
            homes = {str(domain): tuple(_kept(files)) for domain, files in said["homes"].items()}
            if not all(is_name(domain) for domain in homes):
                raise ValueError("no domain")
            return Manifest(str(said["at"]), homes)
        except FileNotFoundError:
            raise NoBackup(f"there is no backup in {str(self.path)!r}", mend=f"hanse backup {self.path}") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoBackup(f"the manifest in {str(self.path)!r} cannot be read: {type(error).__name__}") from None

    def verify(self, files: Collection[Kept]) -> None:
        """Read every object of `files`; raise `BackupDamaged` for those that are missing or not what was copied."""
        seen: set[str] = set()
        bad = []
        for file in files:
            if file.sha256 in seen:
                continue
            seen.add(file.sha256)
            try:
                with self.place(file.sha256).open("rb") as read:
                    if hashlib.file_digest(read, "sha256").hexdigest() != file.sha256:
                        bad.append(file.path)
            except OSError:
                bad.append(file.path)
        if bad:
            more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
            raise BackupDamaged(f"the backup is damaged: {', '.join(bad[:3])}{more}", mend="make the backup again")

    def take(self, file: Kept, target: Path) -> None:
        """Copy an object to `target`, durably and checked; raise `BackupDamaged`."""
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with self.place(file.sha256).open("rb") as read, target.open("xb") as out:
                os.chmod(target, 0o600)
                sha256, _ = _copied(read.read, out.write)
                out.flush()
                os.fsync(out.fileno())
        except FileNotFoundError:
            sha256 = ""
        if sha256 != file.sha256:
            raise BackupDamaged(f"the backup is damaged: {file.path}", mend="use another copy of the backup")


def _kept(files: Any) -> Iterator[Kept]:
    for one in files:
        path, sha256 = PurePosixPath(one["path"]), str(one["sha256"])
        # the manifest may come from anywhere: no file of it may land outside of the home
        if path.is_absolute() or ".." in path.parts or not path.parts or not _SHA256.fullmatch(sha256):
            raise ValueError("a path leaves the home")
        yield Kept(str(path), sha256, int(one["size"]))


def _copied(read: Callable[[int], bytes], write: Callable[[bytes], Any]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while piece := read(_PIECE):
        digest.update(piece)
        write(piece)
        size += len(piece)
    return digest.hexdigest(), size


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
