"""Upkeep: stages and files that nothing names go when their grace is over, and never before."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from hanse.engine import storage
from hanse.engine.snapshot import LineSnapshot
from hanse.names import PortLine, ProductId, TableId
from hanse.node.home import Home
from hanse.node.home.values import LineRecord, Publication
from hanse.node.upkeep import clean
from hanse.spec import document, read

ORDERS = ProductId("sales", "orders")
LINE = PortLine(ORDERS, "orders", 1)
CONTRACT = """apiVersion: v3.2.0
kind: DataContract
id: sales.orders.v1
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer}
"""
GRACE = timedelta(hours=24)


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def staged(home: Home, values: list[int], branch: str) -> LineSnapshot:
    loaded, _ = document.load(CONTRACT, "orders.v1.odcs.yaml")
    assert loaded is not None
    contract, _ = read.contract(loaded)
    assert contract is not None
    rows = pa.table({"id": pa.array(values, pa.int64())}).to_reader()
    table = storage.stage(
        home.warehouse, home.catalog, TableId(ORDERS, 1, "orders"), contract.tables[0], "orders", rows,
        base=None, mode="full", branch=branch,
    )  # fmt: skip
    return LineSnapshot({"orders": table}, branch)


def files_of(home: Home, line: LineSnapshot) -> list[Path]:
    return [home.warehouse / file.path for table in line.tables.values() for file in table.files]


def files_gone(home: Home) -> int:
    done = clean(home, GRACE, by="node")
    assert done is not None
    return done.files


def publish(home: Home, snapshot: LineSnapshot) -> None:
    with home.change() as change:
        home.store.know(change.connection, ORDERS, "sales.orders", "active")
        done = home.store.append(
            change.connection,
            Publication(
                ORDERS, 1, 0, "publish", "p", "k", (LineRecord(LINE, "1.0.0", "c", snapshot),), 1, {1: "orders"},
                "b", "p", "active", "person:ada", home.clock(),
            ),
        )  # fmt: skip
        assert done


def test_a_stage_without_publication_is_swept_after_its_grace(tmp_path: Path, clock: Clock) -> None:
    home = Home.create(tmp_path / "sales", "sales", clock)
    published, waiting = staged(home, [1, 2], "a"), staged(home, [3], "b")
    publish(home, published)
    home.store.put_stage(ORDERS, LINE, waiting, "f", "b")
    assert files_gone(home) == 0
    assert home.store.stage(ORDERS, LINE) is not None
    clock.now += GRACE + timedelta(minutes=1)
    assert files_gone(home) > 0
    assert home.store.stage(ORDERS, LINE) is None
    assert not any(path.exists() for path in files_of(home, waiting))
    assert all(path.exists() for path in files_of(home, published))
    assert files_gone(home) == 0
    home.close()


def test_a_file_that_a_cut_build_left_is_swept(tmp_path: Path, clock: Clock) -> None:
    home = Home.create(tmp_path / "sales", "sales", clock)
    published = staged(home, [1], "a")
    publish(home, published)
    orphan = files_of(home, published)[0].with_name("cut-off.parquet")
    orphan.write_bytes(b"PAR1")
    assert files_gone(home) == 0
    long_ago = (clock.now - GRACE - timedelta(hours=1)).timestamp()
    os.utime(orphan, (long_ago, long_ago))
    assert files_gone(home) > 0
    assert not orphan.exists()
    assert all(path.exists() for path in files_of(home, published))
    home.close()
