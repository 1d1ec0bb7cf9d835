"""What the rows of a failing check hold: a few values and keys, kept apart from the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanse.engine.rules.compile import Checks
from hanse.engine.rules.failures import is_engine
from hanse.engine.rules.model import BadRows, CheckResult, Duplicates, Nulls, Orphans, Sample
from hanse.names import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

VALUES = 4
KEYS = 3
WIDTH = 80  # characters of one shown value


def sample(connection: DuckDBPyConnection, checks: Checks, result: CheckResult) -> Sample | None:
    """Values with their counts and keys of the first bad rows; None where there is nothing to show."""
    relation = checks.relation
    if relation is None or not result.count:
        return None
    check = result.check
    names = tuple(name for name, _ in checks.key)
    match check.measure:
        case BadRows(sql):
            rows, value = f"{relation.sql} WHERE {sql}", check.value
        case Nulls(sql):
            rows, value = f"{relation.sql} WHERE {sql} IS NULL", None
        case Duplicates(keys):
            return _repeated(connection, relation.sql, keys, check.shows)
        case Orphans() as measure:
            from hanse.engine.rules.run import orphans

            rows = orphans(relation.sql, measure, dict(checks.key))
            value = "o.k0" if len(measure.keys) == 1 else _joined([f"o.k{i}" for i in range(len(measure.keys))])
            key = _joined([f"o.{quote(name)}" for name, _ in checks.key]) if checks.key else None
            return _look(connection, rows, value, check.shows, names, key)
        case _:
            return None
    key = _joined([sql for _, sql in checks.key]) if checks.key else None
    return _look(connection, rows, value, check.shows, names, key)


def _look(
    connection: DuckDBPyConnection,
    rows: str,
    value: str | None,
    columns: tuple[str, ...],
    names: tuple[str, ...],
    key: str | None,
) -> Sample | None:
    values: tuple[tuple[str, int], ...] = ()
    keys: tuple[str, ...] = ()
    try:
        if value is not None:
            found = connection.execute(
                f"SELECT {_shown(value)} AS v, count(*) AS c FROM {rows} "
                f"GROUP BY 1 ORDER BY c DESC, v LIMIT {VALUES + 1}"
            ).fetchall()
            values = tuple((str(v), int(c)) for v, c in found)
        if key is not None:
            keys = tuple(
                str(k) for (k,) in connection.execute(f"SELECT {key} FROM {rows} ORDER BY 1 LIMIT {KEYS}").fetchall()
            )
    except Exception as failure:
        if not is_engine(failure):
            raise
        return None  # the count stands; only the illustration is missing
    return Sample(columns if values else (), names, values[:VALUES], keys, len(values) > VALUES)


def _repeated(
    connection: DuckDBPyConnection, relation: str, keys: tuple[str, ...], columns: tuple[str, ...]
) -> Sample | None:
    present = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    found = connection.execute(
        f"SELECT {_joined(list(keys))} AS v, count(*) AS c FROM {relation} WHERE {present} "
        f"GROUP BY {', '.join(keys)} HAVING count(*) > 1 ORDER BY c DESC, v LIMIT {VALUES + 1}"
    ).fetchall()
    return Sample(columns, (), tuple((str(v), int(c)) for v, c in found[:VALUES]), (), len(found) > VALUES)


def _shown(sql: str) -> str:
    return f"left(coalesce(CAST({sql} AS VARCHAR), 'null'), {WIDTH})"


def _joined(parts: list[str]) -> str:
    return " || ', ' || ".join(_shown(part) for part in parts)
