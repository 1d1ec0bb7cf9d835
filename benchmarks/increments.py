"""A thousand increments by time, each staged, made durable and published in a home, and what they leave.

Told are: a scan of the table after all of them against one of the same rows in one file that hanse wrote (the bar:
1.5), in this process, warm, in turn; what the last tenth of the increments cost against the first tenth; and the bytes
and files of the home before and after `hanse clean` with `keep: {days: 0, at_least: 3}`.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
from _measure import in_turn, tell, wall_of

from hanse.engine import storage
from hanse.engine.snapshot import LineSnapshot, TableSnapshot
from hanse.names import PortLine, ProductId, TableId
from hanse.node.home import Home
from hanse.node.home.values import LineRecord, Publication
from hanse.node.upkeep import Cleaned, clean
from hanse.spec import document, read

PRODUCT = ProductId("sales", "events")
LINE = PortLine(PRODUCT, "events", 1)
CONTRACT = """apiVersion: v3.2.0
kind: DataContract
id: sales.events.v1
version: 1.0.0
status: active
schema:
  - name: events
    properties:
      - {name: id, logicalType: integer}
      - {name: happened, logicalType: timestamp, physicalType: TIMESTAMP}
      - {name: amount, logicalType: number, physicalType: DOUBLE}
      - {name: kind, logicalType: string}
"""
START = datetime(2026, 1, 1)


class Increments:
    """A home whose one table grows by an hour of rows each time."""

    def __init__(self, folder: Path, rows: int) -> None:
        loaded, _ = document.load(CONTRACT, "events.v1.odcs.yaml")
        assert loaded is not None
        contract, _ = read.contract(loaded)
        assert contract is not None
        self._promised, self._rows = contract.tables[0], rows
        self.home = Home.create(folder / "sales", "sales", lambda: datetime.now(UTC))
        self._bundle = self.home.store.put_texts({"sales/events/build.yaml": "keep: {days: 0, at_least: 3}\n"})
        self.table: TableSnapshot | None = None

    def stage(self, hour: int, *, rows: int | None = None, base: TableSnapshot | None = None) -> TableSnapshot:
        sql = (
            f"SELECT {hour * self._rows} + i AS id,"
            f" TIMESTAMP '{START}' + to_seconds({hour * 3600} + i % 3600) AS happened,"
            f" i * 0.5 AS amount, 'kind ' || i % 7 AS kind FROM range({rows or self._rows}) AS r(i)"
        )
        with duckdb.connect() as engine:
            return storage.stage(
                self.home.warehouse, self.home.catalog, TableId(PRODUCT, 1, "events"), self._promised, "events",
                engine.execute(sql).to_arrow_reader(), base=base, mode="append" if base else "full",
                time_column="happened", since=START + timedelta(hours=hour) if base else None, branch="staged",
            )  # fmt: skip

    def add(self, hour: int) -> None:
        """One increment, staged, durable, published."""
        self.table = self.stage(hour, base=self.table)
        storage.sync_durable(self.home.warehouse, self.table)
        record = LineRecord(LINE, "1.0.0", "c", LineSnapshot({"events": self.table}, str(hour)))
        publication = Publication(
            PRODUCT, hour + 1, hour, "publish", "p", str(hour), (record,), 1, {1: "events"}, self._bundle, "p",
            "active", "person:ada", self.home.clock(),
        )  # fmt: skip
        with self.home.change() as change:
            self.home.store.know(change.connection, PRODUCT, "sales.events", "active")
            if not self.home.store.append(change.connection, publication):
                raise SystemExit("the publication did not become current")
        storage.follow_main(self.home.warehouse, self.home.catalog, self.table)

    def clean(self) -> Cleaned:
        done = clean(self.home, timedelta(0), by="benchmark")
        if done is None:
            raise SystemExit("the home was not cleaned")
        return done


def scan(engine: duckdb.DuckDBPyConnection, table: TableSnapshot, warehouse: Path) -> float:
    sql = f"SELECT kind, count(*), sum(amount), max(happened) FROM ({storage.scan_sql(table, warehouse)}) GROUP BY 1"
    seconds: float = wall_of(lambda: engine.execute(sql).fetchall())
    return seconds


def size(folder: Path) -> tuple[int, int]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=15, help="measurements of each side")
    parser.add_argument("--increments", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=2000, help="rows of an increment")
    options, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        ours = Increments(Path(folder), options.rows)
        cost = [wall_of(partial(ours.add, hour)) for hour in range(options.increments)]
        table, warehouse, home = ours.table, ours.home.warehouse, ours.home
        if table is None or table.rows != options.increments * options.rows:
            raise SystemExit("rows were lost")
        whole = Increments(Path(folder) / "whole", table.rows)
        one = whole.stage(0)
        with duckdb.connect() as engine:
            many_s, one_s = in_turn(
                partial(scan, engine, table, warehouse), partial(scan, engine, one, whole.home.warehouse), options.times
            )
        before = size(home.path)
        took = wall_of(ours.clean)
        after = size(home.path)
        with duckdb.connect() as engine:
            scan(engine, table, warehouse)
        tenth = max(1, options.increments // 10)
        tell(
            "increments",
            increments=options.increments,
            rows=table.rows,
            files=len(table.files),
            scan_s=many_s,
            one_file_s=one_s,
            ratio=many_s / one_s,
            bar=1.5,
            first_tenth_s=sum(cost[:tenth]) / tenth,
            last_tenth_s=sum(cost[-tenth:]) / tenth,
            files_before=before[0],
            bytes_before=before[1],
            files_after=after[0],
            bytes_after=after[1],
            clean_s=took,
        )
        home.close()
        whole.home.close()


if __name__ == "__main__":
    main()
