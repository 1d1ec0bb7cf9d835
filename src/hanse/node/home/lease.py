"""A lease on a home's files, between processes: while somebody copies them, nobody deletes any."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = "copying.lock"


@contextmanager
def copying(home: Path) -> Iterator[None]:
    """Hold the files of `home` for the time of the block; several may. It ends with the process, too."""
    with _locked(home, fcntl.LOCK_SH):
        yield


@contextmanager
def undisturbed(home: Path) -> Iterator[bool]:
    """Whether nobody copies the files of `home`, nor begins to before the block ends."""
    try:
        with _locked(home, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield True
    except BlockingIOError:
        yield False


@contextmanager
def _locked(home: Path, how: int) -> Iterator[None]:
    handle = os.open(home / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)
