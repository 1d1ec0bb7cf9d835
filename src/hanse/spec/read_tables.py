"""Tables and columns of a contract, read from the tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hanse.errors import Kind, Severity, code
from hanse.names import is_name
from hanse.spec.checks import identity
from hanse.spec.checks.columns import check_column, check_keys, check_names
from hanse.spec.checks.quality import OPERATORS, check_rule, rule_kind
from hanse.spec.checks.relationships import relationships
from hanse.spec.checks.report import Report
from hanse.spec.model import Column, Rule, Table
from hanse.spec.physical import column_type, is_known
from hanse.spec.types import Scalar

BAD_TYPE = code(
    "contract.bad-type", Kind.INVALID, "A physical type cannot be read",
    "The physical type says how values are stored, as SQL spells it: decimal(12,2), varchar(20), timestamp with time "
    "zone.",
    "Write the type as SQL has it.",
)  # fmt: skip
UNTYPED = code(
    "contract.untyped-column", Kind.INVALID, "A column has no type that can be read",
    "Neither a logical type nor a known physical type is given, so values are taken as text.", "Add a logicalType.",
)  # fmt: skip


def custom(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The custom properties that speak to hanse: those of vendor hanse before those of no vendor."""
    entries = [entry for entry in part.get("customProperties") or () if isinstance(entry, dict)]
    return {
        str(entry.get("property")): entry.get("value")
        for vendor in (None, "hanse")
        for entry in entries
        if entry.get("vendor") == vendor and entry.get("property") is not None
    }


def table(report: Report, index: int, objects: Sequence[Mapping[str, Any]]) -> Table:
    """The table at `index` of a contract's `schema`."""
    tree = objects[index]
    pointer = f"/schema/{index}"
    properties = custom(tree)
    members: Sequence[Mapping[str, Any]] = tree.get("properties") or []
    check_names(report, f"{pointer}/properties", members, "column")
    check_keys(report, f"{pointer}/properties", members)
    names = _by_lower(members)
    columns = tuple(_column(report, f"{pointer}/properties/{i}", member, (), names) for i, member in enumerate(members))
    rules = [
        *_rules(report, pointer, tree, None, names),
        *(rule for column in columns for _, part in column.walk() for rule in part.rules),
    ]
    return Table(
        name=sql_name(report, pointer, tree, properties),
        title=str(tree["name"]),
        physical_name=tree.get("physicalName"),
        description=str(tree.get("description") or ""),
        columns=_keyed(columns),
        rules=_named_apart(rules),
        relationships=tuple(
            replace(link, to_table=_address_of(link.to_table, objects)) if link.to_contract is None else link
            for link in relationships(report, index, objects)
        ),
        tags=tuple(tree.get("tags") or ()),
        custom=properties,
        place=report.document.place(pointer),
    )


def sql_name(report: Report, pointer: str, tree: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    """How SQL calls the table: its `address`, else its name; a name that does not fit is told."""
    address = properties.get("address")
    if address is not None:
        if not isinstance(address, str) or not is_name(address):
            at = next((i for i, e in enumerate(tree.get("customProperties") or ()) if e.get("value") is address), 0)
            identity.check_name(report, f"{pointer}/customProperties/{at}/value", str(address), "table")
        return address if isinstance(address, str) and is_name(address) else identity.slug(str(address))
    name = str(tree["name"])
    identity.check_name(report, f"{pointer}/name", name, "table")
    return name if is_name(name) else identity.slug(name)


def _address_of(name: str, objects: Sequence[Mapping[str, Any]]) -> str:
    found = next((o for o in objects if str(o.get("name")) == name), None)
    address = custom(found).get("address") if found is not None else None
    chosen = address if isinstance(address, str) else name
    return chosen if is_name(chosen) else identity.slug(chosen)


def _column(
    report: Report,
    pointer: str,
    tree: Mapping[str, Any],
    path: tuple[str, ...],
    names: Mapping[str, str],
    name: str | None = None,
) -> Column:
    name = name if name is not None else str(tree.get("name", ""))
    path = (*path, name)
    check_column(report, pointer, tree)
    children = _children(report, pointer, tree, path)
    options = tree.get("logicalTypeOptions") or {}
    logical, physical = tree.get("logicalType"), tree.get("physicalType")
    type_, reason = column_type(logical, physical, options, children)
    if type_ is None:
        fitting = str(physical).replace(";", ",")
        mend = (
            fitting
            if fitting != physical and is_known(fitting)
            else "write the type as SQL has it, such as decimal(12,2)"
        )
        report.add(f"{pointer}/physicalType", BAD_TYPE, f"{physical!r} is not a type", why=reason, mend=mend)
        type_, _ = column_type(logical, None, options, children)
    elif logical is None and not children and (physical is None or not is_known(physical)):
        report.add(
            pointer, UNTYPED, f"column {name[:60]!a} has no type that can be read, and is taken as text",
            mend="add logicalType: string", severity=Severity.NOTE,
        )  # fmt: skip
    enum = tree.get("enum")
    position = tree.get("primaryKeyPosition")
    return Column(
        name=name,
        type=type_ or Scalar("string"),
        logical_type=logical,
        physical_type=physical,
        required=bool(tree.get("required")) or bool(tree.get("primaryKey")),
        unique=bool(tree.get("unique")),
        primary_key=(position if isinstance(position, int) and position > 0 else 0) if tree.get("primaryKey") else None,
        classification=tree.get("classification"),
        description=str(tree.get("description") or ""),
        tags=tuple(tree.get("tags") or ()),
        enum=tuple(entry.get("value") for entry in enum) if enum is not None else None,
        options=options,
        rules=_rules(report, pointer, tree, path, names),
        children=children,
        custom=custom(tree),
        place=report.document.place(pointer),
    )


def _children(report: Report, pointer: str, tree: Mapping[str, Any], path: tuple[str, ...]) -> tuple[Column, ...]:
    members = tree.get("properties")
    if isinstance(members, list) and tree.get("logicalType") in ("object", None):
        check_names(report, f"{pointer}/properties", members, "field")
        names = _by_lower(members)
        return tuple(_column(report, f"{pointer}/properties/{i}", m, path, names) for i, m in enumerate(members))
    if isinstance(items := tree.get("items"), dict):
        return (_column(report, f"{pointer}/items", items, path, {}, "[]"),)
    if isinstance(entry := tree.get("map"), dict):
        return tuple(
            _column(report, f"{pointer}/map/{part}", entry[part], path, {}, f"{{{part}}}")
            for part in ("key", "value")
            if isinstance(entry.get(part), dict)
        )
    return ()


def _by_lower(members: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    return {str(member.get("name")).lower(): str(member.get("name")) for member in members}


def _keyed(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Columns of the key without a position follow those that have one, in the order of the file."""
    last = max((c.primary_key for c in columns if c.primary_key), default=0)
    keyed = []
    for column in columns:
        if column.primary_key == 0:
            last += 1
            column = replace(column, primary_key=last)
        keyed.append(column)
    return tuple(keyed)


def _rules(
    report: Report, pointer: str, tree: Mapping[str, Any], path: tuple[str, ...] | None, names: Mapping[str, str]
) -> tuple[Rule, ...]:
    rules = []
    for i, rule in enumerate(tree.get("quality") or ()):
        at = f"{pointer}/quality/{i}"
        check_rule(report, at, rule, None if path is None else path[-1], names)
        kind = rule_kind(rule)
        metric = rule.get("metric") or rule.get("rule")
        operator = next((name for name in OPERATORS if name in rule), None)
        arguments = dict(rule.get("arguments") or {})
        if "validValues" in rule:  # how 3.0 wrote it, beside the operators
            arguments.setdefault("validValues", rule["validValues"])
        subject = ".".join(path) + " " if path is not None else ""
        rules.append(
            Rule(
                name=str(rule.get("name") or rule.get("id") or f"{subject}{metric or kind}"),
                kind=kind,
                metric=metric,
                arguments=arguments,
                operator=operator,
                expected=rule.get(operator) if operator else None,
                unit="percent" if str(rule.get("unit", "")).strip().lower() in ("percent", "%") else "rows",
                severity=str(rule.get("severity") or "error"),
                dimension=rule.get("dimension"),
                query=rule.get("query"),
                description=str(rule.get("description") or ""),
                column=path,
                place=report.document.place(at),
            )
        )
    return tuple(rules)


def _named_apart(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Rules that share a name are numbered, so that each can be asked for."""
    counts: dict[str, int] = {}
    named = []
    for rule in rules:
        counts[rule.name] = counts.get(rule.name, 0) + 1
        named.append(rule if counts[rule.name] == 1 else replace(rule, name=f"{rule.name} ({counts[rule.name]})"))
    return tuple(named)
