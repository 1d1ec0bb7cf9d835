"""A real S3 server on loopback, OpenStack Swift with its s3api, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parent / "engine" / "servers" / "swift_s3.py"
USER, KEY = "test:tester", "testing"


@dataclass(frozen=True, slots=True)
class Swift:
    """Where it listens; `process` is there to be stopped."""

    port: int
    process: subprocess.Popen[str]


@contextmanager
def swift(folder: Path) -> Iterator[Swift]:
    """Start one that keeps its data in `folder` and has the empty bucket `lake`; it ends with the `with`."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        from pyarrow import fs

        fs.S3FileSystem(
            access_key=USER, secret_key=KEY, endpoint_override=f"127.0.0.1:{port}", scheme="http",
            region="us-east-1", allow_bucket_creation=True,
        ).create_dir("lake")  # fmt: skip
        yield Swift(port, process)
    finally:
        process.kill()
        process.wait()
