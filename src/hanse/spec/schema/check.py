"""A document against the schema of the version it declares, then against the newest."""

from __future__ import annotations

from functools import cache
from typing import Any

from hanse.errors import Finding, Kind, Severity, code
from hanse.spec.document import Document
from hanse.spec.pointer import pointer
from hanse.spec.schema import odcs, odps
from hanse.spec.schema.causes import ENUM, REQUIRED, TYPE, Cause, causes

DECLARED_VERSION = code(
    "schema.declared-version",
    Kind.INVALID,
    "The document is newer than the version it declares",
    "The document does not fit the version of the standard it declares, but fits a newer one, so it is read as that.",
    "Declare the version that the document is written in.",
)
KIND = code(
    "schema.kind",
    Kind.INVALID,
    "Neither a contract nor a product",
    "hanse reads ODCS documents (kind: DataContract) and ODPS documents (kind: DataProduct).",
    "Set kind and apiVersion, or leave the file out.",
)

_STANDARDS: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    "DataContract": ("ODCS", odcs.schema, odcs.VERSIONS),
    "DataProduct": ("ODPS", odps.schema, odps.VERSIONS),
}

# ODCS 3.1 calls the `rule` of a library check its `metric`
_REPLACED = frozenset({"rule"})
NEWEST = {kind: versions[0] for kind, (_, _, versions) in _STANDARDS.items()}


@cache
def _schema(kind: str, version: str) -> dict[str, Any]:
    schema: dict[str, Any] = _STANDARDS[kind][1](version)
    return schema


@cache
def validator(kind: str, version: str) -> Any:
    """The compiled validator of a kind (DataContract or DataProduct) and version."""
    import jsonschema_rs

    return jsonschema_rs.Draft201909Validator(_schema(kind, version))


def _causes(kind: str, version: str, tree: Any) -> list[Cause]:
    compiled = validator(kind, version)
    if compiled.is_valid(tree):
        return []
    return causes(compiled.iter_errors(tree), _schema(kind, version), tree)


def schema_findings(document: Document, kind: str) -> list[Finding]:
    """What the standard's schema says of `document`; a document that fits a newer version only gets one warning."""
    tree = document.tree
    standard, _, versions = _STANDARDS[kind]
    declared = tree.get("apiVersion") if isinstance(tree, dict) else None
    if declared not in versions:
        found = _causes(kind, versions[0], tree)
        if declared is not None:
            found = [cause for cause in found if cause.path != ("apiVersion",)]
            found.append(_unread_version(standard, declared, versions))
        return _findings(document, standard, versions[0], found)
    found = _causes(kind, declared, tree)
    if not found:
        return []
    # a later version may allow more; what the declared one demands stays demanded, unless another member replaced it
    demanded = [cause for cause in found if cause.code == REQUIRED and cause.path[-1] not in _REPLACED]
    for newer in reversed(versions[: versions.index(declared)]):
        if not demanded and not _causes(kind, newer, tree):
            first = min(found, key=lambda cause: [str(part) for part in cause.path])
            place = document.place("/apiVersion")
            return [
                Finding.at(
                    place, DECLARED_VERSION,
                    f"declares {standard} {declared}, but is written as {newer}: {first.message}",
                    why=f"{pointer(*first.path)} fits {newer} and not {declared}",
                    mend=f"apiVersion: {newer}", severity=Severity.WARNING,
                )
            ]  # fmt: skip
    return _findings(document, standard, declared, found)


def _unread_version(standard: str, declared: Any, versions: tuple[str, ...]) -> Cause:
    return Cause(
        ("apiVersion",), TYPE if not isinstance(declared, str) else ENUM,
        f"{standard} {str(declared)[:40]!r} is not read; hanse reads {', '.join(versions)}",
        f"apiVersion: {versions[0]}",
    )  # fmt: skip


def _findings(document: Document, standard: str, version: str, found: list[Cause]) -> list[Finding]:
    return [
        Finding.at(
            document.place(pointer(*cause.path), key=cause.on_key),
            cause.code,
            cause.message,
            why=f"schema of {standard} {version}",
            mend=cause.mend,
        )
        for cause in found
    ]
