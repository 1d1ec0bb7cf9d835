"""Mending and bumping at the command line: the difference is shown, the files are written whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hanse.cli import edits
from tests.demo import Demo

ROOT = Path(__file__).parents[2]
USE = "fleet/utilisation/utilisation.odps.yaml"


@pytest.fixture
def checkout(demo: Demo, tmp_path: Path) -> Path:
    """The demo's files as somebody has them checked out, away from its node."""
    root = tmp_path / "checkout"
    shutil.copytree(demo.folder, root, ignore=shutil.ignore_patterns(".hanse", "data"))
    return root


def test_fix_shows_the_difference_and_leaves_nothing_to_mend(demo: Demo, checkout: Path) -> None:
    file = checkout / USE
    text = file.read_text()
    file.write_text(text.replace("outputPorts:", "outputPort:  # one"))
    done = demo.hanse("--dir", str(checkout), "validate", "--fix")
    assert done.returncode == 0, done.stdout
    assert "-outputPort:  # one" in done.stdout
    assert "+outputPorts:  # one" in done.stdout
    assert f"fixed  {USE}" in done.stderr
    assert file.read_text() == text.replace("outputPorts:", "outputPorts:  # one")
    again = demo.hanse("--dir", str(checkout), "validate", "--fix")
    assert "fixed" not in again.stderr


def test_fix_is_for_projects(demo: Demo, checkout: Path) -> None:
    done = demo.hanse("validate", "--fix", str(checkout / USE))
    assert done.returncode == 2
    assert "--fix mends projects" in done.stderr


def test_a_bump_without_a_step_takes_the_one_that_changes_need(demo: Demo, checkout: Path) -> None:
    contract = checkout / "operations" / "carriers" / "carriers.v1.odcs.yaml"
    at = ("--dir", str(checkout), "--node", demo.url, "bump", "operations/carriers")
    idle = demo.hanse(*at, person="owner_operations")
    assert "needs a step" in idle.stdout, idle.stderr
    text = contract.read_text()
    assert "      - name: name\n" in text
    added = "      - name: alias\n        logicalType: string\n        physicalType: VARCHAR\n      - name: name\n"
    contract.write_text(text.replace("      - name: name\n", added))
    done = demo.hanse(*at, person="owner_operations")
    assert done.returncode == 0, done.stderr
    assert "operations/carriers:carriers@1 has version 1.1.0" in done.stdout, done.stdout
    assert "version: 1.1.0" in contract.read_text()
    assert "1.1.0" in (checkout / "operations" / "carriers" / "carriers.odps.yaml").read_text()


def test_what_was_saved_meanwhile_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("b: 2\n")
    with pytest.raises(edits.FileMoved):
        edits.write(tmp_path, {"a.yaml": "b: 1\n"}, {"a.yaml": "b: 3\n"})
    assert (tmp_path / "a.yaml").read_text() == "b: 2\n"
