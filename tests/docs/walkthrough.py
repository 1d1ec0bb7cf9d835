"""Follows a page of the docs in an empty folder as a person does: saves its files, edits them, runs its commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)(?: (>> )?(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Run:
    """A command of a page and what it said."""

    command: str
    out: str
    err: str


def follow(page: Path, folder: Path, own: Callable[[str], str] = str) -> list[Run]:
    """Do all that `page` says in `folder`; `own` puts this place's addresses in. Fails where a command does."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HANSE")}
    environment = {**plain, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "200"}
    runs: list[Run] = []
    for kind, more, name, body in BLOCK.findall(page.read_text()):
        if kind == "console":
            for command in re.findall(r"^\$ (.*)$", body, re.MULTILINE):
                done = subprocess.run(
                    command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
                )
                assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
                runs.append(Run(command, done.stdout, done.stderr))
        elif name:
            _save(folder / name, kind, own(body), more=bool(more))
    return runs


def _save(path: Path, kind: str, body: str, *, more: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "diff":
        lines = body.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] != "+")
        after = "".join(line[1:] for line in lines if line[0] != "-")
        text = path.read_text()
        assert text.count(before) == 1, f"{path.name} does not hold what the page shows:\n{before}\n---\n{text}"
        path.write_text(text.replace(before, after))
    else:
        path.write_text((path.read_text() if more else "") + body)
        if path.name == "variables.ini":
            path.chmod(0o600)
