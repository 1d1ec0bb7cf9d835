"""A table under a decision as one SELECT over raw files; only the trusted reader ever runs it."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from hanse.engine.errors import PolicyFailed
from hanse.engine.gate import Comparison, check
from hanse.engine.relations.inputs import Input
from hanse.engine.relations.masks import is_untouched, shown
from hanse.engine.storage.scan import scan_sql
from hanse.errors import HanseError
from hanse.governance.decision import RowRule
from hanse.names import literal, quote
from hanse.spec.types import Scalar, Type


@dataclass(frozen=True, slots=True)
class VisibleColumn:
    """A column as a reader gets it: name and type after masks, the expression that makes it, and whether it is raw."""

    name: str
    type: Type
    sql: str
    untouched: bool


_seen: OrderedDict[int, tuple[Input, tuple[VisibleColumn, ...]]] = OrderedDict()
_seen_lock = threading.Lock()


def visible(given: Input) -> tuple[VisibleColumn, ...]:
    """The columns of `given` that its reader sees, in the contract's order; remembered for the very same input."""
    with _seen_lock:
        held = _seen.get(id(given))
        if held is not None and held[0] is given:
            return held[1]
    columns = _visible(given)
    with _seen_lock:
        _seen[id(given)] = given, columns  # the input is held, so its id stays its own
        while len(_seen) > 4096:
            _seen.popitem(last=False)
    return columns


def _visible(given: Input) -> tuple[VisibleColumn, ...]:
    stored = {column.name: column.type for column in given.snapshot.columns}
    promised = frozenset(facts.path for facts in given.facts.columns)
    columns = []
    for facts in given.facts.columns:
        if len(facts.path) != 1:
            continue
        name = facts.path[0]
        type_ = stored.get(name)
        if type_ is None:
            # promised by the contract, not in this (older) snapshot
            if given.decision.columns.get(facts.path) is not None and shown(
                name, facts.type, given.decision.columns, promised
            ):
                columns.append(VisibleColumn(name, facts.type, f"CAST(NULL AS {facts.type.sql})", False))
            continue
        part = shown(name, type_, given.decision.columns, promised)
        if part is not None:
            untouched = is_untouched(given.decision.columns, name) and part[0] == quote(name)
            columns.append(VisibleColumn(name, part[1], part[0], untouched))
    return tuple(columns)


def is_clear(given: Input) -> bool:
    """Whether nothing of the stored files is kept from the reader: no row, no column, no part of one.

    Only then may a process that runs the reader's SQL open the files themselves.
    """
    untouched = {column.name for column in visible(given) if column.untouched}
    return not given.decision.rows and all(column.name in untouched for column in given.snapshot.columns)


def identity(given: Input) -> tuple[object, ...]:
    """What a data state is: the table, its snapshot and its files."""
    return (str(given.facts.id), given.snapshot.snapshot_id, given.snapshot.schema_id, _files(given))


@lru_cache(maxsize=4096)
def _digest(files: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(files).encode()).hexdigest()[:24]


def _files(given: Input) -> str:
    return _digest(tuple(f"{file.path} {file.sha256}" for file in given.snapshot.files))


def fingerprint(given: Input) -> str:
    """Equal fingerprints hold equal data, whoever asks: snapshot, policy text, what the policies read, the mask key."""
    canonical = json.dumps(
        [
            identity(given),
            [[column.name, column.type.sql, column.sql] for column in visible(given)],
            sorted(rule.predicate for rule in given.decision.rows),
            sorted([list(name), identity(raw)] for name, raw in _reads(given).items()),
        ],
        sort_keys=True,
        default=str,
    )
    return hmac.new(b"relation" + given.mask_key, canonical.encode(), hashlib.sha256).hexdigest()[:40]


def _reads(given: Input) -> dict[tuple[str, ...], Input]:
    wanted = {tuple(part.lower() for part in name) for rule in given.decision.rows for name in rule.reads}
    return {name: given.reads[name] for name in wanted if name in given.reads}


@dataclass(frozen=True, slots=True)
class PolicySelect:
    """What the trusted reader runs: views over raw files by name, and the one SELECT."""

    views: tuple[tuple[tuple[str, ...], str], ...]
    sql: str
    files: tuple[str, ...]


def policy_select(
    given: Input, columns: Iterable[str] | None = None, comparisons: Iterable[Comparison] = ()
) -> PolicySelect:
    """The rows of `given` that its reader sees, masked; only `columns` and rows that pass `comparisons` if given.

    Raises `PolicyFailed` when a row policy is no single predicate or reads what it did not declare.
    """
    wanted = None if columns is None else set(columns)
    parts = [column for column in visible(given) if wanted is None or column.name in wanted]
    list_ = ", ".join(f"{column.sql} AS {quote(column.name)}" for column in parts) or "1 AS nothing"
    table = given.facts.id.table
    conditions = [_predicate(given, rule) for rule in given.decision.rows]
    conditions += [sql for c in comparisons if (sql := _early(given, c)) is not None]
    where = " AND ".join(f"({condition}\n)" for condition in conditions) or "true"
    # rows first, in a SELECT of their own: a policy never sees a masked column by its name
    rows = f"SELECT * FROM ({scan_sql(given.snapshot, given.warehouse)}) AS {quote(table)} WHERE {where}"
    sql = f"SELECT {list_} FROM ({rows}) AS {quote(table)}"
    reads = _reads(given)
    views = tuple((name, scan_sql(raw.snapshot, raw.warehouse)) for name, raw in sorted(reads.items()))
    files = tuple(str(one.warehouse / file.path) for one in (given, *reads.values()) for file in one.snapshot.files)
    return PolicySelect(views, sql, files)


def _predicate(given: Input, rule: RowRule) -> str:
    """The predicate, once it is proven to be one: parsed inside a WHERE, reading only what it declares."""
    table = str(given.facts.id)
    row = f"SELECT 1 FROM {quote('row of')}.{quote('it')} WHERE"
    try:
        # bare as well: `true) OR (true` is one expression only between our parentheses
        check(f"{row} {rule.predicate}\n")
        gated = check(f"{row} ({rule.predicate}\n)")
    except HanseError:
        raise PolicyFailed(table) from None
    names = {reference.parts for reference in gated.references} - {("row of", "it")}
    declared = {tuple(part.lower() for part in name) for name in rule.reads}
    if gated.kind != "select" or not names <= declared or not names <= given.reads.keys():
        raise PolicyFailed(table)
    return rule.predicate


_FITS = {
    "VARCHAR": ("string",),
    "BIGINT": ("int32", "int64", "decimal", "float32", "float64"),
    "DOUBLE": ("float32", "float64"),
    "DATE": ("date",),
    "TIMESTAMP": ("timestamp",),
    "TIMESTAMP WITH TIME ZONE": ("timestamptz",),
}


def early(given: Input, comparison: Comparison) -> bool:
    """Whether `comparison` may run beside the data: a clear column of a type that its literals have."""
    return _early(given, comparison) is not None


def _early(given: Input, comparison: Comparison) -> str | None:
    column = next((c for c in visible(given) if c.name.lower() == comparison.column), None)
    if column is None or not column.untouched or not isinstance(column.type, Scalar):
        return None
    values = []
    for kind, text in comparison.values:
        if column.type.name not in _FITS[kind]:
            return None
        if kind == "BIGINT":
            values.append(str(int(text)))
        else:
            # TRY_CAST: a literal that is no date must raise in the worker, where it is the caller's, not here
            values.append(f"TRY_CAST({literal(text)} AS {kind})")
    name = quote(column.name)
    match comparison.operator, values:
        case "=" | "<>" | "<" | ">" | "<=" | ">=" as operator, [value]:
            condition = f"{name} {operator} {value}"
        case "between", [low, high]:
            condition = f"{name} BETWEEN {low} AND {high}"
        case "in", [_, *_]:
            condition = f"{name} IN ({', '.join(values)})"
        case "not-in", [_, *_]:
            condition = f"{name} NOT IN ({', '.join(values)})"
        case "is-null", []:
            return f"{name} IS NULL"
        case "is-not-null", []:
            return f"{name} IS NOT NULL"
        case _:
            return None
    moments = [v for v, (kind, _) in zip(values, comparison.values, strict=True) if kind not in ("BIGINT", "VARCHAR")]
    return " OR ".join([condition, *(f"{moment} IS NULL" for moment in moments)])
