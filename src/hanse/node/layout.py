"""What a project's folder tells at a glance: its mesh and its domains. Imports nothing heavy."""

from __future__ import annotations

import re
from pathlib import Path


def domains_of(root: Path) -> list[str]:
    """The domains of a project: the folders with a domain.yaml, or the one whose own repository it is."""
    found = sorted(path.parent.name for path in root.glob("*/domain.yaml"))
    if found or not (root / "domain.yaml").is_file():
        return found
    return [_said(root / "domain.yaml", "name") or root.name]


def mesh_of(root: Path) -> str:
    """The mesh's name by mesh.yaml, `mesh` where there is none."""
    return (_said(root / "mesh.yaml", "name") if (root / "mesh.yaml").is_file() else None) or "mesh"


def _said(file: Path, key: str) -> str | None:
    """The plain value of a top-level key: known before the whole file is read and checked."""
    found = re.search(rf"^{key}:[ \t]*[\"']?([a-z][a-z0-9_]*)", file.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else None
