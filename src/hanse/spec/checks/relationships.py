"""Relationships: foreign keys of equal length to tables and columns that exist.

A target is `table.column` of the same contract, `domain.product_v1.table.column` (the pinned address of another port
line; `to_contract` is then `domain.product_v1`), or `file.odcs.yaml#/schema/…` (`to_contract` is then the file).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hanse.errors import Kind, code
from hanse.spec.checks.report import Report
from hanse.spec.model import Relationship

UNKNOWN_TABLE = code(
    "relationship.unknown-table", Kind.INVALID, "A relationship names a table that is not there",
    "A foreign key refers to a table of the same contract, or of another by its pinned address.",
    "Name a table of this contract.",
)  # fmt: skip
UNKNOWN_COLUMN = code(
    "relationship.unknown-column", Kind.INVALID, "A relationship names a column that is not there",
    "A foreign key connects columns that exist on both sides.", "Name a column of that table.",
)  # fmt: skip
KEY_LENGTH = code(
    "relationship.key-length", Kind.INVALID, "The two sides of a relationship differ in length",
    "Each column of a foreign key is matched with one of the other side.",
    "Name as many columns on each side.",
)  # fmt: skip

_ADDRESS = re.compile(r"([a-z][a-z0-9_]*\.[a-z][a-z0-9_]*_v[0-9]+)\.([a-z][a-z0-9_]*)\.(.+)", re.ASCII)
_Objects = Sequence[Mapping[str, Any]]


def relationships(report: Report, index: int, tree: _Objects) -> list[Relationship]:
    """The relationships of table `index` of a contract's `schema`, checked against all of its tables."""
    table = tree[index]
    found = []
    for i, entry in enumerate(table.get("relationships", ())):
        pointer = f"/schema/{index}/relationships/{i}"
        sources = _list(entry.get("from"))
        columns = []
        for j, source in enumerate(sources):
            at = f"{pointer}/from" + (f"/{j}" if isinstance(entry.get("from"), list) else "")
            resolved = _resolve(report, at, source, tree)
            if resolved is None:
                continue
            if resolved[1] is not table and resolved[0] is None:
                report.add(
                    at, UNKNOWN_COLUMN, f"{source[:80]!a} is not a column of {str(table.get('name'))[:60]!a}",
                    mend="begin at a column of the table that the relationship stands in",
                )  # fmt: skip
                continue
            columns.append(resolved[2])
        if (read := _target(report, pointer, entry, tree, columns=columns, length=len(sources))) is not None:
            found.append(read)
    _of_columns(report, f"/schema/{index}/properties", table.get("properties", ()), tree, found, path=())
    return found


def _of_columns(
    report: Report,
    pointer: str,
    columns: _Objects,
    tree: _Objects,
    found: list[Relationship],
    *,
    path: tuple[str, ...],
) -> None:
    for i, column in enumerate(columns):
        here = (*path, str(column.get("name", "")))
        for j, entry in enumerate(column.get("relationships", ())):
            at = f"{pointer}/{i}/relationships/{j}"
            if (read := _target(report, at, entry, tree, columns=[".".join(here)], length=1)) is not None:
                found.append(read)
        _of_columns(report, f"{pointer}/{i}/properties", column.get("properties", ()), tree, found, path=here)


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [v for v in value or () if isinstance(v, str)]


def _target(
    report: Report,
    pointer: str,
    entry: Mapping[str, Any],
    tree: _Objects,
    *,
    columns: list[str],
    length: int,
) -> Relationship | None:
    to = entry.get("to")
    targets = _list(to)
    if len(targets) != length:
        report.add(
            f"{pointer}/to", KEY_LENGTH, f"this side has {length} columns, the other {len(targets)}",
            mend="name as many columns on each side",
        )  # fmt: skip
        return None
    resolved = [
        _resolve(report, f"{pointer}/to" + (f"/{j}" if isinstance(to, list) else ""), target, tree)
        for j, target in enumerate(targets)
    ]
    read = [part for part in resolved if part is not None]
    if len(read) != length or len(columns) != length or not read:
        return None
    tables = {(contract, name) for contract, _, _, name in read}
    if len(tables) > 1:
        report.add(
            f"{pointer}/to", UNKNOWN_TABLE, "one foreign key refers to several tables",
            mend="write a relationship for each table",
        )  # fmt: skip
        return None
    contract, _, _, name = read[0]
    return Relationship(tuple(columns), contract, name, tuple(part[2] for part in read), report.document.place(pointer))


def _resolve(
    report: Report, pointer: str, reference: str, tree: _Objects
) -> tuple[str | None, Mapping[str, Any] | None, str, str] | None:
    """(contract file or None, table, column path, table name) of a reference, or None when it was told as a finding."""
    file, mark, rest = reference.rpartition("#")
    parts = rest.strip("/").split("/")
    if "/" in rest and len(parts) >= 4 and parts[0] == "schema":
        table_name, path = parts[1], parts[3::2]
        by_id = True
    elif "/" not in rest:
        table_name, *path = rest.split(".")
        by_id = False
    else:
        return (file or None, None, rest, rest) if mark else None
    if mark and file:
        return file, None, ".".join(path), table_name
    table = _named(report, tree, table_name, by_id)
    if table is None and not by_id and (address := _ADDRESS.fullmatch(rest)) is not None:
        return address[1], None, address[3], address[2]
    if table is None:
        names = [str(t.get("name")) for t in tree[:200]]
        near = report.near(table_name, names)
        report.add(
            pointer, UNKNOWN_TABLE, f"the contract has no table {table_name[:60]!a}",
            mend=f"write {near[0]}.{'.'.join(path)}" if near else f"name one of: {', '.join(names[:10])}",
            severity=report.binding,
        )  # fmt: skip
        return None
    at: Mapping[str, Any] = table
    names_path = []
    for part in path:
        members = at.get("properties", ())
        column = _named(report, members, part, by_id)
        if column is None and isinstance(at.get("items"), dict):
            column = _named(report, at["items"].get("properties", ()), part, by_id)
        if column is None:
            known = [str(c.get("name")) for c in members[:200]]
            near = report.near(part, known)
            report.add(
                pointer, UNKNOWN_COLUMN, f"table {str(table.get('name'))[:60]!a} has no column {part[:60]!a}",
                mend=f"write {table.get('name')}.{near[0]}" if near else f"name one of: {', '.join(known[:10])}",
            )  # fmt: skip
            return None
        names_path.append(str(column.get("name")))
        at = column
    return None, table, ".".join(names_path), str(table.get("name"))


def _named(report: Report, members: _Objects, name: str, by_id: bool) -> Mapping[str, Any] | None:
    for key in ("id", "name", "physicalName") if by_id else ("name", "physicalName"):
        found: Mapping[str, Any] | None = report.named(members, key).get(name.lower())
        if found is not None:
            return found
    return None
