"""A demo mesh that serves, as a person starts it: one process, a free port, its own folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the demo lies and answers."""

    folder: Path
    url: str
    pid: int
    environment: dict[str, str]

    def hanse(self, *words: str, person: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `hanse` in the demo's folder, as `person` when one is given."""
        line = [str(BIN / "hanse"), *(("as", person, "--") if person else ()), *words]
        return subprocess.run(line, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120)

    def token(self, person: str) -> str:
        return self.hanse("token", person).stdout.strip()


def free_port() -> int:
    """A port that is free together with the next two."""
    for _ in range(100):
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
        try:
            for number in (port, port + 1, port + 2):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", number))
        except (OSError, OverflowError):
            continue
        return port
    raise RuntimeError("no three ports in a row are free")


@contextmanager
def serving(folder: Path) -> Iterator[Demo]:
    """Start `hanse demo` in `folder`, wait until it answers, end it by SIGTERM."""
    port = free_port()
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "NO_COLOR": "1", "COLUMNS": "120"}
    for name in ("HANSE_TOKEN", "HANSE_NODE"):
        environment.pop(name, None)
    log = folder.parent / f"{folder.name}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [BIN / "hanse", "demo", "--dir", folder, "--port", str(port), "--no-open"],
            stdout=out, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip
        try:
            _wait(f"http://127.0.0.1:{port}/ready", process, log)
            yield Demo(folder, f"http://127.0.0.1:{port}", process.pid, environment)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in (0, -signal.SIGTERM), log.read_text()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(1200):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=1):
                if "your turn" in log.read_text().lower():
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the demo did not come up:\n{log.read_text()}")
