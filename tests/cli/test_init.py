"""The first files of a mesh: valid as written, and never written over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def hanse(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    code = "from hanse.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True, check=False)


def test_a_new_mesh_is_valid_as_it_was_written(tmp_path: Path) -> None:
    done = hanse(tmp_path, "init", "sales")
    assert done.returncode == 0, done.stderr
    assert "wrote  sales/domain.yaml" in done.stdout
    checked = hanse(tmp_path, "validate")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_second_run_changes_nothing_a_person_edited(tmp_path: Path) -> None:
    hanse(tmp_path, "init", "sales")
    (tmp_path / "people.yaml").write_text("# mine\n")
    done = hanse(tmp_path, "init", "sales")
    assert "nothing was written" in done.stdout, done.stderr
    assert (tmp_path / "people.yaml").read_text() == "# mine\n"


def test_a_name_that_cannot_be_a_domain_writes_nothing(tmp_path: Path) -> None:
    assert hanse(tmp_path, "init", "Sales Data").returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_mesh_gets_one_more_domain_of_the_same_owner(tmp_path: Path) -> None:
    hanse(tmp_path, "init", "sales")
    done = hanse(tmp_path, "init", "stock")
    assert done.stdout.startswith("wrote  stock/domain.yaml\n"), done.stderr
    assert "wrote  people.yaml" not in done.stdout
    checked = hanse(tmp_path, "validate")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_below_a_mesh_nothing_is_started(tmp_path: Path) -> None:
    hanse(tmp_path, "init", "sales")
    done = hanse(tmp_path / "sales", "init", "stock")
    assert done.returncode == 2
    assert "belongs to the project" in done.stderr
