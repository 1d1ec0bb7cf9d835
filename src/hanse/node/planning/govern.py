"""The documents that govern a domain: those in effect, those of a project, and what differs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.errors import Finding
from hanse.governance.policies import Policies, load
from hanse.governance.reach import reach_findings
from hanse.node.home.codec import text
from hanse.node.planning.value import PolicyChange
from hanse.spec.model import Project

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.node import Node

_FOLDERS = ("access", "rows", "publish")


def effective(home: Home) -> tuple[str, Mapping[str, str]]:
    """The hash and the documents in effect in a home; empty before its first publication."""
    digest = home.store.meta("policies") or ""
    return digest, (home.store.policy_set(digest) or {}) if digest else {}


def wanted(node: Node, home: Home, project: Project) -> dict[str, str]:
    """The documents that `project` would have govern the domain.

    What is the federation's comes from the node's own folder where it has a mesh.yaml, else stays what is in effect,
    and comes from `project` only before the first publication: a domain's owner publishes the domain's documents, and
    cannot loosen what the federation demands by sending another mesh.yaml.
    """
    held = effective(home)[1]
    own = f"{home.domain}/"
    federation = {path: said for path, said in held.items() if not path.startswith(own)}
    files = _of_node(node) or federation or _of_project(project)
    domain = project.domains.get(home.domain)
    if domain is None:
        return files | {path: said for path, said in held.items() if path.startswith(own)}
    files[f"{own}domain.yaml"] = project.files[domain.place.file]
    return files | {f"{own}policies/{path}": said for path, said in domain.policies.items()}


def _of_project(project: Project) -> dict[str, str]:
    if project.mesh is None:
        return {}
    files = {"mesh.yaml": project.files[project.mesh.place.file]}
    return files | {f"policies/{path}": said for path, said in project.policies.items()}


def _of_node(node: Node) -> dict[str, str]:
    root = node.settings.project
    if not (root / "mesh.yaml").is_file():
        return {}
    files = {"mesh.yaml": (root / "mesh.yaml").read_text(encoding="utf-8")}
    for path in _policy_files(root / "policies"):
        files[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    return files


def _policy_files(folder: Path) -> list[Path]:
    found = [folder / "masks.yaml"] if (folder / "masks.yaml").is_file() else []
    for name in _FOLDERS:
        found += [path for path in sorted((folder / name).glob("*")) if path.is_file() and not path.is_symlink()]
    return found


def change(home: Home, files: Mapping[str, str]) -> PolicyChange | None:
    """What putting `files` into effect would change; None when nothing."""
    digest, held = effective(home)
    new = hashlib.sha256(text(dict(files)).encode()).hexdigest()
    if new == digest:
        return None
    told = [
        ("+" if path not in held else "-" if path not in files else "~", path)
        for path in sorted({*held, *files})
        if held.get(path) != files.get(path)
    ]
    return PolicyChange(home.domain, digest, new, tuple(told))


def policies(home: Home, files: Mapping[str, str], project: Project) -> tuple[Policies, list[Finding]]:
    """The policies that `files` hold, read, and what is wrong with them: a faulty one must never count as none."""
    own = f"{home.domain}/policies/"
    whole = {path.removeprefix("policies/"): said for path, said in files.items() if path.startswith("policies/")}
    mine = {path.removeprefix(own): said for path, said in files.items() if path.startswith(own)}
    mesh = project.mesh or home.mesh
    read, findings = load(whole, home.domain, mine, mesh.classifications if mesh else ())
    return read, [*findings, *reach_findings(read, project)]
