"""What is shipped: the wheel carries all that runs, the locks carry no address, the core stays small."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def test_the_wheel_carries_the_example_the_policies_and_the_migrations(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in [
        "hanse/py.typed",
        "hanse/examples/flights/mesh.yaml",
        "hanse/examples/flights/data/flights.parquet",
        "hanse/examples/flights/data/README.md",
        "hanse/governance/policies/base.cedar",
        "hanse/node/home/migrations/versions/0001_first_tables.py",
    ]:
        assert path in names
    assert not [name for name in names if ".hanse" in name or "__pycache__" in name]


def test_locks_have_a_hash_for_every_package_and_no_address() -> None:
    assert [lock.name for lock in LOCKS] == ["dev.txt", "run.txt"]
    for lock in LOCKS:
        text = lock.read_text()
        assert "://" not in text
        assert "--index" not in text
        for block in re.split(r"\n(?=[a-z0-9])", text.strip()):
            assert "==" in block
            assert "--hash=sha256:" in block


def test_the_core_is_at_most_sixty_packages() -> None:
    # the lock of what runs also holds what builds the package, which nobody who installs it gets
    asked_by: dict[str, set[str]] = {}
    package = ""
    for line in (ROOT / "requirements" / "run.txt").read_text().splitlines():
        if named := re.match(r"([a-z0-9][a-z0-9.-]*)(?:\[[^\]]*\])?==", line):
            package = named[1]
        elif (asking := re.match(r"    #(?: via)? +(\S.*)", line)) and not asking[1].startswith("-c "):
            asked_by.setdefault(package, set()).add(asking[1])
    core = {package for package, by in asked_by.items() if "hanse (pyproject.toml)" in by}
    while more := {package for package, by in asked_by.items() if by & core} - core:
        core |= more
    assert {"duckdb", "pyarrow", "h11"} <= core
    assert "hatchling" not in core
    assert len(core) <= 60
