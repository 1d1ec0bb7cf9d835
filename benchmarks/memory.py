"""Memory (PSS) of a demo node with all its processes after four persons asked the demo's question. Bar: 500 MB.

Twice: `hanse demo` at its first start, which built, tested and published everything in the process that now serves, and
`hanse serve` over the same folder with two workers, which first answers here. The peak is sampled while the questions
run, with the trusted reader that makes the governed copies among the processes; the bar holds for what stays as well as
for that peak. For the ratio a bare interpreter that holds DuckDB and pyarrow and asked the same question is told.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import yaml
from _measure import EXAMPLE, memory_of, tell, tree
from _mesh import Served, demo, serve

BAR = 500e6
ENGINE = """
import duckdb, pyarrow, sys
duckdb.sql(sys.argv[1]).to_arrow_table()
print("asked", flush=True)
sys.stdin.read()
"""


class Peak:
    """The most memory that a process tree took while the `with` lasted."""

    def __init__(self, pid: int) -> None:
        self.bytes, self._pid, self._ended = 0, pid, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.bytes = max(self.bytes, memory_of(self._pid))


def asked(served: Served, *, fresh: bool) -> dict[str, float]:
    """Ask as everybody, then look: bytes that stay and bytes at the peak."""
    question = yaml.safe_load((served.folder / "demo.yaml").read_text())["question"]
    if fresh:
        for copy in served.folder.glob(".hanse/homes/*/copies/*/*.parquet"):
            copy.unlink()  # so that the trusted reader works here, too
    with Peak(served.pid) as peak:
        for _ in range(3):
            for person in question["as"]:
                client = served.client(person)
                assert client.post("/query", {"sql": question["sql"]})["rows"]
                client.close()
        time.sleep(0.5)
    return {"stays": float(memory_of(served.pid)), "peak": float(peak.bytes), "processes": len(tree(served.pid))}


def engine() -> float:
    """Bytes of one interpreter with DuckDB and pyarrow after the same question on the raw file."""
    flights = EXAMPLE / "data" / "flights.parquet"
    sql = yaml.safe_load((EXAMPLE / "demo.yaml").read_text())["question"]["sql"]
    line = [sys.executable, "-c", ENGINE, sql.replace("operations.flights", f"'{flights}'")]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        held = memory_of(process.pid)
        process.communicate("")
    return float(held)


def main() -> None:
    alone = engine()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "flights"
        with demo(root) as served:
            built = asked(served, fresh=False)
        (root / ".hanse" / "node.yaml").write_text("limits: {workers: 2}\n")
        with serve(root) as served:
            again = asked(served, fresh=True)
    most = max(built["stays"], again["stays"], again["peak"])
    tell(
        "memory", ratio=most / BAR, bar_mb=BAR / 1e6, ok=most <= BAR, serve_mb=_mb(again), demo_mb=_mb(built),
        engine_alone_mb=alone / 1e6, to_engine_alone=again["stays"] / alone,
    )  # fmt: skip


def _mb(found: dict[str, float]) -> dict[str, float]:
    return {name: value if name == "processes" else value / 1e6 for name, value in found.items()}


if __name__ == "__main__":
    main()
