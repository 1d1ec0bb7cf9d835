"""The gate: what a statement is and which tables it names, told by the parser of the engine that will run it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from hanse.engine.errors import NotAllowed, QuerySyntax, StatementTooLong, place_in
from hanse.engine.gate_early import Comparison, Scan, early
from hanse.engine.gate_walk import NOWHERE, Reference, Walk

__all__ = ["INLINE", "LONGEST", "Comparison", "Gated", "Reference", "Scan", "check"]


LONGEST = 256 * 1024
INLINE = 8 * 1024  # a longer statement is parsed in a gate process: the parser holds the interpreter
_EXPLAIN = re.compile(
    r"\s*(?:(?:--[^\n]*(?:\n|\Z)|/\*.*?\*/)\s*)*explain\b\s*(?:analyze\b)?\s*(?:\([^)]*\))?", re.IGNORECASE | re.DOTALL
)
_STATES = ("describe", "summarize")


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
    named: tuple[Scan, ...] = ()  # every table at any depth, with each alias
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
    walk = Walk(sql)
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
    scans, comparisons = early(node, walk.scanned)
    return Gated(
        run,
        kind,
        tuple(walk.references),
        subject=subject,
        parameters=parameters,
        identifiers=None if walk.any_column else frozenset(walk.identifiers),
        columns=tuple(walk.columns),
        named=tuple(Scan(*one) for one in sorted(walk.named)),
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


def _subject(node: Mapping[str, Any], walk: Walk) -> Reference | None:
    """The table of `DESCRIBE table`: a bare SELECT * over one table."""
    plain = (
        node.get("type") == "SELECT_NODE"
        and (node.get("from_table") or {}).get("type") == "BASE_TABLE"
        and not node["modifiers"]
        and node["where_clause"] is None
        and len(node["select_list"]) == 1
        and node["select_list"][0].get("class") == "STAR"
        and node["select_list"][0].get("query_location") == NOWHERE
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
