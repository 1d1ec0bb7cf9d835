"""Changes that a verb makes to a project's files: shown as a difference, then written whole or not at all."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

import click

from hanse.cli.findings import printable
from hanse.errors import HanseError, Kind, code


class FileMoved(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "cli.file-moved",
        Kind.CONFLICT,
        "A file changed while it was being mended",
        "What somebody saves meanwhile must not be lost.",
        "Run the command again.",
    )


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The unified difference of two states of a project's files, coloured on a terminal."""
    told: list[str] = []
    for file in sorted(after):
        if before.get(file) == after[file]:
            continue
        old, new = before.get(file, "").splitlines(), after[file].splitlines()
        name = file if file in before else "/dev/null"
        for line in difflib.unified_diff(old, new, name, file, lineterm=""):
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            told.append(click.style(printable(line), fg=colour) if colour else printable(line))
    return "\n".join(told)


def write(root: Path, before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Write what changed below `root`; the files written. Raises `FileMoved` when one is no longer as in `before`."""
    changed = [file for file in sorted(after) if before.get(file) != after[file]]
    for file in changed:
        path = root / file
        now = path.read_bytes().decode("utf-8", "replace") if path.exists() else None
        if now != before.get(file):
            raise FileMoved(f"{file} was changed meanwhile", mend="run the command again")
    for file in changed:
        path = root / file
        part = path.with_name(f".{path.name}.part")
        with part.open("w", encoding="utf-8", newline="") as writing:
            writing.write(after[file])
            writing.flush()
            os.fsync(writing.fileno())
        if path.exists():
            part.chmod(path.stat().st_mode & 0o777)
        part.replace(path)
    return changed
