"""The lock of a home: one process holds it, and says where it can be asked."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

from hanse.errors import HanseError, Kind, code

_TRIES = 10
_TRY_SECONDS = 0.02


class HomeLocked(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "home.locked",
        Kind.CONFLICT,
        "Another process holds the home",
        "A home has one writer: two would lose each other's changes.",
        "Ask that process (hanse does so by itself when it serves), or end it.",
    )

    def __init__(self, path: Path, holder: Holder | None) -> None:
        who = "another process" if holder is None else f"process {holder.pid}"
        self.address = holder.address if holder else None
        where = f" at {self.address}" if self.address else ""
        super().__init__(
            f"the home {path.name!r} is held by {who}{where}",
            mend=f"--node {self.address}" if self.address else "wait until it ends, or end it",
        )


class Holder:
    """Who holds a lock: its process, and the address it serves at."""

    def __init__(self, pid: int, address: str | None) -> None:
        self.pid, self.address = pid, address


class Lock:
    """An exclusive lock on the file `lock` of a home, held until `release` or the end of the process."""

    def __init__(self, home: Path, address: str | None = None) -> None:
        self._path = home / "lock"
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take(home)
            self.say(address)
        except BaseException:
            os.close(self._handle)
            raise

    def _take(self, home: Path) -> None:
        for _ in range(_TRIES):
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                held = holder(home)
                if held is not None:
                    break
                time.sleep(_TRY_SECONDS)  # somebody only asked who holds it
            else:
                return
        raise HomeLocked(home, held)

    def say(self, address: str | None) -> None:
        """Write who holds the lock and where it answers."""
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, json.dumps({"pid": os.getpid(), "address": address}).encode(), 0)

    def release(self) -> None:
        os.ftruncate(self._handle, 0)
        os.close(self._handle)


def holder(home: Path) -> Holder | None:
    """Who holds the lock of `home` now; None when nobody does or nothing is said."""
    path = home / "lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            said = json.loads(os.pread(handle, 4096, 0) or b"{}")
            return Holder(int(said.get("pid", 0)), said.get("address"))
        return None
    except ValueError:
        return None
    finally:
        os.close(handle)
