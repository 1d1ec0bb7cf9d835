"""The client as it is shipped: a wheel of its own that needs nothing of the server."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.demo import Demo

READ = """
import sys
import hanse_client, hanse_client.aio
mesh = hanse_client.connect(sys.argv[1], token=sys.argv[2])
print(mesh.product("operations/carriers").arrow().num_rows)
assert not [name for name in sys.modules if name == "hanse" or name.startswith("hanse.")]
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's wheel, built."""
    folder = tmp_path_factory.mktemp("wheel")
    line = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*line, str(ROOT / "packages" / "hanse-client")], check=True, capture_output=True, timeout=120)
    [found] = folder.glob("hanse_client-*.whl")
    return found


def test_the_client_alone_reads_a_product(wheel: Path, demo: Demo) -> None:
    # the wheel first on the path of an interpreter that is told nothing of this project
    script = f"import sys; sys.path.insert(0, {str(wheel)!r})\n{READ}"
    line = [sys.executable, "-P", "-c", script, demo.url, demo.token("stranger")]
    done = subprocess.run(line, capture_output=True, text=True, cwd=wheel.parent, timeout=60)
    assert (done.returncode, done.stdout) == (0, "16\n"), done.stderr


def interpreter(version: str) -> str | None:
    """A Python of `version` that starts: this one, on the path, or kept by pyenv."""
    name = f"python{version}"
    kept = sorted(map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}")))
    for path in (sys.executable, shutil.which(name), *kept):
        asked = [path or "", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if path and subprocess.run(asked, capture_output=True, text=True).stdout.strip() == version:
            return path
    return None


@pytest.mark.parametrize(
    ("version", "pyarrow"),
    [("3.10", "pyarrow==17.0.0"), ("3.11", "pyarrow==17.0.0"), ("3.13", "pyarrow"), ("3.14", "pyarrow")],
)
def test_the_client_alone_installs_and_reads_with_what_it_claims(
    version: str, pyarrow: str, wheel: Path, demo: Demo, tmp_path: Path
) -> None:
    if (python := interpreter(version)) is None:
        pytest.skip(f"Python {version} is not installed here")
    subprocess.run([python, "-m", "venv", str(tmp_path)], check=True, capture_output=True, timeout=60)
    own = tmp_path / "bin" / "python"
    install = [str(own), "-m", "pip", "install", "-q", "--disable-pip-version-check", str(wheel), pyarrow]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    line = [str(own), "-I", "-c", READ, demo.url, demo.token("stranger")]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "16\n"), done.stderr


def test_the_wheel_holds_the_client_and_its_types_only(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        assert "hanse_client/py.typed" in names
        assert not [name for name in names if not name.startswith(("hanse_client/", "hanse_client-"))]
        told = next(packed.read(name).decode() for name in names if name.endswith("/METADATA"))
    needed = [line for line in told.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    # each needs nothing itself, so that the client is three packages
    assert [line.split()[1] for line in needed] == ["pyarrow>=17", "urllib3>=2.2"]  # 17 is the oldest that is tried
    assert f"Version: {metadata.version('hanse')}" in told
