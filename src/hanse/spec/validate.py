"""All findings of one file: limits, YAML, the standard's schema, then the rules decidable in the file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hanse.errors import Finding, Kind, Severity, code
from hanse.names import nearest
from hanse.spec.document import load
from hanse.spec.read import contract, product
from hanse.spec.schema.causes import ENUM, REQUIRED
from hanse.spec.schema.check import KIND

MOST = 100

MORE = code(
    "validate.more", Kind.INVALID, "There are more findings than are shown",
    f"At most {MOST} findings of a file are listed, so that one mistake made often does not hide the rest.",
    "Mend those shown and validate again.",
)  # fmt: skip


def is_contract(tree: Any) -> bool:
    """Whether a tree says that it is an ODCS document."""
    return isinstance(tree, dict) and tree.get("kind") == "DataContract"


def is_product(tree: Any) -> bool:
    """Whether a tree says that it is an ODPS document."""
    return isinstance(tree, dict) and tree.get("kind") == "DataProduct"


def file_findings(text: str | bytes, file: str, *, project: bool = False) -> list[Finding]:
    """Everything wrong with one descriptor, sorted, at most 100 and a count; pure, opens nothing."""
    document, findings = load(text, file)
    if document is None:
        return bounded(findings)
    tree = document.tree
    if is_contract(tree):
        return bounded(contract(document, project=project)[1])
    if is_product(tree):
        return bounded(product(document, project=project)[1])
    place = document.place("/kind")
    if not isinstance(tree, dict):
        return [
            Finding.at(place, KIND, "the document is not an object, so neither a contract nor a product",
                       mend="begin with kind: DataContract or kind: DataProduct")
        ]  # fmt: skip
    guess = _guess(tree, file)
    if "kind" not in tree:
        return [
            Finding.at(
                place,
                REQUIRED,
                "'kind' is missing, so this is neither a contract nor a product",
                mend=f"add kind: {guess}",
            )
        ]
    shown = ascii(str(tree["kind"])[:40])
    return [
        Finding.at(
            place, ENUM, f"'kind' is {shown}, which is none of DataContract, DataProduct", mend=f"write kind: {guess}"
        )
    ]


def bounded(findings: list[Finding]) -> list[Finding]:
    """At most 100 findings, the errors first to stay, and one that counts the rest."""
    if len(findings) <= MOST:
        return sorted(findings)
    rank = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
    kept = sorted(findings, key=lambda finding: (rank[finding.severity], finding))[:MOST]
    last = max(kept)
    dropped = len(findings) - MOST
    hidden = [finding for finding in findings if finding.severity is Severity.ERROR][MOST:]
    more = replace(
        last, code=MORE, message=f"{dropped} more findings in this file are not shown", why="",
        mend="mend those shown and validate again", severity=Severity.ERROR if hidden else Severity.NOTE,
    )  # fmt: skip
    return [*sorted(kept), more]


def _guess(tree: dict[str, Any], file: str) -> str:
    kinds = ("DataContract", "DataProduct")
    for kind, infix in zip(kinds, (".odcs.", ".odps."), strict=True):
        if infix in file:
            return kind
    if near := nearest(str(tree.get("kind", "")), kinds, 1):
        return near[0]
    return "DataProduct" if "outputPorts" in tree or "inputPorts" in tree else "DataContract"
