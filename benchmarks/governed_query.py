"""Governed queries in the node against DuckDB in this process: TPC-H, the very same Parquet files, equal threads.

The owner publishes TPC-H through the walk. One team reads it clear; another gets three columns of customer as hashes
and only some rows of orders and lineitem. Wall time from the statement to its last Arrow batch, measured in turn; the
ratio is the geometric mean over the 22 queries. Warm: the engine and, under policy, the governed copies stand. Cold:
no copy stands. Every answer is first compared with what DuckDB gives over the raw files, the policy applied in SQL.
Bars: clear 1.15, under policy warm 1.15, cold 6.
"""

from __future__ import annotations

import argparse
import hmac
import math
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import _tpch
import duckdb
import pyarrow as pa
from _measure import geometric_mean, in_turn, tell, wall_of
from _mesh import InThread, tpch

from hanse.app import clock
from hanse.engine.storage import scan_sql
from hanse.governance.decision import Principal, PrincipalKind, Request
from hanse.node.steps.query import query

BARS = {"clear": 1.15, "governed": 1.15, "cold": 6.0}
SHOWN = {"clear": "governed_query_clear", "governed": "governed_query_policy", "cold": "governed_query_policy_cold"}


class Bench:
    """Both sides: the node that holds TPC-H, and an engine over the files of its snapshots."""

    def __init__(self, folder: Path) -> None:
        self.run = InThread(folder)
        self.home = self.run.node.homes["tpch"]
        lines = [line for product in self.home.published().values() for line in product.lines.values()]
        self.relations: set[str] = set()  # kinds, of the last answer
        self.tables = {name: table for line in lines for name, table in line.snapshot.tables.items()}

    def raw(self, rows: Mapping[str, str]) -> duckdb.DuckDBPyConnection:
        """DuckDB over the files of the snapshots, of some tables only `rows`."""
        connection = duckdb.connect(config={"threads": str(self.run.node.engine.settings.threads)})
        for name, table in self.tables.items():
            scan = scan_sql(table, self.home.warehouse)
            connection.execute(f"CREATE VIEW {name} AS FROM ({scan}) WHERE {rows.get(name, 'true')}")
        return connection

    def under_policy(self) -> duckdb.DuckDBPyConnection:
        """DuckDB with the policy applied to the raw files; the hashes are made by Python's own HMAC."""
        connection = self.raw(_tpch.ROWS)
        customer = connection.execute("FROM customer").to_arrow_table()
        for name in _tpch.MASKED:
            texts = customer[name].to_pylist()
            shown = [hmac.digest(self.home.mask_key, text.encode(), "sha256").hex()[:24] for text in texts]
            customer = customer.set_column(customer.schema.get_field_index(name), name, pa.array(shown))
        connection.execute("DROP VIEW customer")
        connection.register("customer", customer)
        return connection

    def ask(self, team: str, sql: str) -> pa.Table:
        """The whole answer as Arrow, as a person of `team` gets it."""
        person = Principal(PrincipalKind.PERSON, team, frozenset({team}), scopes=frozenset({"read"}))

        async def whole() -> pa.Table:
            answer = await query(self.run.node, Request(person, clock(), purpose="bench"), sql)
            table = await answer.table()
            self.relations = set(answer.relations.values())
            return table

        return self.run(whole())

    def settled(self, sql: str) -> pa.Table:
        """The governed answer once it rests on nothing but copies."""
        while True:
            table = self.ask("governed", sql)
            if "reader" not in self.relations:
                return table
            time.sleep(0.2)


def same(ours: pa.Table, theirs: pa.Table) -> bool:
    """Whether both hold the same rows in any order, doubles but for their last digits."""
    one, other = (sorted((tuple(row.values()) for row in table.to_pylist()), key=_order) for table in (ours, theirs))
    return len(one) == len(other) and all(
        len(a) == len(b) and all(map(_equal, a, b)) for a, b in zip(one, other, strict=True)
    )


def _order(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(f"{value:.6g}" if isinstance(value, float) else str(value) for value in row)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


def measure(bench: Bench, times: int) -> dict[str, dict[int, tuple[float, float]]]:
    """Seconds of both sides by state and query."""
    found: dict[str, dict[int, tuple[float, float]]] = {name: {} for name in BARS}
    raw, governed = bench.raw({}), bench.under_policy()
    for number, sql in _tpch.queries().items():
        addressed = _tpch.addressed(sql, set(bench.tables))
        theirs = partial(wall_of, lambda sql=sql: raw.execute(sql).to_arrow_table())
        clear = partial(wall_of, partial(bench.ask, "clear", addressed))
        policy = partial(wall_of, partial(bench.ask, "governed", addressed))
        if not same(bench.ask("clear", addressed), raw.execute(sql).to_arrow_table()):
            raise SystemExit(f"query {number}: a clear answer differs from DuckDB's")
        found["clear"][number] = in_turn(clear, theirs, times)
        bench.run.node.engine.drop_copies(bench.home.copies)
        found["cold"][number] = in_turn(policy, theirs, 1)
        if not same(bench.settled(addressed), governed.execute(sql).to_arrow_table()):
            raise SystemExit(f"query {number}: a governed answer differs from the policy applied by DuckDB")
        found["governed"][number] = in_turn(policy, theirs, times)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="TPC-H scale factor")
    parser.add_argument("--times", type=int, default=3, help="measurements of each warm query")
    options, _ = parser.parse_known_args()  # `make bench ARGS=…` gives all of them the same
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "tpch"
        tpch(root, options.scale)
        bench = Bench(root)
        try:
            found = measure(bench, options.times)
        finally:
            bench.run.close()
    for name, pairs in found.items():
        ratios = {number: ours / theirs for number, (ours, theirs) in pairs.items()}
        tell(
            SHOWN[name], ratio=(ratio := geometric_mean(ratios.values())), bar=BARS[name], ok=ratio <= BARS[name],
            scale=options.scale, hanse_seconds=sum(a for a, _ in pairs.values()),
            duckdb_seconds=sum(b for _, b in pairs.values()), ratios=ratios,
        )  # fmt: skip


if __name__ == "__main__":
    main()
