"""First step: say everything that is wrong with descriptors. Local and pure; needs no node, no data, no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from hanse.errors import Finding
from hanse.spec.document import load
from hanse.spec.validate import bounded, file_findings

# files of a project that are neither contract nor product: by themselves only their YAML can be judged
_OWN_FILES = frozenset({"mesh.yaml", "people.yaml", "domain.yaml", "build.yaml", "masks.yaml", "demo.yaml"})


def validate_files(files: Mapping[str, str | bytes]) -> list[Finding]:
    """File mode: each file by itself, by the standard's schema and the rules that can be decided in it."""
    findings: list[Finding] = []
    for name, text in files.items():
        if PurePosixPath(name).name in _OWN_FILES:
            findings += bounded(load(text, name)[1])
        else:
            findings += file_findings(text, name)
    return sorted(findings)


def validate_project(files: Mapping[str, str]) -> list[Finding]:
    """Project mode: the text files of a mesh or of one domain, with the links between them."""
    from hanse.spec.project import project

    return sorted(project(files)[1])
