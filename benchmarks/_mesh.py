"""Meshes that the benchmarks run on: flights served by a process of its own, and TPC-H published by its owner."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _tpch
from _measure import HANSE

from hanse.cli.local import homes_of, in_process, token
from hanse.cli.transport import read_bundle
from hanse.client import Client
from hanse.client.http import Client as HttpClient

if TYPE_CHECKING:
    from hanse.node.node import Node

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("HANSE_")}


@dataclass(frozen=True, slots=True)
class Served:
    """A node in a process of its own: its project, port and process id."""

    folder: Path
    port: int
    pid: int

    def client(self, person: str) -> Client:
        return HttpClient(f"http://127.0.0.1:{self.port}", token(self.folder, person))


def demo_once(folder: Path) -> None:
    """Build, test and publish the example's nine products in `folder`, and end."""
    line = [HANSE, "demo", "--dir", folder, "--port", str(free_port()), "--once"]
    subprocess.run(line, check=True, env=ENVIRONMENT, capture_output=True)


@contextmanager
def demo(folder: Path) -> Iterator[Served]:
    """`hanse demo` as a person starts it: one process builds all, plays the demo and goes on serving."""
    port = free_port()
    with _started(folder, port, "demo", "--dir", folder, "--port", str(port), "--no-open", ready="Your turn") as one:
        yield one


@contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """`hanse serve` over what is published in `folder`."""
    port = free_port()
    with _started(folder, port, "--dir", folder, "serve", "--port", str(port), ready="Serving") as one:
        yield one


@contextmanager
def _started(folder: Path, port: int, *words: object, ready: str) -> Iterator[Served]:
    log = folder.with_name(f"{folder.name}.log")
    with log.open("w") as out:
        line = [str(HANSE), *map(str, words)]
        process = subprocess.Popen(line, stdout=out, stderr=subprocess.STDOUT, env=ENVIRONMENT)
        try:
            while not (ready in log.read_text() and _answers(port)):
                if process.poll() is not None:
                    raise SystemExit(f"{' '.join(line[1:])} ended:\n{log.read_text()}")
                time.sleep(0.1)
            yield Served(folder, port, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def tpch(folder: Path, scale: float) -> None:
    """TPC-H in `folder`, published through the walk; the teams `clear` and `governed` may read all of it."""
    _tpch.project(folder, _tpch.generate(folder / "data", scale))
    owner = in_process(folder, token(folder, "owner_tpch"))
    try:
        plan = owner.post("/plan", {"files": read_bundle(folder)})
        report = owner.run("/publish", {"plan": plan["id"]})
        if not report["ok"]:
            raise SystemExit(f"not published: {report}")
        for product in report["products"]:
            for team in ("clear", "governed"):
                grant(owner, product["product"], f"team:{team}", "bench")
    finally:
        owner.close()


def grant(owner: Client, product: str, to: str, purpose: str) -> None:
    """Let `to` read `product` for some days."""
    until = (datetime.now(UTC).date() + timedelta(days=9)).isoformat()
    terms = {"product": product, "to": to, "purpose": purpose, "until": until, "why": "Measuring"}
    owner.post("/access/grants", terms)


class InThread:
    """A node in this process, on a loop of its own thread."""

    def __init__(self, root: Path) -> None:
        from hanse.app import Running

        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._running = self(Running.start(root))

    def __call__(self, step: Coroutine[Any, Any, Any]) -> Any:
        """What `step` gives, run on the node's loop."""
        return asyncio.run_coroutine_threadsafe(step, self._loop).result()

    @property
    def node(self) -> Node:
        return self._running.node

    def close(self) -> None:
        self(self._running.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def scans(folder: Path) -> dict[tuple[str, str, str], str]:
    """DuckDB's SQL over the files of every published table of the project, which no process may hold now."""
    from hanse.app import clock
    from hanse.engine.storage import scan_sql
    from hanse.node.home import Home

    found = {}
    for path in homes_of(folder):
        home = Home.open(path, clock)
        for product, state in home.published().items():
            for line in state.lines.values():
                for name, table in line.snapshot.tables.items():
                    found[product.domain, product.name, name] = scan_sql(table, home.warehouse)
        home.close()
    return found
