"""Files that a person names for a result."""

from __future__ import annotations

import os
from pathlib import Path

import click


def must_take(file: Path) -> None:
    """Raise a usage error where `file` cannot be written: before the work that it is to hold, not after."""
    if not file.parent.is_dir():
        raise click.UsageError(f"there is no folder {file.parent}")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise click.UsageError(f"{file} cannot be written to")


def created(path: Path, text: str) -> bool:
    """Write a file that is not there yet, with its folders; False where there is one, which stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
