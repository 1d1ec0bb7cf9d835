"""Schedules on a node that serves: what its people see of runs, one of which is killed and one of which fails."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hanse.cli.local import holder
from tests.demo import free_port
from tests.steps.mesh_of_two import CSV, PEOPLE, files

HANSE = Path(sys.executable).with_name("hanse")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("HANSE_")}
SLOW = """import time

import pyarrow as pa
import pyarrow.compute as pc


def score(baskets: pa.Table) -> pa.Table:
    time.sleep(2)
    return pa.table({"customer": baskets["customer"], "score": pc.multiply(baskets["orders"], 10)})
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    user = getpass.getuser()
    people = PEOPLE.replace("Owner of growth, teams", f"Owner of growth, login: {user}, teams")
    given = files() | {"people.yaml": people, "data/orders.csv": CSV, "growth/scores/scores.py": SLOW}
    for name in ("baskets", "scores"):
        given[f"growth/{name}/build.yaml"] += "schedule: {after: inputs}\n"
    for path, text in given.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


class Serving:
    """`hanse serve` of the mesh, as often as it is killed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = [HANSE, "--dir", self.root, "serve", "--port", str(free_port())]
        self.process = subprocess.Popen(words, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        until = time.monotonic() + 30
        while holder(self.root) is None or self.hanse("status", check=False).returncode:
            assert time.monotonic() < until
            time.sleep(0.05)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def hanse(self, *words: str, by: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        told = ["as", by, "--", *words] if by else list(words)
        done = subprocess.run(
            [HANSE, "--dir", self.root, *told], capture_output=True, text=True, env=ENVIRONMENT, timeout=60
        )
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done

    def runs(self, product: str) -> list[dict[str, Any]]:
        told = json.loads(self.hanse("runs", "--json").stdout)["runs"]
        return [run for run in told if run.get("product") == product]

    def wait(self, product: str, state: str, number: int = 1) -> dict[str, Any]:
        """The newest run of `product`, once it has had `number` of them and this one is in `state`."""
        until = time.monotonic() + 40
        while len(found := self.runs(product)) < number or found[0]["state"] != state:
            assert time.monotonic() < until, found
            time.sleep(0.1)
        return found[0]


@pytest.fixture
def node(root: Path) -> Iterator[Serving]:
    serving = Serving(root)
    serving.start()
    yield serving
    serving.kill()


def test_runs_follow_inputs_survive_a_kill_and_tell_of_failures(root: Path, node: Serving) -> None:
    node.hanse("publish", "--only", "sales/orders", "--yes", by="owner_sales")
    node.hanse("publish", "--only", "growth/baskets", "--only", "growth/scores", "--yes")
    settled(node)

    before = {name: sequence(node, name) for name in ("growth/baskets", "growth/scores")}
    (root / "data/orders.csv").write_text(CSV + "4,cyd,cyd@x.org,3\n")
    count = len(node.runs("growth/scores"))
    node.hanse("publish", "--only", "sales/orders", "--yes", by="owner_sales")
    going = node.wait("growth/scores", "running", count + 1)
    node.kill()  # while the product is built
    assert sequence_on_disk(root, "scores") == before["growth/scores"]
    node.start()
    again = node.wait("growth/scores", "done", count + 1)
    assert (again["id"], again["starts"]) == (going["id"], 2)
    settled(node)
    assert {name: sequence(node, name) for name in before} == {name: number + 1 for name, number in before.items()}
    assert node.hanse("query", "select score from growth.scores where customer = 'cyd'").stdout.endswith("10\n")
    told = node.hanse("runs", again["id"]).stdout
    assert "the node ended during this run; it goes on" in told
    assert "begun again after the node had ended" in told

    # an owner who may not see growth's runs is told nothing of them
    assert again["id"] not in node.hanse("runs", by="owner_sales").stdout
    assert node.hanse("runs", again["id"], by="owner_sales", check=False).stderr.startswith("run.unknown")
    assert node.hanse("runs", "cancel", again["id"], by="stranger", check=False).stderr.startswith("run.unknown")

    status = json.loads(node.hanse("status", "--json").stdout)["products"]
    run = next(one["run"] for one in status if one["product"] == "growth/scores")
    assert (run["state"], run["next"], run["after_inputs"]) == ("done", None, True)
    assert "done just now, after inputs" in node.hanse("status").stdout


def test_a_run_is_cancelled_within_two_seconds(root: Path, node: Serving) -> None:
    (root / "growth/scores/scores.py").write_text(SLOW.replace("sleep(2)", "sleep(2 if len(baskets) < 3 else 600)"))
    node.hanse("publish", "--only", "sales/orders", "--yes", by="owner_sales")
    node.hanse("publish", "--only", "growth/baskets", "--only", "growth/scores", "--yes")
    settled(node)
    before, count = sequence(node, "growth/scores"), len(node.runs("growth/scores"))
    (root / "data/orders.csv").write_text(CSV + "4,cyd,cyd@x.org,3\n")
    node.hanse("publish", "--only", "sales/orders", "--yes", by="owner_sales")
    run = node.wait("growth/scores", "running", count + 1)
    time.sleep(1)
    began = time.monotonic()
    assert node.hanse("runs", "cancel", run["id"]).stdout == f"{run['id']} cancelled\n"
    assert time.monotonic() - began < 4  # two of them are the verb's own, with its client, start to end
    told = node.runs("growth/scores")[0]
    assert told["state"] == "cancelled"
    assert sequence(node, "growth/scores") == before


def settled(node: Serving) -> None:
    """Wait until no run waits or goes on, and none begins for a second."""
    quiet = 0
    while quiet < 5:
        told = json.loads(node.hanse("runs", "--json").stdout)["runs"]
        quiet = 0 if any(run["ended_at"] is None for run in told) else quiet + 1
        time.sleep(0.1)


def sequence(node: Serving, product: str) -> int:
    told = json.loads(node.hanse("status", "--json").stdout)["products"]
    return next(int(one["sequence"]) for one in told if one["product"] == product)


def sequence_on_disk(root: Path, product: str) -> int:
    import sqlite3

    with sqlite3.connect(f"file:{root}/.hanse/homes/growth/store.db?mode=ro", uri=True) as store:
        (found,) = store.execute("SELECT current_publication FROM product WHERE name = ?", [product]).fetchone()
    return int(found)
