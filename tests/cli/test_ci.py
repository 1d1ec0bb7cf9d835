"""The pipeline that `hanse ci` writes: its own steps, run as they stand, against a node that serves."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hanse.cli.local import holder, token
from tests.demo import BIN, free_port
from tests.steps.mesh_of_two import CSV, PEOPLE, files

# the code host's own tool keeps comments there; here a file does, by the same calls
GH = """#!{python}
import os, sys
store = os.environ["STORE"]
words = sys.argv[1:]
assert words[0] == "api", words
if "-X" in words:
    body = next(word for word in words if word.startswith("body=@")).removeprefix("body=@")
    open(store, "w").write(open(body).read())
    open(store + ".calls", "a").write(words[words.index("-X") + 1] + " " + words[3] + "\\n")
elif os.path.exists(store):
    asked = words[words.index("--jq") + 1]
    assert asked.startswith(os.environ["OURS"]), asked
    print("7" if asked.endswith("| .id") else open(store).read())
"""


class Host:
    """Runs the jobs of a workflow on a checkout, as a code host does."""

    def __init__(self, checkout: Path, address: str, bearer: str, tools: Path) -> None:
        self.checkout = checkout
        self.workflow: dict[str, Any] = yaml.safe_load((checkout / ".github" / "workflows" / "hanse.yml").read_text())
        self.store = tools / "comment.md"
        self.environment = {
            **os.environ,
            "PATH": f"{tools}:{BIN}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(tools),
            "STORE": str(self.store),
            "OURS": self.workflow["env"]["OURS"],
            "COMMENTS": "repos/o/r/issues/1/comments",
            "COMMENT": "repos/o/r/issues/comments",
            "HANSE_NODE": address,
            "HANSE_TOKEN": bearer,
        }

    def run(self, job: str) -> list[subprocess.CompletedProcess[str]]:
        """The job's own commands in order; one that fails ends it, but for what always runs."""
        done: list[subprocess.CompletedProcess[str]] = []
        for step in self.workflow["jobs"][job]["steps"]:
            failed = any(one.returncode for one in done)
            if "run" not in step or step["run"].startswith("pip ") or (failed and step.get("if") != "always()"):
                continue
            line = ["bash", "-e", "-c", step["run"]]
            done.append(
                subprocess.run(
                    line, cwd=self.checkout, env=self.environment, capture_output=True, text=True, timeout=120
                )
            )
        return done


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    project = tmp_path / "node"
    # the pipeline publishes what both domains own
    people = PEOPLE + "  pipeline: {title: Pipeline, teams: [sales, growth]}\n"
    made = {**files(), "data/orders.csv": CSV, "people.yaml": people}
    for domain in ("sales", "growth"):
        made[f"{domain}/domain.yaml"] = made[f"{domain}/domain.yaml"].replace("]}", "], pipeline: [owner]}")
    for path, text in made.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)
    checkout = tmp_path / "checkout"
    shutil.copytree(project, checkout)
    written = subprocess.run(
        [str(BIN / "hanse"), "ci", "github"], cwd=checkout, capture_output=True, text=True, timeout=60
    )
    assert "Wrote .github/workflows/hanse.yml" in written.stdout, written.stderr
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gh").write_text(GH.format(python=sys.executable))
    (tools / "gh").chmod(0o755)
    node = subprocess.Popen(
        [str(BIN / "hanse"), "--dir", str(project), "serve", "--port", str(free_port())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 60
        while (address := holder(project)) is None and time.monotonic() < end:
            time.sleep(0.05)
        assert address is not None
        yield Host(checkout, address, token(project, "pipeline"), tools)
    finally:
        node.terminate()
        node.wait(30)


def _edit(host: Host, path: str, old: str, new: str) -> None:
    file = host.checkout / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_pull_request_is_planned_in_one_comment_and_its_merge_publishes_that_plan(host: Host) -> None:
    validate, plan, comment = host.run("plan")
    assert (validate.returncode, plan.returncode, comment.returncode) == (0, 0, 0), plan.stderr + comment.stderr
    first = host.store.read_text()
    assert re.match(r"<!-- hanse-plan [0-9a-f]{64} -->\n\*\*Plan ", first)
    assert "<details>" in first
    _edit(host, "sales/orders/orders.odps.yaml", "status: active", "status: draft")
    assert not any(one.returncode for one in host.run("plan"))
    second = host.store.read_text()
    assert second.partition("\n")[0] != first.partition("\n")[0]
    calls = Path(f"{host.store}.calls").read_text().split("\n")
    assert [call.split()[0] for call in calls if call] == ["POST", "PATCH"]

    [published] = host.run("publish")
    assert published.returncode == 0, published.stderr
    assert "sales/orders" in published.stdout


def test_a_merge_whose_files_moved_since_the_review_stops_with_exit_code_5(host: Host) -> None:
    host.run("plan")
    _edit(host, "sales/orders/orders.odps.yaml", "status: active", "status: draft")
    [published] = host.run("publish")
    assert published.returncode == 5
    assert "plan.out-of-date" in published.stderr


def test_a_file_with_an_error_is_annotated_and_ends_the_job(host: Host) -> None:
    _edit(host, "sales/orders/orders.odps.yaml", "status: active", "status: sleeping")
    validate, *_ = host.run("plan")
    assert validate.returncode == 1
    assert re.search(r"^::error file=sales/orders/orders\.odps\.yaml,line=\d+", validate.stdout, re.MULTILINE)


def test_a_pipeline_that_is_there_is_left_alone(host: Host) -> None:
    file = host.checkout / ".github" / "workflows" / "hanse.yml"
    file.write_text("mine")
    done = subprocess.run(
        [str(BIN / "hanse"), "ci", "github"], cwd=host.checkout, capture_output=True, text=True, timeout=60
    )
    assert "it was left" in done.stdout
    assert file.read_text() == "mine"


def test_findings_are_told_as_gitlab_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "a.odcs.yaml"
    file.write_text("kind: DataContract\napiVersion: v3.1.0\n")
    line = [str(BIN / "hanse"), "validate", str(file), "--format", "gitlab"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert all({"description", "check_name", "fingerprint", "severity", "location"} == set(one) for one in told)
    assert len({one["fingerprint"] for one in told}) == len(told) > 0
