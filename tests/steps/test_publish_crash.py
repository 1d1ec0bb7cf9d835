"""publish survives SIGKILL at each step: one state whole, acknowledged is durable, a retry is one publication."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from hanse.engine import storage
from hanse.engine.storage.catalogue import opened as iceberg
from hanse.names import PortLine
from hanse.node.failpoints import STEPS
from hanse.node.home import Home
from hanse.node.steps import audit
from tests.steps.mesh_of_two import CSV, files
from tests.steps.walking import ORDERS, OWNER_SALES, planned, publish, published
from tests.steps.world import opened

MORE = CSV + "4,eve,eve@x.org,99\n"
LINE = PortLine(ORDERS, "orders", 1)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which orders is published once, and whose source then got a row more."""
    root = tmp_path_factory.mktemp("before") / "mesh"
    with opened(root, files(), {"orders.csv": CSV}) as world:
        assert published(world, ORDERS).ok
    (root / "data/orders.csv").write_text(MORE)
    return root


def read(home: Home) -> list[int]:
    snapshot = home.published()[ORDERS].lines[LINE].snapshot.tables["orders"]
    return [
        row[0]
        for row in duckdb.sql(f"SELECT id FROM ({storage.scan_sql(snapshot, home.warehouse)}) ORDER BY 1").fetchall()
    ]


def die(root: Path, point: str) -> str | None:
    """Publish in a process that kills itself at `point`; returns the plan's id, if it got so far."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.steps.crash_child", str(root)],
        env={**os.environ, "HANSE_FAILPOINT": f"{point}:sigkill"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    said = ended.stdout.split()
    assert len(said) <= 1, "it was killed before it answered"
    return said[0] if said else None


@pytest.mark.parametrize("point", [*STEPS, "P7+"])
def test_a_kill_at_any_step_leaves_one_state_whole_and_a_retry_gives_one_publication(
    before: Path, tmp_path: Path, point: str
) -> None:
    root = tmp_path / "mesh"
    shutil.copytree(before, root)
    plan_id = die(root, point)
    since = time.monotonic()
    with opened(root, {}, {}) as world:
        assert time.monotonic() - since < 10
        home = world.node.homes["sales"]
        after = point in ("P7+", "P8", "P9", "P10")
        assert read(home) == ([1, 2, 3, 4] if after else [1, 2, 3])
        plan_id = plan_id or planned(world).id
        report = publish(world.node, plan_id, principal=OWNER_SALES, only=[ORDERS])
        assert [(one.state, one.sequence) for one in report.products] == [("published", 2)]
        assert read(home) == [1, 2, 3, 4]
        assert [one.key for one in home.store.publications(ORDERS)][1:] == [plan_id]
        assert not home.store.events(undelivered=True)
        names = [event.name for event in home.store.events() if event.product == "orders"]
        assert names.count("product.published") == 2
        assert all(proof.as_json()["ok"] for proof in audit.verify(world.node, OWNER_SALES))
        current = home.published()[ORDERS].lines[LINE].snapshot.tables["orders"]
        with iceberg(home.catalog, home.warehouse) as catalogue:
            main = catalogue.load_table(current.iceberg_table).metadata.refs["main"]
        assert main.snapshot_id == current.snapshot_id
