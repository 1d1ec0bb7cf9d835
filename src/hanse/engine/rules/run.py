"""Run compiled checks: one scan a table for all that can share it, then uniqueness, queries and samples."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hanse.engine.rules import operators, uniqueness
from hanse.engine.rules.compile import Checks
from hanse.engine.rules.failures import CannotJudge, is_engine, told
from hanse.engine.rules.model import (
    Aggregate,
    BadRows,
    Check,
    CheckResult,
    Duplicates,
    Known,
    Nulls,
    Orphans,
    Query,
    RowCount,
    Sample,
    Status,
    TableReport,
)
from hanse.engine.rules.operators import number
from hanse.engine.rules.samples import sample
from hanse.names import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLES = 50  # failing checks of one table whose rows are looked up; the rest show their count only


@dataclass(slots=True)
class _Measured:
    """What the engine said of one measure."""

    value: Any = None
    rows: int | None = None
    seconds: float = 0.0
    error: str = ""


@dataclass(slots=True)
class _Table:
    """One table under test: the scan's values by SQL, and the ways to ask more."""

    connection: DuckDBPyConnection
    checks: Checks
    rows: int | None = None
    scanned: dict[str, _Measured] = field(default_factory=dict)
    duplicates: dict[tuple[str, ...], _Measured] = field(default_factory=dict)


def run(
    connection: DuckDBPyConnection,
    compiled: Sequence[Checks],
    *,
    only: Callable[[Check], bool] = lambda check: True,
    samples: bool = True,
) -> Iterator[tuple[TableReport, Mapping[str, Sample]]]:
    """The report of each table in turn, with what its failing rows hold; checks that `only` refuses are left out."""
    _make_views(connection, compiled)
    for checks in compiled:
        chosen = tuple(check for check in checks.checks if only(check))
        if chosen:
            yield _run_table(connection, checks, chosen, samples)


def _make_views(connection: DuckDBPyConnection, compiled: Sequence[Checks]) -> None:
    if not any(isinstance(check.measure, Query) for checks in compiled for check in checks.checks):
        return
    taken: set[str] = set()
    for checks in compiled:
        for name, select in (checks.views or {}).items():
            if name.lower() not in taken:
                taken.add(name.lower())
                connection.execute(f"CREATE TEMP VIEW {quote(name)} AS {select}")


def _run_table(
    connection: DuckDBPyConnection, checks: Checks, chosen: Sequence[Check], samples: bool
) -> tuple[TableReport, Mapping[str, Sample]]:
    table = _Table(connection, checks)
    if checks.relation is not None:
        _scan(table, chosen)
    results = [_result(check, _measure(table, check)) for check in chosen]
    found: dict[str, Sample] = {}
    if samples and checks.relation is not None:
        bad = [r for r in results if r.status in (Status.FAIL, Status.WARN)]
        for result in bad[:SAMPLES]:
            if (rows := sample(connection, checks, result)) is not None:
                found[result.check.id] = rows
    source = checks.relation.description if checks.relation is not None else ""
    return TableReport(checks.table, source, table.rows, tuple(results)), found


def _scan(table: _Table, chosen: Sequence[Check]) -> None:
    """Compute every aggregate that `chosen` needs in one pass, with bitmaps of integers whose bounds are known."""
    assert table.checks.relation is not None
    relation = table.checks.relation
    wanted: dict[str, None] = {}
    for check in chosen:
        if (sql := _aggregate(check)) is not None:
            wanted[sql] = None
    keys = dict.fromkeys(c.measure for c in chosen if isinstance(c.measure, Duplicates))
    bitmaps: dict[tuple[str, ...], str] = {}
    if relation.files and any(key.integral for key in keys):
        # Parquet's statistics give the bounds without reading a row, so the bitmap fits into the one scan
        bounds = uniqueness.bounds(table.connection, relation.sql, [k.keys[0] for k in keys if k.integral])
        for key in keys:
            if key.integral and (sql := uniqueness.bitmap(key.keys[0], bounds.get(key.keys[0]), None)) is not None:
                bitmaps[key.keys] = sql
                wanted[sql] = None
                wanted[f"count({key.keys[0]})"] = None
    started = time.perf_counter()
    table.scanned = _aggregates(table.connection, relation.sql, list(wanted))
    seconds = (time.perf_counter() - started) / max(len(wanted), 1)
    for measured in table.scanned.values():
        measured.seconds = seconds
    rows = table.scanned[_ROWS]
    table.rows = int(rows.value) if not rows.error else None
    for keys_, sql in bitmaps.items():
        distinct, present = table.scanned[sql], table.scanned[f"count({keys_[0]})"]
        if not distinct.error and not present.error:
            surplus = int(present.value) - int(distinct.value or 0)
            table.duplicates[keys_] = _Measured(surplus, table.rows, distinct.seconds)


_ROWS = "count(*)"


def _aggregate(check: Check) -> str | None:
    match check.measure:
        case BadRows(sql):
            return f"count_if({sql})"
        case Nulls(sql):
            return f"count({sql})"
        case Aggregate(sql):
            return sql
        case _:
            return None


def _aggregates(connection: DuckDBPyConnection, relation: str, wanted: Sequence[str]) -> dict[str, _Measured]:
    """Each aggregate's value; when the engine refuses the lot, it is halved until the one at fault stands alone."""
    try:
        row = connection.execute(f"SELECT {', '.join([_ROWS, *wanted])} FROM {relation}").fetchone()
    except Exception as failure:
        if not is_engine(failure):
            raise
        if len(wanted) <= 1:
            broken = {sql: _Measured(error=told(failure)) for sql in (wanted or [_ROWS])}
            return broken if not wanted else {**broken, **_aggregates(connection, relation, [])}
        half = len(wanted) // 2
        first = _aggregates(connection, relation, wanted[:half])
        return {**first, **_aggregates(connection, relation, wanted[half:])}
    assert row is not None
    return {sql: _Measured(value) for sql, value in zip([_ROWS, *wanted], row, strict=True)}


def _measure(table: _Table, check: Check) -> _Measured:
    measure = check.measure
    match measure:
        case None | Known():
            return _Measured(rows=table.rows)
        case RowCount():
            measured = table.scanned[_ROWS]
            return _Measured(table.rows, table.rows, measured.seconds, measured.error)
        case BadRows() | Nulls() | Aggregate():
            measured = table.scanned[_aggregate(check) or ""]
            value = measured.value
            if isinstance(measure, Nulls) and value is not None and table.rows is not None:
                value = table.rows - value
            return _Measured(value, table.rows, measured.seconds, measured.error)
        case Duplicates(keys):
            if keys not in table.duplicates:
                table.duplicates[keys] = _timed(lambda: _count_duplicates(table, measure), table.rows)
            return table.duplicates[keys]
        case Orphans():
            return _timed(lambda: _count_orphans(table, measure), table.rows)
        case Query(sql):
            return _timed(lambda: _ask(table.connection, sql), table.rows)
    raise AssertionError(measure)


def _timed(ask: Callable[[], Any], rows: int | None) -> _Measured:
    started = time.perf_counter()
    try:
        value, error = ask(), ""
    except Exception as failure:
        if not is_engine(failure) and not isinstance(failure, CannotJudge):
            raise
        value, error = None, told(failure)
    return _Measured(value, rows, time.perf_counter() - started, error)


def _count_duplicates(table: _Table, measure: Duplicates) -> int:
    assert table.checks.relation is not None
    return uniqueness.surplus(table.connection, table.checks.relation, measure, table.rows)


def _count_orphans(table: _Table, measure: Orphans) -> int:
    assert table.checks.relation is not None
    row = table.connection.execute(f"SELECT count(*) FROM {orphans(table.checks.relation.sql, measure)}").fetchone()
    return int(row[0]) if row else 0


def orphans(relation: str, measure: Orphans, extra: Mapping[str, str] | None = None) -> str:
    """A FROM item of the rows whose key is nowhere in the other relation; `extra` names further columns to carry."""
    keys = [f"{sql} AS k{i}" for i, sql in enumerate(measure.keys)]
    carried = [f"{sql} AS {quote(name)}" for name, sql in (extra or {}).items()]
    present = " AND ".join(f"{sql} IS NOT NULL" for sql in measure.keys)
    to_keys = ", ".join(f"{sql} AS k{i}" for i, sql in enumerate(measure.to_keys))
    same = " AND ".join(f"o.k{i} = t.k{i}" for i in range(len(measure.keys)))
    return (
        f"(SELECT {', '.join(keys + carried)} FROM {relation} WHERE {present}) o "
        f"ANTI JOIN (SELECT {to_keys} FROM {measure.to.sql}) t ON {same}"
    )


def _ask(connection: DuckDBPyConnection, sql: str) -> Any:
    """The one value of the owner's query, after the gate."""
    from hanse.engine.gate import check as gate
    from hanse.errors import HanseError

    try:
        gated = gate(sql)
    except HanseError as refused:
        raise CannotJudge(f"the query is not allowed: {refused.message}") from refused
    if gated.kind != "select":
        raise CannotJudge("the query is not a SELECT")
    known = {
        name.lower()
        for (name,) in connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE temporary AND NOT internal"
        ).fetchall()
    }
    for reference in gated.references:
        if len(reference.parts) != 1 or reference.parts[0] not in known or reference.version or reference.timestamp:
            raise CannotJudge(f"the query reads {reference.text}, which is not a table of this contract")
    cursor = connection.execute(gated.sql)
    rows = cursor.fetchmany(2)
    if len(rows) != 1 or len(rows[0]) != 1:
        raise CannotJudge("the query must give one row with one value")
    value = rows[0][0]
    if isinstance(value, (bool, int, float, Decimal)):
        return value
    kind = "nothing" if value is None else f"a {type(value).__name__}"
    raise CannotJudge(f"the query gave {kind}; a rule needs a number or true/false")


def _result(check: Check, measured: _Measured) -> CheckResult:
    bad_status = Status.FAIL if check.severity == "error" else Status.WARN
    seconds, rows = measured.seconds, measured.rows
    measure = check.measure
    if measure is None:
        return CheckResult(check, Status.NOT_RUN, rows=rows, message=check.reason)
    if isinstance(measure, Known):
        if measure.message is None:
            return CheckResult(check, Status.OK, str(measure.found or ""), rows=rows)
        status = Status.WARN if measure.soft else bad_status
        return CheckResult(check, status, found=measure.message, rows=rows, message=measure.message)
    if measured.error:
        return CheckResult(check, Status.ERROR, rows=rows, seconds=seconds, message=measured.error)
    value = measured.value
    if check.judge is not None:
        good, found = check.judge(value)
        shown = float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
        status = Status.OK if good else bad_status
        return CheckResult(check, status, found, rows=rows, value=shown, seconds=seconds)
    counted = isinstance(measure, (BadRows, Nulls, Duplicates, Orphans))
    count = int(value or 0) if counted else None
    compared: Any = count if counted else value
    if check.unit == "percent" and counted:
        compared = 100 * count / rows if rows and count is not None else 0.0
    good = operators.holds(compared, check.operator, check.threshold)
    if counted:
        found = f"{number(count)} of {number(rows)} rows" if rows is not None else f"{number(count)} rows"
        if check.unit == "percent":
            found += f" ({number(compared)} %)"
    else:
        found = f"{number(compared)} rows" if isinstance(measure, RowCount) else number(compared)
    shown = compared if isinstance(compared, bool) else float(compared)
    return CheckResult(check, Status.OK if good else bad_status, found, count, rows, shown, seconds)
