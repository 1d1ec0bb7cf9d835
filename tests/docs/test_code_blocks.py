"""The commands of the docs are run as written, in a demo that serves."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.demo import Demo

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```console(?: exit=(\d+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", ROOT / "docs" / "tutorial" / "demo.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]


def commands(page: Path) -> list[tuple[int, str]]:
    """The `hanse` commands of a page, each with the exit code it says."""
    return [
        (int(match[1] or 0), line.removeprefix("$ ").replace("../.venv/bin/hanse", "hanse"))
        for match in BLOCK.finditer(page.read_text())
        for line in match[2].splitlines()
        if re.match(r"\$ (\.\./\.venv/bin/)?(hanse|umask) ", line)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem.lower())
def test_the_commands_of_a_page_do_what_it_says(page: Path, demo: Demo) -> None:
    found = commands(page)
    assert found, f"{page.name} shows no command"
    for code, command in found:
        done = subprocess.run(
            command, shell=True, cwd=demo.folder, env=demo.environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == code, f"$ {command}\n{done.stdout}{done.stderr}"


def test_every_code_block_says_what_it_is() -> None:
    for page in [*PAGES, *(ROOT / "docs" / "tutorial").glob("*.md")]:
        for opening in re.findall(r"^```(.*)$", page.read_text(), re.MULTILINE)[::2]:
            assert opening or page.name == "README.md", f"{page.name} has a code block without a language"


def test_make_targets_of_the_docs_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        assert set(re.findall(r"^\$ make ([a-z]+)", page.read_text(), re.MULTILINE)) <= targets
