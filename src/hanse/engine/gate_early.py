"""Which conjuncts of a statement may run beside the data: those that cannot raise, over plain inner joins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """A conjunct of WHERE that cannot raise: a column against literals; it may be evaluated beside the data.

    `table` is the called name or alias it is qualified with, None when it stands alone; values are (SQL type, text).
    """

    table: str | None
    column: str
    operator: str  # = <> < > <= >= in not-in between is-null is-not-null
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Scan:
    """A table of a statement under one of its aliases."""

    called: tuple[str, ...]
    alias: str


def lowered(name: str) -> str:
    """Lower-cased in ASCII only, then compared exactly (design §1)."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in name)


def early(
    node: Mapping[str, Any], scanned: Mapping[tuple[str, ...], int]
) -> tuple[tuple[Scan, ...], tuple[Comparison, ...]]:
    """Conjuncts of the top WHERE that may run beside the data, and the tables they may belong to.

    Only for a plain SELECT over inner joins of tables; a table that is scanned twice is left out.
    """
    scans: list[Scan] = []
    if node.get("type") != "SELECT_NODE" or not _inner(node.get("from_table"), scanned, scans):
        return (), ()
    found: list[Comparison] = []
    if node["where_clause"] is not None:
        _conjuncts(node["where_clause"], found)
    return tuple(scan for scan in scans if scanned.get(scan.called) == 1), tuple(found)


def _inner(source: Any, scanned: Mapping[tuple[str, ...], int], scans: list[Scan]) -> bool:
    if not isinstance(source, dict):
        return False
    if source["type"] == "BASE_TABLE":
        called = tuple(lowered(source[k]) for k in ("catalog_name", "schema_name", "table_name") if source.get(k))
        if source.get("sample") is not None or source.get("column_name_alias"):
            return False
        if called not in scanned:  # a CTE: its columns are not known here
            return False
        scans.append(Scan(called, lowered(source["alias"] or called[-1])))
        return True
    if source["type"] == "JOIN" and source["join_type"] == "INNER" and source["ref_type"] in ("REGULAR", "CROSS"):
        return _inner(source["left"], scanned, scans) and _inner(source["right"], scanned, scans)
    return False


_COMPARE = {
    "COMPARE_EQUAL": ("=", "="),
    "COMPARE_NOTEQUAL": ("<>", "<>"),
    "COMPARE_LESSTHAN": ("<", ">"),
    "COMPARE_GREATERTHAN": (">", "<"),
    "COMPARE_LESSTHANOREQUALTO": ("<=", ">="),
    "COMPARE_GREATERTHANOREQUALTO": (">=", "<="),
}


def _conjuncts(node: Mapping[str, Any], found: list[Comparison]) -> None:
    match node.get("class"), node.get("type"):
        case "CONJUNCTION", "CONJUNCTION_AND":
            for child in node["children"]:
                _conjuncts(child, found)
        case "COMPARISON", kind if kind in _COMPARE:
            for one, other, operator in (
                (node["left"], node["right"], _COMPARE[kind][0]),
                (node["right"], node["left"], _COMPARE[kind][1]),
            ):
                _found(found, one, operator, [other])
        case "BETWEEN", "COMPARE_BETWEEN":
            _found(found, node["input"], "between", [node["lower"], node["upper"]])
        case "OPERATOR", "COMPARE_IN" | "COMPARE_NOT_IN":
            operator = "in" if node["type"] == "COMPARE_IN" else "not-in"
            _found(found, node["children"][0], operator, node["children"][1:])
        case "OPERATOR", "OPERATOR_IS_NULL" | "OPERATOR_IS_NOT_NULL":
            operator = "is-null" if node["type"] == "OPERATOR_IS_NULL" else "is-not-null"
            _found(found, node["children"][0], operator, [])


def _found(found: list[Comparison], column: Mapping[str, Any], operator: str, values: Sequence[Any]) -> None:
    if column.get("class") != "COLUMN_REF" or len(column["column_names"]) > 2 or len(values) > 1000:
        return
    literals = [_literal(value) for value in values]
    if any(literal is None for literal in literals):
        return
    *table, name = column["column_names"]
    found.append(
        Comparison(
            lowered(table[0]) if table else None, lowered(name), operator, tuple(x for x in literals if x is not None)
        )
    )


def _literal(node: Mapping[str, Any]) -> tuple[str, str] | None:
    """A literal as (SQL type, text); None for anything else."""
    kind = ""
    if node.get("class") == "CAST" and not node.get("try_cast") and not node["cast_type"].get("type_info"):
        kind = node["cast_type"]["id"]
        node = node["child"]
        if kind not in ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE") or node.get("class") != "CONSTANT":
            return None
    if node.get("class") != "CONSTANT":
        return None
    value = node["value"]
    if value.get("is_null"):
        return None
    type_, shown = value["type"]["id"], value.get("value")
    if kind:
        return (kind, shown) if type_ == "VARCHAR" and isinstance(shown, str) else None
    if type_ == "VARCHAR" and isinstance(shown, str):
        return "VARCHAR", shown
    if type_ in ("INTEGER", "BIGINT") and isinstance(shown, int):
        return "BIGINT", str(shown)
    if type_ == "DOUBLE" and isinstance(shown, float):
        return "DOUBLE", repr(shown)
    return None
