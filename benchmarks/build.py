"""Builds of five tables in a running node, CPU against plain DuckDB that makes the same Parquet from the same Parquet.

The five are those that stand on the flights: operations.flights itself, copied from its source, and what is derived of
it: fleet.utilisation, network.routes, experience.delay_causes and experience.punctuality (a Python transform there, SQL
here). Our side is the CPU of `hanse serve` with all its processes, over HTTP, as the four owners: first `full`, then
with nothing to do, which is held against the same five in DuckDB. DuckDB runs in this process, warm, with the codec
that the node writes. The bars: 2.0 and 0.5. The command line with no node running is told beside them.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from functools import partial
from pathlib import Path

import duckdb
from _measure import EXAMPLE, HANSE, CpuOfTree, cpu_of, in_turn, tell
from _mesh import ENVIRONMENT, Served, demo_once, scans, serve

from hanse.cli.local import token
from hanse.cli.transport import read_bundle
from hanse.names import quote

OWNERS = {
    "owner_operations": ["operations/flights"],
    "owner_fleet": ["fleet/utilisation"],
    "owner_network": ["network/routes"],
    "owner_experience": ["experience/delay_causes", "experience/punctuality"],
}
PUNCTUALITY = """\
SELECT carrier, month, count(*) AS flights, count(*) FILTER (arr_delay <= 15) AS punctual,
       count(*) FILTER (arr_delay <= 15) / count(*) AS share, any_value(name) AS name
FROM operations.flights_v1.flights JOIN operations.carriers_v1.carriers USING (carrier)
GROUP BY carrier, month ORDER BY carrier, month
"""


class Plain:
    """DuckDB over the published files, as a pipeline without a mesh has them."""

    def __init__(self, root: Path, out: Path) -> None:
        self._connection, self._out = duckdb.connect(), out
        for (domain, product, table), scan in scans(root).items():
            schema = f"{domain}.{product}_v1"
            self._connection.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {domain}; CREATE SCHEMA {schema}")
            self._connection.execute(f"CREATE VIEW {schema}.{table} AS {scan}")
        source = quote(str(root / "data" / "flights.parquet"))
        self._queries = {"punctuality": PUNCTUALITY}
        for name in (name for products in OWNERS.values() for name in products):
            file = EXAMPLE / name / f"{name.partition('/')[2]}.sql"
            if file.exists():
                self._queries[file.stem] = file.read_text().replace("flights_file", source)

    def build(self) -> dict[str, int]:
        """Write the five tables; their rows."""
        rows = {}
        for name, sql in self._queries.items():
            made = self._connection.execute(f"COPY (\n{sql}\n) TO '{self._out / name}.parquet' (COMPRESSION zstd)")
            rows[name] = int(made.fetchall()[0][0])
        return rows

    def cpu(self) -> float:
        before = resource.getrusage(resource.RUSAGE_SELF)
        self.build()
        after = resource.getrusage(resource.RUSAGE_SELF)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Ours:
    """The node that serves, asked by the owners."""

    def __init__(self, served: Served) -> None:
        self._served, self._files = served, read_bundle(served.folder)
        self._clients = {owner: served.client(owner) for owner in OWNERS}

    def build(self, *, full: bool) -> dict[str, int]:
        """Build the five tables, or find that there is nothing to do; their rows."""
        rows = {}
        for owner, products in OWNERS.items():
            report = self._clients[owner].run("/build", {"files": self._files, "products": products, "full": full})
            states = {table["state"] for table in report["tables"]}
            if states != ({"built"} if full else {"unchanged"}):
                raise SystemExit(f"{products}: {states} {report['findings']}")
            rows |= {table["product"].partition("/")[2]: table["rows"] for table in report["tables"]}
        return rows

    def cpu(self, *, full: bool) -> float:
        with CpuOfTree(self._served.pid) as used:
            self.build(full=full)
        return used.seconds


def cold(root: Path, *words: str) -> float:
    """CPU of `hanse build`, a process an owner, with no node running."""
    return sum(
        cpu_of(
            [str(HANSE), "--dir", str(root), "build", *words, *products],
            env={**ENVIRONMENT, "HANSE_TOKEN": token(root, owner)},
        )
        for owner, products in OWNERS.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="measurements of each side")
    options, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "flights"
        demo_once(root)
        plain = Plain(root, Path(folder))
        first, nothing_cold = cold(root, "--full"), cold(root)
        with serve(root) as served:
            ours = Ours(served)
            if (mine := ours.build(full=True)) != (other := plain.build()):
                raise SystemExit(f"the tables differ: {mine} {other}")
            for name, full, bar, cli in (("full", True, 2.0, first), ("nothing_to_do", False, 0.5, nothing_cold)):
                cpu, theirs = in_turn(partial(ours.cpu, full=full), plain.cpu, options.times)
                tell(
                    f"build_{name}", ratio=(ratio := cpu / theirs), bar=bar, ok=ratio <= bar, hanse_cpu=cpu,
                    duckdb_cpu=theirs, cold_cli_cpu=cli, cold_cli_ratio=cli / theirs,
                )  # fmt: skip


if __name__ == "__main__":
    main()
