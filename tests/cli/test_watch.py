"""The inner loop at the command line: a saved file is built and its first rows are shown."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import threading
from pathlib import Path

from tests.demo import BIN
from tests.steps.mesh_of_two import CSV, PEOPLE, files


def test_a_saved_transform_is_built_and_shown_and_an_error_ends_nothing(tmp_path: Path) -> None:
    people = PEOPLE.replace("Owner of sales, teams", f"Owner of sales, login: {getpass.getuser()}, teams")
    for path, text in {**files(), "data/orders.csv": CSV, "people.yaml": people}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    environment = {k: v for k, v in os.environ.items() if k not in ("HANSE_TOKEN", "HANSE_NODE")}
    line = [str(BIN / "hanse"), "build", "sales/orders", "--watch", "--sample", "100%"]
    watching = subprocess.Popen(
        line, cwd=tmp_path, env={**environment, "PYTHONUNBUFFERED": "1"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert watching.stdout is not None
    deadline = threading.Timer(60, watching.kill)
    deadline.start()
    said: list[str] = []

    def until(words: str) -> None:
        assert watching.stdout is not None
        for told in watching.stdout:
            said.append(told)
            if words in told:
                return
        raise AssertionError("".join(said))

    transform = tmp_path / "sales" / "orders" / "orders.sql"
    text = transform.read_text()
    try:
        until("ada")
        until("Watching")
        transform.write_text("SELECT nothing FROM raw\n")
        until("nothing")
        until("Watching")
        transform.write_text(text.replace("customer,", "upper(customer) AS customer,"))
        until("ADA")
        until("Watching")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 130
    finally:
        deadline.cancel()
        watching.kill()
        watching.wait()
        watching.stdout.close()
