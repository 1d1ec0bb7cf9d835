"""A first look at a rule's SQL: one SELECT that reads tables only. The engine's gate judges it again when it runs."""

from __future__ import annotations

import re
from typing import Any

from hanse.errors import Kind, code
from hanse.spec.checks.report import Report

SQL = code(
    "quality.sql", Kind.INVALID, "A rule's SQL is not one SELECT over tables",
    "A rule is a question to the contract's own tables: one SELECT, no file, no network, no setting, no change.",
    "Write one SELECT over the tables of the contract.",
)  # fmt: skip
LIMIT = 64 * 1024

_PLACEHOLDER = re.compile(r"\$\{\s*([A-Za-z_][\w.]*)\s*\}|\{\{\s*([A-Za-z_][\w.]*)\s*\}\}|\{\s*([A-Za-z_][\w.]*)\s*\}")
_ROW_FUNCTIONS = frozenset({"unnest", "generate_series", "range", "explode", "flatten", "generate_subscripts"})
_OUTSIDE = re.compile(
    r"read_\w+|\w*_?scan|scan_\w+|glob|getenv|query|query_table|json_execute_serialized_sql|copy_database|pragma_\w+|"
    r"duckdb_\w+|sniff_csv|parquet_\w+|iceberg_\w+|delta_\w+|postgres_\w+|mysql_\w+|sqlite_\w+|sql_auto_complete|"
    r"pg_read_\w+|pg_ls_\w+|lo_\w+|dblink\w*|load_\w+|which_secret|current_setting|set_config|checkpoint|"
    r"force_checkpoint|http_\w+|from_substrait\w*|st_read\w*|shapefile\w*|read|externalquery|external_query|openrowset|"
    r"opendatasource|xp_\w+|pg_sleep\w*|sleep|write_\w+|add_\w+_secret|test_\w+",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"[/\\]|://|\.(?:csv|tsv|json|jsonl|ndjson|parquet|txt|db|duckdb|sqlite|xlsx|arrow|gz|zst|avro)\Z", re.I
)


def plain(sql: str) -> str:
    """`sql` with its placeholders (`${table}`, `{table}`, `{{ table }}`) replaced by plain names."""
    return _PLACEHOLDER.sub(lambda m: (m[1] or m[2] or m[3]).replace(".", "_"), sql)


def check_sql(report: Report, pointer: str, sql: Any) -> None:
    """Tell what in `sql` is not one SELECT over tables."""
    if not isinstance(sql, str):
        return
    if reason := fault(sql):
        report.add(
            pointer, SQL, f"the rule's SQL {reason}", why="a rule asks its own tables one question",
            mend="write one SELECT over the tables of the contract",
        )  # fmt: skip


def fault(sql: str) -> str:
    """Why `sql` cannot be a rule, or nothing."""
    if len(sql) > LIMIT:
        return f"is longer than {LIMIT} characters"
    import sqlglot
    from sqlglot import exp

    try:
        statements = [s for s in sqlglot.parse(plain(sql), dialect="duckdb") if s is not None]
    except sqlglot.errors.SqlglotError as error:
        try:
            statements = [s for s in sqlglot.parse(plain(sql)) if s is not None]
        except sqlglot.errors.SqlglotError:
            return f"cannot be read: {_first(str(error))}"
        except RecursionError:
            return "is nested too deep"
    except RecursionError:
        return "is nested too deep"
    if len(statements) != 1:
        return f"is {len(statements)} statements" if statements else "is empty"
    root = statements[0]
    if not isinstance(root, (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)):
        return f"is not a SELECT but {root.key.upper()}"
    for node in root.walk():
        if reason := _fault(node, exp):
            return reason
    return ""


def _fault(node: Any, exp: Any) -> str:
    writes = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.DDL, exp.Command, exp.Copy, exp.Attach, exp.Detach)
    if isinstance(node, writes) and not isinstance(node, exp.Query):
        return f"holds a {node.key.upper()}"
    if isinstance(node, exp.Into):
        return "writes a table by INTO"
    if isinstance(node, exp.Func):
        name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
        if _OUTSIDE.fullmatch(name):
            return f"calls {name}, which reaches beyond the tables"
    if isinstance(node, exp.Table):
        inner = node.this
        if isinstance(inner, exp.Func):
            name = (inner.name if isinstance(inner, exp.Anonymous) else inner.sql_name()).lower()
            return "" if name in _ROW_FUNCTIONS else f"reads from the function {name}"
        if isinstance(inner, exp.Literal) or (isinstance(inner, exp.Identifier) and _FILE.search(inner.name)):
            return f"reads the file {inner.name[:60]!a}"
        if isinstance(inner, exp.Identifier) and (node.args.get("db") or node.args.get("catalog")) is None:
            return ""
        if re.search(r"\.(?:csv|tsv|json|parquet|ndjson)\Z", node.sql(), re.IGNORECASE):
            return f"reads the file {node.sql()[:60]!a}"
    return ""


def _first(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).split("\n")[0][:120]
