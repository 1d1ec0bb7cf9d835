"""The demo: what it prints, how it starts again, what it does not touch."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click

from hanse.cli.demo.show import Told, side_by_side
from tests.demo import BIN, Demo


def _demo(demo: Demo, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "hanse", "demo", *words], env=demo.environment, capture_output=True, text=True, timeout=120
    )


def test_four_persons_get_four_answers(demo: Demo) -> None:
    told = (demo.folder.parent / f"{demo.folder.name}.log").read_text()
    for who in ("owner_fleet", "consumer", "analyst_aa", "stranger"):
        assert who in told
    assert "clear: nothing is masked" in told
    assert "restricted-by-hash" in told
    assert "own_carrier" in told
    assert "refused" in told
    assert told.index("[9/9]") < told.index("One question") < told.index("The question again") < told.index("Your turn")


def test_a_second_start_keeps_the_data_and_ends_when_asked_once(demo: Demo, tmp_path: Path) -> None:
    root = tmp_path / "again"
    shutil.copytree(demo.folder, root)
    done = _demo(demo, "--dir", str(root), "--once")
    assert done.returncode == 0, done.stderr
    assert "Your turn" in done.stdout
    assert "publishes" not in done.stderr
    assert _demo(demo, "--dir", str(root), "--remove").returncode == 0
    assert not root.exists()


def test_a_folder_with_something_else_is_left_alone(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for more in ((), ("--remove",)):
        done = _demo(demo, "--dir", str(tmp_path), *more)
        assert done.returncode == 2
        assert "demo.other-folder" in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_demo_that_runs_is_not_removed(demo: Demo) -> None:
    done = _demo(demo, "--dir", str(demo.folder), "--remove")
    assert done.returncode == 2
    assert demo.url in done.stderr
    assert demo.folder.exists()


def test_answers_stand_side_by_side_as_far_as_the_width_goes() -> None:
    told = [Told(name, ("a  b", "1  2"), "clear") for name in ("ada", "bob", "cyd")]
    wide, narrow = ([click.unstyle(line) for line in side_by_side(told, width)] for width in (200, 12))
    assert wide[0].split() == ["ada", "bob", "cyd"]
    assert [line for line in narrow if line in ("ada", "bob", "cyd")] == ["ada", "bob", "cyd"]
