"""Small queries over HTTP: one client's median (bar 10 ms), and how many a second 16 clients get (bar 300).

`hanse serve` runs in a process of its own over the published example; this process is the client, on plain sockets
kept open. The governed question counts 3 322 aircraft by maker, whose registrations the readers see as hashes; the
lookup reads 16 open carriers. The 16 clients are four persons: one alone may not hold all workers. Every answer is
compared with the first. The other side is the same statement in DuckDB in this process, over the same Parquet files.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

import duckdb
from _measure import tell, wall_of
from _mesh import Served, demo_once, grant, scans, serve

from hanse.cli.local import token

QUERIES = {
    "governed": "SELECT manufacturer, count(*) AS aircraft, min(tailnum) AS first FROM fleet.aircraft "
    "GROUP BY manufacturer ORDER BY aircraft DESC, manufacturer LIMIT 3",
    "lookup": "SELECT carrier, name FROM operations.carriers WHERE carrier IN ('AA', 'UA', 'B6') ORDER BY carrier",
}
PEOPLE = ("consumer", "owner_experience", "owner_weather", "owner_network")
CLIENTS, SECONDS, ONE = 16, 5.0, 300
P50_BAR, RATE_BAR = 10.0, 300.0


class Asker:
    """One client: a connection that stays open, and a question that it asks again and again."""

    def __init__(self, served: Served, person: str, sql: str) -> None:
        body = json.dumps({"sql": sql, "purpose": "planning"}).encode()
        self._port = served.port
        self._request = (
            b"POST /api/v1/query HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer %s\r\ncontent-length: %d\r\n\r\n%s"
        ) % (token(served.folder, person).encode(), len(body), body)

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self) -> list[object]:
        """The rows of one answer; anything but 200 ends the benchmark."""
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        body = await self._reader.readexactly(int(lines[b"content-length"]))
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(f"no answer: {body[:500]!r}")
        rows: list[object] = json.loads(body)["rows"]
        return rows

    async def median(self, times: int) -> float:
        """Milliseconds of the median of `times` questions."""
        found = []
        for _ in range(times):
            start = time.perf_counter()
            await self.ask()
            found.append(time.perf_counter() - start)
        return statistics.median(found) * 1000


async def rate(askers: list[Asker], expected: list[object], seconds: float) -> float:
    """Answers a second that all `askers` together get; each must be the expected one."""
    end = time.perf_counter() + seconds

    async def again(asker: Asker) -> int:
        answers = 0
        while time.perf_counter() < end:
            if await asker.ask() != expected:
                raise SystemExit("an answer under load differs from the first")
            answers += 1
        return answers

    return sum(await asyncio.gather(*map(again, askers))) / seconds


async def measure(name: str, sql: str, served: Served, raw: duckdb.DuckDBPyConnection) -> None:
    askers = [Asker(served, PEOPLE[i % len(PEOPLE)], sql) for i in range(CLIENTS)]
    for asker in askers:
        await asker.open()
    expected = await askers[0].ask()
    await rate(askers, expected, 1.0)  # engines and copies stand, as in a node that runs
    rounds = [(await askers[0].median(ONE // 3), _median(raw, sql)) for _ in range(3)]
    p50, theirs = (statistics.median(side) for side in zip(*rounds, strict=True))
    many = await rate(askers, expected, SECONDS)
    tell(
        f"small_query_{name}", p50_ms=p50, bar_ms=P50_BAR, duckdb_ms=theirs, ratio=p50 / theirs, clients=CLIENTS,
        queries_per_second=many, bar_per_second=RATE_BAR, duckdb_per_second=1000 / theirs,
        rate_ratio=many * theirs / 1000, ok=p50 <= P50_BAR and many >= RATE_BAR,
    )  # fmt: skip


def _median(raw: duckdb.DuckDBPyConnection, sql: str) -> float:
    return statistics.median(wall_of(lambda: raw.execute(sql).fetchall()) for _ in range(ONE // 3)) * 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "flights"
        demo_once(root)
        raw = duckdb.connect()
        for address, scan in scans(root).items():
            domain, product, _ = address
            raw.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {domain}")
            raw.execute(f"CREATE VIEW {domain}.{product} AS {scan}")
        with serve(root) as served:
            for person in PEOPLE:
                grant(served.client("owner_fleet"), "fleet/aircraft", f"person:{person}", "planning")
            for name, sql in QUERIES.items():
                asyncio.run(measure(name, sql, served, raw))


if __name__ == "__main__":
    main()
