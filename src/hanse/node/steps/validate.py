"""validate: say everything that is wrong with descriptors. Local and pure; needs no node, no data, no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from hanse.errors import Finding
from hanse.spec.document import load
from hanse.spec.validate import bounded, file_findings

if TYPE_CHECKING:
    from hanse.spec.model import Project

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
    """Project mode: the text files of a mesh or of one domain, with the links between them and its policies."""
    from hanse.spec.project import project

    whole, findings = project(files)
    return sorted({*findings, *_policies(whole)})


def _policies(project: Project) -> Iterator[Finding]:
    """What is wrong with the policies of the federation and of each domain."""
    if not any(path.startswith("policies/") or "/policies/" in path for path in project.files):
        return
    from hanse.governance.policies import load
    from hanse.governance.reach import publish_findings, reach_findings
    from hanse.spec.project import project_root_kind

    classes = project.mesh.classifications if project.mesh else ()
    alone = project_root_kind(project.files) == "domain"
    local = {domain.name: domain.policies for domain in project.domains.values()} or {"": {}}
    for name, texts in local.items():
        policies, findings = load(project.policies, name, texts, classes)
        for finding in (*findings, *reach_findings(policies, project), *publish_findings(policies)):
            # in a domain's own repository its folder is the root
            yield replace(finding, file=finding.file.removeprefix(f"{name}/")) if alone else finding
