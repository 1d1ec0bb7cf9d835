"""Project mode: a folder's text files become one `Project`, with every finding in them and in the links between.

A project is a whole mesh (`mesh.yaml`, folders DOMAIN with `domain.yaml`, in them folders PRODUCT) or one domain's own
repository (`domain.yaml` at the root, beside it folders PRODUCT). Bundles that hold only a part of one are read too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hanse.errors import Finding, Place, Severity
from hanse.names import RESERVED_DOMAINS, ProductId, is_name, nearest
from hanse.spec import mesh_file
from hanse.spec.checks.identity import NAME, slug
from hanse.spec.checks.project import Links
from hanse.spec.document import Document, load
from hanse.spec.mesh_file import RESERVED
from hanse.spec.model import NOTHING, Domain, Mesh, Person, ProductFiles, Project
from hanse.spec.product_folder import FILE_NAME, MISSING, Folder
from hanse.spec.validate import bounded

_DESCRIPTOR = (".odps.yaml", ".odps.yml", ".odcs.yaml", ".odcs.yml")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_.]{0,200})(?::?-([^}]{0,200}))?\}")
_GLOBAL = "policies/"


def project(files: Mapping[str, str], variables: Mapping[str, str] = NOTHING) -> tuple[Project, list[Finding]]:
    """The project in `files` (path → text), and every finding, sorted; what cannot be read is left out of it.

    `${VARIABLE}` is replaced in values by `variables`; what they do not name stays as written and is told as a note.
    """
    return _Reading(dict(files), variables).read()


def project_root_kind(files: Mapping[str, str]) -> Literal["mesh", "domain"]:
    """Whether `files` are a whole mesh or one domain's own repository."""
    below = any(path.count("/") == 1 and path.endswith("/domain.yaml") for path in files)
    return "domain" if "domain.yaml" in files and not below else "mesh"


@dataclass(slots=True)
class _Reading:
    files: Mapping[str, str]
    variables: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)
    documents: dict[str, tuple[Document | None, list[Finding]]] = field(default_factory=dict)

    def read(self) -> tuple[Project, list[Finding]]:
        kind = project_root_kind(self.files)
        folders = self._folders(kind)
        mesh = self._mesh(kind, bool(folders))
        people, teams = self._people()
        domains: dict[str, Domain] = {}
        products: dict[ProductId, ProductFiles] = {}
        broken: set[ProductId] = set()
        for root, paths in sorted(folders.items()):
            name = self._domain(root, mesh, people, teams, domains)
            for path in sorted(paths):
                folder = self._folder(ProductId(name, path.rpartition("/")[2]), path)
                product = folder.read()
                self.findings += folder.findings
                if product is not None:
                    products[folder.id] = product
                if not folder.whole:
                    broken.add(folder.id)
        below = {p.removeprefix(_GLOBAL): t for p, t in self.files.items() if p.startswith(_GLOBAL)}
        whole = Project(mesh, people, teams, domains, products, below if kind == "mesh" else {}, self.files)
        documents = {path: document for path, (document, _) in self.documents.items() if document is not None}
        links: dict[str, list[Finding]] = {}
        for finding in Links(whole, documents, frozenset(broken)).findings():
            links.setdefault(finding.file, []).append(finding)
        for found in links.values():
            self.findings += bounded(found)
        return whole, sorted(dict.fromkeys(self.findings))

    def load(self, path: str) -> tuple[Document | None, list[Finding]]:
        """The document at `path`, variables put in; read once, its findings told to the first who asks."""
        known = self.documents.get(path)
        if known is not None:
            return known[0], []
        document, findings = load(self.files[path], path)
        if document is not None and self.variables and "${" in document.text:
            document = replace(document, tree=_resolved(document.tree, self.variables))
        self.documents[path] = (document, findings)
        return document, findings

    def add(self, place: Place, slug: str, message: str, mend: str, severity: Severity = Severity.ERROR) -> None:
        self.findings.append(Finding.at(place, slug, message, mend=mend, severity=severity))

    def _folders(self, kind: str) -> dict[str, set[str]]:
        """The folder of each domain ('' for a domain's own repository) → the folders of its products."""
        depth = 2 if kind == "mesh" else 1
        folders: dict[str, set[str]] = {"": set()} if kind == "domain" else {}
        for path in sorted(self.files):
            *parents, name = path.split("/")
            root = parents[0] if parents and kind == "mesh" else ""
            if any(part.startswith(".") for part in parents):
                continue
            if kind == "mesh" and name == "domain.yaml" and len(parents) == 1:
                folders.setdefault(root, set())
            elif name.endswith(_DESCRIPTOR) or (name == "build.yaml" and len(parents) == depth):
                if len(parents) == depth:
                    folders.setdefault(root, set()).add("/".join(parents))
                else:
                    where = "DOMAIN/PRODUCT/" if kind == "mesh" else "PRODUCT/"
                    self.add(
                        Place(path), FILE_NAME, f"{name} lies where no product can be", f"move it to {where}{name}"
                    )
        return folders

    def _mesh(self, kind: str, folders: bool) -> Mesh | None:
        if "mesh.yaml" not in self.files:
            if kind == "mesh" and folders:
                self._missing("", "mesh.yaml")
            return None
        if kind == "mesh" and "domain.yaml" in self.files:
            self.add(
                Place("domain.yaml"), FILE_NAME, "domain.yaml lies beside mesh.yaml", "move it to DOMAIN/domain.yaml"
            )
        document, findings = self.load("mesh.yaml")
        self.findings += findings
        mesh, findings = mesh_file.mesh(document) if document is not None else (None, [])
        self.findings += findings
        return mesh

    def _people(self) -> tuple[Mapping[str, Person], Mapping[str, str]]:
        if "people.yaml" not in self.files:
            return {}, {}
        document, findings = self.load("people.yaml")
        self.findings += findings
        people, teams, findings = mesh_file.people(document) if document is not None else ({}, {}, [])
        self.findings += findings
        return people, teams

    def _missing(self, root: str, name: str) -> None:
        """Tell that a folder has no `name`, and what looks like it."""
        prefix = f"{root}/" if root else ""
        there = [p.removeprefix(prefix) for p in self.files if p.startswith(prefix)]
        near = nearest(name, (other for other in there if "/" not in other))
        mend = f"rename {prefix}{near[0]} to {name}" if near else f"add {prefix}{name}"
        self.add(Place(f"{prefix}{name}"), MISSING, f"there is no {prefix}{name}", mend)

    def _domain(
        self,
        root: str,
        mesh: Mesh | None,
        people: Mapping[str, Person],
        teams: Mapping[str, str],
        domains: dict[str, Domain],
    ) -> str:
        """The name of the domain in folder `root`; puts it into `domains` when its domain.yaml can be read."""
        prefix = f"{root}/" if root else ""
        mesh_name = mesh.name if mesh is not None else None
        file = f"{prefix}domain.yaml"
        document = None
        if file in self.files:
            document, findings = self.load(file)
            self.findings += findings
        else:
            self._missing(root, "domain.yaml")
        if root and not is_name(root):
            self.add(Place(file), NAME, f"folder {root[:80]!a} is no name for a domain", f"rename it to {slug(root)}")
        elif root and (root in RESERVED_DOMAINS or root == mesh_name):
            self.add(Place(file), RESERVED, f"no domain can be called {root!r}", f"choose another, such as {root}_data")
        if document is not None:
            at = f"{prefix}{_GLOBAL}"
            policies = {path.removeprefix(at): text for path, text in self.files.items() if path.startswith(at)}
            read, findings = mesh_file.domain(document, root or None, policies, mesh_name=mesh_name)
            # a folder's reserved name is told once, at the folder
            self.findings += [f for f in findings if not (root and f.code == RESERVED)]
            if read is not None:
                domains[read.name] = read
                if people or teams:
                    self.findings += mesh_file.strangers(read, people, teams, document)
                return read.name
        said = document.tree.get("name") if document is not None and isinstance(document.tree, dict) else None
        return root or slug(str(said or "domain"))

    def _folder(self, id: ProductId, path: str) -> Folder:
        prefix = f"{path}/"
        below = {p.removeprefix(prefix): text for p, text in self.files.items() if p.startswith(prefix)}
        return Folder(id, path, below, self.load)


def _resolved(tree: Any, variables: Mapping[str, str]) -> Any:
    """`tree` with each variable that is known put in; its default where it has one and is not known."""
    if isinstance(tree, str):
        return _VARIABLE.sub(lambda found: variables.get(found[1], found[0] if found[2] is None else found[2]), tree)
    if isinstance(tree, dict):
        return {key: _resolved(value, variables) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_resolved(value, variables) for value in tree]
    return tree
