"""The walk over a statement's tree: every node on the lists, every table a reference or a CTE in scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hanse.engine import gate_lists
from hanse.engine.errors import NotAllowed, place_in
from hanse.engine.gate_early import lowered
from hanse.names import nearest

_STAR_PARTS = (
    "relation_name", "exclude_list", "replace_list", "columns", "expr", "qualified_exclude_list", "rename_list",
)  # fmt: skip
NOWHERE = 2**64 - 1  # the parser's offset of what has no place


@dataclass(frozen=True, slots=True)
class Reference:
    """A table as the statement names it, ASCII-lowered; `called` is how the statement that runs calls it."""

    parts: tuple[str, ...]
    version: int | None = None
    timestamp: datetime | None = None
    called: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return ".".join(self.parts)


class Walk:
    """One pass over the tree: every node on the lists, every table a CTE in scope or a reference."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.references: list[Reference] = []
        self.identifiers: set[str] = set()
        self.columns: list[tuple[tuple[str, ...], int | None]] = []
        self.any_column = False
        self.travels = 0
        self.scanned: dict[tuple[str, ...], int] = {}
        self.named: set[tuple[tuple[str, ...], str]] = set()  # each table, as called, with each of its aliases

    def refuse(self, what: str, node: Mapping[str, Any], mend: str = "") -> NotAllowed:
        location = node.get("query_location")
        where = place_in(self.sql, location) if isinstance(location, int) and location != NOWHERE else ""
        return NotAllowed(what, where=where, mend=mend or "a question computes on products, nothing else")

    def query(self, node: Mapping[str, Any], scope: frozenset[str]) -> None:
        """A query node: its CTEs one after the other, each visible to those after it, then the rest."""
        kind = node.get("type")
        if kind not in gate_lists.QUERY_NODES:
            raise self.refuse(f"{_word(kind)} is not allowed in a question", node)
        for entry in (node.get("cte_map") or {}).get("map", ()):
            value = entry["value"]
            self.query(value["query"]["node"], scope)
            self.anything({k: v for k, v in value.items() if k != "query"}, scope)
            scope = scope | {lowered(entry["key"])}
        rest = {k: v for k, v in node.items() if k not in ("type", "cte_map")}
        if kind == "RECURSIVE_CTE_NODE":
            name = lowered(node["cte_name"])
            self.query(rest.pop("left"), scope)
            inner = scope | {name}
            if node.get("key_targets"):
                inner = inner | {f"recurring\0{name}"}
            self.query(rest.pop("right"), inner)
        self.anything(rest, scope)

    def anything(self, node: Any, scope: frozenset[str]) -> None:
        if isinstance(node, list):
            for item in node:
                self.anything(item, scope)
            return
        if not isinstance(node, dict):
            return
        kind, class_ = node.get("type"), node.get("class")
        if class_ is not None:
            self.expression(node, scope)
        elif not isinstance(kind, str):
            self.children(node, scope)
        elif kind in gate_lists.QUERY_NODES:
            self.query(node, scope)
        elif kind in gate_lists.TABLE_REFERENCES:
            self.table(node, scope)
        elif kind in gate_lists.MODIFIERS or kind in gate_lists.ORDERS or kind in gate_lists.TYPE_PARTS:
            if kind == "UNBOUND_TYPE_INFO" and (node.get("catalog") or node.get("schema")):
                raise self.refuse("a type has no schema here", node)
            self.children(node, scope)
        else:
            raise self.refuse(f"{_word(kind)} is not allowed in a question", node)

    def children(self, node: Mapping[str, Any], scope: frozenset[str]) -> None:
        for child in node.values():
            if isinstance(child, dict | list):
                self.anything(child, scope)

    def expression(self, node: Mapping[str, Any], scope: frozenset[str]) -> None:
        kind, class_ = node.get("type"), node["class"]
        if kind not in gate_lists.EXPRESSIONS.get(class_, ()):
            raise self.refuse(f"{_word(kind)} is not allowed in a question", node)
        match class_:
            case "FUNCTION" | "WINDOW":
                self.function(node, gate_lists.FUNCTIONS)
            case "COLUMN_REF":
                names = tuple(node["column_names"])
                location = node.get("query_location")
                self.columns.append((names, location if location != NOWHERE else None))
                self.identifiers.update(lowered(name) for name in names)
            case "STAR":
                self.any_column = True
            case "SUBQUERY" if node.get("subquery_type") == "EXISTS":
                node = {**node, "subquery": _starless(node["subquery"])}
            case "CONSTANT":
                return
        self.children(node, scope)

    def function(self, node: Mapping[str, Any], allowed: frozenset[str]) -> None:
        name = node.get("function_name", "")
        schema, catalog = node.get("schema") or "", node.get("catalog") or ""
        if node["class"] == "WINDOW" and node["type"] != "WINDOW_AGGREGATE":
            return
        if name.lower() not in allowed or schema not in ("", "main") or catalog not in ("", "system"):
            near = nearest(name, (known for known in allowed if known[:1].isalpha()))
            mend = f"nearest: {', '.join(near)}" if near else "use functions that compute on values"
            raise self.refuse(f"function {name[:80]} is not allowed in a question", node, mend)

    def table(self, node: Mapping[str, Any], scope: frozenset[str]) -> None:
        match node["type"]:
            case "BASE_TABLE":
                self.base(node, scope)
                return
            case "TABLE_FUNCTION":
                function = node["function"]
                if function.get("class") != "FUNCTION":
                    raise self.refuse("this table function is not allowed in a question", node)
                self.function(function, gate_lists.TABLE_FUNCTIONS)
                self.children(function, scope)
                self.anything({k: v for k, v in node.items() if k not in ("type", "function")}, scope)
                return
            case "PIVOT":
                if any(part.get("pivot_enum") for part in node.get("pivots", ())):
                    raise self.refuse("PIVOT over an enum is not allowed in a question", node)
                self.any_column = True
            case "JOIN":
                self.identifiers.update(lowered(name) for name in node.get("using_columns", ()))
                if node.get("ref_type") == "NATURAL":
                    self.any_column = True
        if node.get("column_name_alias"):
            self.any_column = True
        self.children(node, scope)

    def base(self, node: Any, scope: frozenset[str]) -> None:
        parts = tuple(lowered(node[key]) for key in ("catalog_name", "schema_name", "table_name") if node.get(key))
        if node.get("column_name_alias"):
            self.any_column = True
        if node.get("sample") is not None:
            self.anything(node["sample"], scope)
        travel = node.get("at_clause")
        if len(parts) == 1 and parts[0] in scope:
            if travel is not None:
                raise self.refuse("AT follows a product's table, not a CTE", node)
            return
        if parts[0] == "recurring" and len(parts) == 2 and f"recurring\0{parts[1]}" in scope:
            return
        version, timestamp = self.at(node, travel) if travel is not None else (None, None)
        called = parts
        if travel is not None:
            self.travels += 1
            called = (parts[0], f"at {self.travels}", parts[-1])
            node["alias"] = node["alias"] or parts[-1]
            node["catalog_name"], node["schema_name"], node["table_name"] = called
            node["at_clause"] = None
        self.scanned[called] = self.scanned.get(called, 0) + 1
        alias = lowered(node["alias"] or parts[-1])
        self.identifiers.add(alias)
        self.named.add((called, alias))
        reference = Reference(parts, version, timestamp, called)
        if reference not in self.references:
            self.references.append(reference)

    def at(self, node: Mapping[str, Any], travel: Mapping[str, Any]) -> tuple[int | None, datetime | None]:
        expression = travel["expr"]
        if expression.get("class") == "CAST" and expression["cast_type"]["id"].startswith("TIMESTAMP"):
            expression = expression["child"]
        value = (expression.get("value") or {}).get("value") if expression.get("class") == "CONSTANT" else None
        if travel["unit"] == "VERSION" and isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value, None
        if travel["unit"] == "TIMESTAMP" and isinstance(value, str):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                pass
            else:
                return None, moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        raise self.refuse(
            "AT takes a literal",
            node,
            "AT (VERSION => 41), a publication's number, or AT (TIMESTAMP => '2026-11-25 12:00:00+00')",
        )


def _starless(subquery: Mapping[str, Any]) -> Mapping[str, Any]:
    """What stands in EXISTS (SELECT * …), without its star: whether there is a row needs no column of it."""
    inner = subquery["node"]
    if inner.get("modifiers") or inner.get("aggregate_handling") != "STANDARD_HANDLING":
        return subquery  # DISTINCT … OFFSET and GROUP BY ALL … HAVING count by every column
    match inner.get("type"), inner.get("select_list"):
        case "SELECT_NODE", [{"class": "STAR", "type": "STAR", **rest}] if not any(
            rest.get(part) for part in _STAR_PARTS
        ):
            return {**subquery, "node": {**inner, "select_list": []}}
    return subquery


def _word(kind: Any) -> str:
    return str(kind).replace("_", " ").lower()[:60]
