"""Each snippet works as it is printed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hanse.node.snippets import SNIPPETS
from tests.demo import Demo

PYTHON = sorted(set(SNIPPETS) - {"curl", "hanse"})


@pytest.mark.parametrize("tool", PYTHON)
def test_python_reads_as_it_is_pasted(demo: Demo, tool: str) -> None:
    printed = demo.hanse("read-with", "operations/carriers", tool, person="stranger")
    assert printed.returncode == 0, printed.stderr
    environment = {**demo.environment, "HANSE_TOKEN": demo.token("stranger")}
    done = subprocess.run(
        [sys.executable, "-c", printed.stdout], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Endeavor Air" in done.stdout or "16" in done.stdout


@pytest.mark.parametrize("tool", ["curl", "hanse"])
def test_a_shell_reads_as_it_is_pasted(demo: Demo, tool: str) -> None:
    printed = demo.hanse("read-with", "operations/carriers", tool, person="stranger")
    assert printed.returncode == 0, printed.stderr
    environment = {**demo.environment, "HANSE_TOKEN": demo.token("stranger")}
    done = subprocess.run(["sh", "-c", printed.stdout], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Endeavor Air" in done.stdout


def test_every_tool_is_printed_without_one(demo: Demo) -> None:
    printed = demo.hanse("read-with", "operations/carriers", person="stranger")
    assert all(f"{tool}: " in printed.stdout for tool in SNIPPETS)


def test_a_product_that_is_not_there_is_told_as_ever(demo: Demo) -> None:
    refused = demo.hanse("read-with", "operations/nothing", person="stranger")
    assert refused.returncode == 2
    assert "there is no product operations/nothing" in refused.stderr
