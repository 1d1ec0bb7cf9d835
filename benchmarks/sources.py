"""A table of PostgreSQL read as a source: time and memory of the reading process, by both clients that hanse has.

The kind `postgres` (DuckDB's client) against the kind `adbc` with its PostgreSQL driver, the same table of six columns,
from a server on this machine. The bar is memory: 10 million rows in at most 512 MB, whatever the client.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from _measure import ROOT, tell

sys.path.insert(0, str(ROOT))

from hanse.engine.sources import Connection, Given, Wanted, apart
from hanse.engine.sources.egress import Egress
from hanse.engine.worker.process import Zygote
from hanse.errors import Place
from hanse.spec.model import Source
from tests.postgres import OWNER, PASSWORD, Postgres, postgres

BAR_MB = 512
TABLE = (
    "CREATE UNLOGGED TABLE big AS SELECT i::bigint AS id, (i % 1000)::int AS k, 'name ' || i AS name, "
    "i * 0.5::float8 AS amount, (i * 1.25)::numeric(18,2) AS price, "
    "timestamptz '2024-01-01 00:00+00' + i * interval '1 second' AS at FROM generate_series(1, {rows}) i"
)


class Peak:
    """The most memory that a child of this zygote held."""

    def __init__(self) -> None:
        self.mb = 0


@contextmanager
def watched(parent: int) -> Iterator[Peak]:
    """Look at the children of `parent` while the body runs."""
    peak, done = Peak(), threading.Event()

    def look() -> None:
        while not done.wait(0.05):
            for status in Path("/proc").glob("[0-9]*/status"):
                with suppress(OSError, IndexError):
                    text = status.read_text()
                    if int(text.split("PPid:")[1].split()[0]) == parent:
                        peak.mb = max(peak.mb, int(text.split("VmHWM:")[1].split()[0]) // 1000)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def read(zygote: Zygote, server: Postgres, kind: str) -> tuple[int, float]:
    """Read the table once: its rows and the seconds it took."""
    user = {"user": OWNER, "password": PASSWORD}
    link = {
        "postgres": {"host": "127.0.0.1", "port": server.port, "database": "postgres", **user},
        "adbc": {"driver": "postgresql", "uri": f"postgresql://127.0.0.1:{server.port}/postgres", **user},
    }[kind]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = Given([folder], folder, Connection("c", kind, link), Egress.of([f"127.0.0.1:{server.port}"]))
        source = Source("big", kind, {"table": "public.big"}, Place("build.yaml"))
        began = time.perf_counter()
        scan = apart.alone(zygote, "scan", source, given, Wanted(), folder)
        return scan.rows, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    options, _ = parser.parse_known_args()
    zygote = Zygote()
    zygote.start()
    process = zygote.pid
    try:
        with postgres() as server:
            server.run(TABLE.format(rows=options.rows))
            for kind in ("postgres", "adbc"):
                with watched(process) as peak:
                    rows, seconds = read(zygote, server, kind)
                tell(
                    f"source_{kind}", rows=rows, seconds=seconds, rows_a_second=rows / seconds, peak_mb=peak.mb,
                    bar_mb=BAR_MB, ok=peak.mb <= BAR_MB and rows == options.rows,
                )  # fmt: skip
    finally:
        zygote.stop()


if __name__ == "__main__":
    main()
