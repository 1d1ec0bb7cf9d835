"""The gate: what a statement is and which tables it names, told by the parser of the engine that will run it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from hanse.engine import gate_lists
from hanse.engine.errors import NotAllowed, QuerySyntax, StatementTooLong, place_in
from hanse.names import nearest

LONGEST = 256 * 1024
INLINE = 8 * 1024  # a longer statement is parsed in a gate process: the parser holds the interpreter
_NOWHERE = 2**64 - 1
_EXPLAIN = re.compile(
    r"\s*(?:(?:--[^\n]*(?:\n|\Z)|/\*.*?\*/)\s*)*explain\b\s*(?:analyze\b)?\s*(?:\([^)]*\))?", re.IGNORECASE | re.DOTALL
)
_STATES = ("describe", "summarize")


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
    """A table of a plain inner join at the top of the statement: where its conjuncts may be evaluated early."""

    called: tuple[str, ...]
    alias: str


@dataclass(frozen=True, slots=True)
class Gated:
    """A statement that passed the gate. `sql` is what runs; `kind` is select, describe, show, summarize or explain."""

    sql: str
    kind: str
    references: tuple[Reference, ...]
    subject: Reference | None = None  # describe, summarize: the table, when it is one and not a query
    parameters: frozenset[str] = frozenset()  # "1", "2" … or names
    identifiers: frozenset[str] | None = frozenset()  # lowered words that may be columns; None = any column
    columns: tuple[tuple[tuple[str, ...], int | None], ...] = ()  # column references with their byte offsets
    scans: tuple[Scan, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    show: str = ""  # show: tables, domains …
    text: str = ""  # as the caller wrote it
    tree: Any = field(default=None, compare=False, repr=False)


def check(sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> Gated:
    """Parse and judge one statement.

    Raises `QuerySyntax` with the place, `NotAllowed` for what is not on the lists, `StatementTooLong` over 256 KiB,
    and `BadParameter` when `parameters` are given and do not fit.
    """
    size = len(sql.encode(errors="surrogatepass"))
    if size > LONGEST:
        raise StatementTooLong(size)
    gated = _remembered(sql) if size <= INLINE else _gate(sql)
    if parameters is not None:
        from hanse.engine.parameters import fitting

        fitting(gated.parameters, parameters)
    return gated


@lru_cache(maxsize=512)
def _remembered(sql: str) -> Gated:
    return _gate(sql)


_parsers = threading.local()


def _parser() -> Any:
    """This thread's parser: an empty, locked engine that only ever sees text."""
    connection = getattr(_parsers, "connection", None)
    if connection is None:
        import duckdb

        connection = duckdb.connect(
            ":memory:",
            config={
                "threads": "1",
                "memory_limit": "256MB",
                "enable_external_access": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "lock_configuration": "true",
            },
        )
        _parsers.connection = connection
    return connection


def _serialized(sql: str) -> Any:
    import duckdb

    if "\0" in sql:
        raise QuerySyntax("the statement holds a zero byte", mend="take it out")
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise QuerySyntax("the statement is not valid Unicode", mend="send it as UTF-8") from None
    try:
        row = _parser().execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
        return json.loads(row[0])
    except (RecursionError, duckdb.Error):
        raise _too_deep() from None


def _too_deep() -> NotAllowed:
    return NotAllowed("the statement is nested too deeply", mend="split it with WITH, or flatten its parentheses")


def _gate(sql: str) -> Gated:
    tree = _serialized(sql)
    if tree.get("error"):
        explained = _explained(sql, tree)
        if explained is not None:
            return explained
        raise _parse_error(sql, tree)
    statements = tree["statements"]
    if len(statements) != 1:
        raise NotAllowed(
            f"a question is exactly one statement, this text holds {len(statements)}", mend="send one statement"
        )
    try:
        return _judge(sql, statements[0])
    except RecursionError:
        raise _too_deep() from None


def _parse_error(sql: str, tree: Mapping[str, Any]) -> NotAllowed | QuerySyntax:
    kind, message = tree.get("error_type"), str(tree.get("error_message", ""))
    if kind == "not implemented" and "parameter" in message:
        return QuerySyntax("named and positional parameters cannot be mixed", mend="use only ? or only $names")
    if kind == "not implemented" or "A CTE needs a SELECT" in message:
        return NotAllowed(
            f"{_statement(sql)} may not be asked",
            mend="ask with SELECT, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN",
        )
    if "max_expression_depth" in message.lower() or "depth" in message.lower():
        return _too_deep()
    position = tree.get("position")
    where = place_in(sql, int(position) if position is not None and str(position).isdigit() else None)
    if "NameListToString" in message:
        return QuerySyntax("a table's name has at most three parts", mend="domain.product.table")
    # parser messages hold the caller's own tokens only
    first = message.split("\n", 1)[0][:300] or "the statement cannot be parsed"
    return QuerySyntax(first, where=where, mend="mend the statement there" if where else "mend the statement")


def _statement(sql: str) -> str:
    """What kind of statement `sql` is, in words."""
    import duckdb

    try:
        kinds = [parsed.type.name for parsed in _parser().extract_statements(sql)]
    except duckdb.Error:
        kinds = []
    if len(kinds) > 1:
        return "several statements at once (PIVOT without IN is such a form)"
    return f"a statement of kind {kinds[0].replace('_', ' ')}" if kinds else "this form of statement"


def _explained(sql: str, tree: Mapping[str, Any]) -> Gated | None:
    """EXPLAIN of a statement, which is gated by itself; the engine never runs it."""
    import duckdb

    if tree.get("error_type") != "not implemented":
        return None
    try:
        parsed = _parser().extract_statements(sql)
    except duckdb.Error:
        return None
    match = _EXPLAIN.match(sql)
    if len(parsed) != 1 or parsed[0].type != duckdb.StatementType.EXPLAIN or match is None:
        return None
    inner = _gate(sql[match.end() :])
    return Gated(inner.sql, "explain", inner.references, parameters=inner.parameters, text=sql)


def _judge(sql: str, statement: Mapping[str, Any]) -> Gated:
    node = statement["node"]
    source = node.get("from_table") or {}
    walk = _Walk(sql)
    kind, show = "select", ""
    if source.get("type") == "SHOW_REF":
        kind, show = _show(source)
        if kind == "show":
            return Gated(sql, "show", (), show=show, text=sql)
        node = source["query"]
    walk.query(node, frozenset())
    parameters = frozenset(entry["key"] for entry in statement.get("named_param_map", ()))
    subject = _subject(node, walk) if kind in _STATES else None
    run = sql
    if walk.travels:
        run = _rewritten(statement)
    scans, comparisons = _early(node, walk)
    return Gated(
        run,
        kind,
        tuple(walk.references),
        subject=subject,
        parameters=parameters,
        identifiers=None if walk.any_column else frozenset(walk.identifiers),
        columns=tuple(walk.columns),
        scans=scans,
        comparisons=comparisons,
        text=sql,
        tree=None,
    )


def _show(source: Mapping[str, Any]) -> tuple[str, str]:
    match source.get("show_type"):
        case "DESCRIBE" if source.get("query"):
            return "describe", ""
        case "SUMMARY" if source.get("query"):
            return "summarize", ""
        case "SHOW_UNQUALIFIED" if source.get("table_name") in ('"tables"', "__show_tables_expanded"):
            return "show", "tables"
        case "SHOW_UNQUALIFIED" if source.get("table_name") in ('"databases"', '"schemas"'):
            return "show", "domains"
    raise NotAllowed(
        "this form of SHOW is not answered", mend="SHOW TABLES, DESCRIBE domain.product, or SHOW DATABASES"
    )


def _subject(node: Mapping[str, Any], walk: _Walk) -> Reference | None:
    """The table of `DESCRIBE table`: a bare SELECT * over one table."""
    plain = (
        node.get("type") == "SELECT_NODE"
        and (node.get("from_table") or {}).get("type") == "BASE_TABLE"
        and not node["modifiers"]
        and node["where_clause"] is None
        and len(node["select_list"]) == 1
        and node["select_list"][0].get("class") == "STAR"
        and node["select_list"][0].get("query_location") == _NOWHERE
    )
    return walk.references[0] if plain and len(walk.references) == 1 else None


def _rewritten(statement: Mapping[str, Any]) -> str:
    """The statement with time travel resolved to names of its own; proven to be the same tree."""
    import duckdb

    shown = json.dumps({"error": False, "statements": [statement]})
    try:
        row = _parser().execute("SELECT json_deserialize_sql(?::JSON)", [shown]).fetchone()
    except duckdb.Error:
        row = None
    if row is None or _bare(_serialized(row[0])["statements"][0]["node"]) != _bare(statement["node"]):
        raise NotAllowed(
            "AT cannot be combined with a form that this statement uses",
            mend="put the table with AT into a CTE of its own: WITH t AS (SELECT * FROM … AT (VERSION => n)) …",
        )
    return str(row[0])


def _bare(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _bare(v) for k, v in node.items() if k not in ("query_location", "named_param_map")}
    if isinstance(node, list):
        return [_bare(item) for item in node]
    return node


class _Walk:
    """One pass over the tree: every node on the lists, every table a CTE in scope or a reference."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.references: list[Reference] = []
        self.identifiers: set[str] = set()
        self.columns: list[tuple[tuple[str, ...], int | None]] = []
        self.any_column = False
        self.travels = 0
        self.scanned: dict[tuple[str, ...], int] = {}

    def refuse(self, what: str, node: Mapping[str, Any], mend: str = "") -> NotAllowed:
        location = node.get("query_location")
        where = place_in(self.sql, location) if isinstance(location, int) and location != _NOWHERE else ""
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
            scope = scope | {_lowered(entry["key"])}
        rest = {k: v for k, v in node.items() if k not in ("type", "cte_map")}
        if kind == "RECURSIVE_CTE_NODE":
            name = _lowered(node["cte_name"])
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
                self.columns.append((names, location if location != _NOWHERE else None))
                self.identifiers.update(_lowered(name) for name in names)
            case "STAR":
                self.any_column = True
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
                self.identifiers.update(_lowered(name) for name in node.get("using_columns", ()))
                if node.get("ref_type") == "NATURAL":
                    self.any_column = True
        if node.get("column_name_alias"):
            self.any_column = True
        self.children(node, scope)

    def base(self, node: Any, scope: frozenset[str]) -> None:
        parts = tuple(_lowered(node[key]) for key in ("catalog_name", "schema_name", "table_name") if node.get(key))
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
        self.identifiers.add(_lowered(node["alias"] or parts[-1]))
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


def _early(node: Mapping[str, Any], walk: _Walk) -> tuple[tuple[Scan, ...], tuple[Comparison, ...]]:
    """Conjuncts of the top WHERE that may run beside the data, and the tables they may belong to.

    Only for a plain SELECT over inner joins of tables; a table that is scanned twice is left out.
    """
    scans: list[Scan] = []
    if node.get("type") != "SELECT_NODE" or not _inner(node.get("from_table"), walk, scans):
        return (), ()
    found: list[Comparison] = []
    if node["where_clause"] is not None:
        _conjuncts(node["where_clause"], found)
    return tuple(scan for scan in scans if walk.scanned.get(scan.called) == 1), tuple(found)


def _inner(source: Any, walk: _Walk, scans: list[Scan]) -> bool:
    if not isinstance(source, dict):
        return False
    if source["type"] == "BASE_TABLE":
        called = tuple(_lowered(source[k]) for k in ("catalog_name", "schema_name", "table_name") if source.get(k))
        if source.get("sample") is not None or source.get("column_name_alias"):
            return False
        if called not in walk.scanned:  # a CTE: its columns are not known here
            return False
        scans.append(Scan(called, _lowered(source["alias"] or called[-1])))
        return True
    if source["type"] == "JOIN" and source["join_type"] == "INNER" and source["ref_type"] in ("REGULAR", "CROSS"):
        return _inner(source["left"], walk, scans) and _inner(source["right"], walk, scans)
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
            _lowered(table[0]) if table else None, _lowered(name), operator, tuple(x for x in literals if x is not None)
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


def _lowered(name: str) -> str:
    """Lower-cased in ASCII only, then compared exactly (design §1)."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in name)


def _word(kind: Any) -> str:
    return str(kind).replace("_", " ").lower()[:60]
