"""A node that serves: found by its lock, refuses what it must, ends what it began."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from hanse.cli.local import holder, token
from tests.demo import free_port
from tests.steps.mesh_of_two import CSV, files

HANSE = Path(sys.executable).with_name("hanse")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("HANSE_")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in {**files(), "data/orders.csv": CSV}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.fixture
def node(root: Path) -> Iterator[subprocess.Popen[str]]:
    words = [HANSE, "--dir", root, "serve", "--port", str(free_port())]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    for _ in range(200):
        if holder(root) is not None:
            break
        time.sleep(0.05)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def _run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HANSE, *map(str, words)], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)


def test_verbs_find_the_node_by_its_lock_and_a_signal_drains_it(root: Path, node: subprocess.Popen[str]) -> None:
    address = holder(root)
    assert address is not None
    assert address in _run("--dir", root, "as", "owner_sales", "--", "status").stdout
    bearer = {"authorization": f"Bearer {token(root, 'owner_sales')}"}
    with httpx.Client(base_url=address, headers=bearer, timeout=30, trust_env=False) as client:
        for _ in range(100):
            try:
                if client.get("/ready").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.05)
        client.post("/api/v1/query", json={"sql": "select 1"})
        # a question that goes on is finished; nothing new is taken
        slow = "select count(*) from range(30000) a(i), range(15000) b(j) where (i * j) % 7 = 1"
        with ThreadPoolExecutor(1) as thread:
            asked = thread.submit(client.post, "/api/v1/query", json={"sql": slow})
            time.sleep(0.5)
            assert not asked.done()
            node.send_signal(signal.SIGTERM)
            assert asked.result().json()["rows"][0][0] > 0
    assert node.wait(30) == 0
    assert holder(root) is None
    assert "Bearer" not in (node.stderr.read() if node.stderr else "")


def test_nobody_opens_homes_that_are_held(root: Path, node: subprocess.Popen[str]) -> None:
    done = _run("--dir", root, "serve", "--port", free_port())
    assert done.returncode == 4
    assert str(holder(root)) in done.stderr


def test_a_node_listens_off_loopback_with_tls_only(root: Path) -> None:
    done = _run("--dir", root, "serve", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert done.stderr.startswith("serve.no-tls")
    assert not (root / ".hanse" / "homes").exists()


def test_a_taken_address_is_told_with_another(root: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = _run("--dir", root, "serve", "--port", taken.getsockname()[1])
    assert done.returncode == 2
    assert "mend: --port " in done.stderr


def test_a_folder_of_other_files_is_not_made_a_home(root: Path) -> None:
    done = _run("--dir", root, "serve", root / "sales")
    assert (done.returncode, "not a home" in done.stderr) == (2, True)
    assert not (root / "sales" / "store.db").exists()
