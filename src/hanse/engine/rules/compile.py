"""From a contract and where its tables are to checks: every promise becomes one, and none is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hanse.engine.rules import columns, formats, library, service_levels, types
from hanse.engine.rules.failures import first_line, is_engine
from hanse.engine.rules.library import CannotRun, Scope
from hanse.engine.rules.model import BadRows, Check, Duplicates, Known, Missing, Orphans, Relation
from hanse.engine.rules.values import Part, is_moment, parts
from hanse.names import quote
from hanse.spec.model import Column, Contract, Relationship, Table
from hanse.spec.pointer import mapping_at

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

    from hanse.errors import Place

Data = Mapping[str, Relation | Missing]  # by table name
Describe = Callable[[Relation], Mapping[str, "DuckDBPyType"]]  # column → type; raises what the engine raises
Resolve = Callable[[str, str], Relation | Missing]  # (contract id, table name) of another contract


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of one table (`table` '' holds those of none), and what is needed to run them."""

    table: str
    relation: Relation | None
    checks: tuple[Check, ...]
    key: tuple[tuple[str, str], ...] = ()  # primary key: (name, SQL)
    views: Mapping[str, str] | None = None  # names that SQL rules may use → SELECT


def elsewhere(contract_id: str, table: str) -> Relation | Missing:
    """The resolver of a contract tested alone: other contracts are out of reach."""
    return Missing(f"{table} is of another contract ({contract_id}), which is not here", absent=False)


def compile(
    contract: Contract,
    data: Data,
    describe: Describe,
    *,
    now: datetime,
    resolve: Resolve = elsewhere,
    published: Sequence[datetime] = (),
) -> tuple[Checks, ...]:
    """The checks of every table of `contract` over `data`, in the contract's order."""
    seen: dict[str, _Seen] = {}
    for table in contract.tables:
        seen[table.name] = _look(table, contract, data.get(table.name, Missing("it is not there")), describe)
    scopes = {name: s.scope for name, s in seen.items() if s.scope is not None}
    levels = service_levels.checks(contract, scopes, now, published)
    found = []
    for table in contract.tables:
        this = seen[table.name]
        checks = [*_checks(table, contract, this, seen, resolve), *(c for c in levels if c.table == table.name)]
        found.append(_finished(table, this, checks))
    if rest := tuple(c for c in levels if c.table not in scopes):
        found.append(Checks("", None, rest))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A table as found in the data: its columns' actual names and types, and why it could not be read."""

    relation: Relation | None
    actual: Mapping[str, DuckDBPyType]
    names: Mapping[str, str]  # contract column → column of the data
    scope: Scope | None
    problem: str = ""
    absent: bool = True


def _look(table: Table, contract: Contract, where: Relation | Missing, describe: Describe) -> _Seen:
    if isinstance(where, Missing):
        return _Seen(None, {}, {}, None, where.reason, where.absent)
    try:
        actual = describe(where)
    except Exception as failure:
        if not is_engine(failure):
            raise
        return _Seen(where, {}, {}, None, f"it cannot be read: {first_line(failure)}")
    lower = {name.lower(): name for name in actual}
    names = {}
    for column in table.columns:
        physical = mapping_at(contract.raw, column.place.pointer).get("physicalName")
        for name in (physical, column.name):
            if isinstance(name, str) and (found := name if name in actual else lower.get(name.lower())) is not None:
                names[column.name] = found
                break
    all_parts: dict[tuple[str, ...], Part] = {}
    integral = set()
    for column in table.columns:
        if column.name not in names:
            continue
        name = names[column.name]
        agrees = next(types.differences(column, actual[name], folds_case=True), None) is None
        sql = quote(name) if agrees else f"TRY_CAST({quote(name)} AS {column.type.sql})"
        for part in parts(column, sql):
            all_parts[part.path] = part
        if agrees and types.integral(actual[name]):
            integral.add((column.name,))
    return _Seen(where, actual, names, Scope(table.name, quote(table.name), all_parts, frozenset(integral)))


def _checks(
    table: Table, contract: Contract, seen: _Seen, all_seen: Mapping[str, _Seen], resolve: Resolve
) -> Iterator[Check]:
    yield _schema(table, seen)
    for column in table.columns:
        here = column.name in seen.names
        made = list(_column(table, column, seen)) if here else list(_promised(table, column))
        yield from made if here else (_gone(check, column) for check in made)
    if table.primary_key:
        yield from _primary_key(table, seen)
    scope = seen.scope or Scope(table.name, quote(table.name), _shape(table), frozenset())
    taken: dict[str, int] = {}
    for rule in table.rules:
        label = rule.name or ".".join((*(rule.column or ()), rule.metric or rule.kind))
        taken[label] = taken.get(label, 0) + 1
        id = f"{table.name}.{label}" + (f".{taken[label]}" if taken[label] > 1 else "")
        gone = seen.scope is not None and rule.column is not None and rule.column[0] not in seen.names
        check = library.check(rule, id, replace(scope, parts=_shape(table)) if gone else scope)
        node = mapping_at(contract.raw, rule.place.pointer)
        check = replace(check, rule_id=node.get("id") if isinstance(node.get("id"), str) else None)
        owner = table.column(rule.column[0]) if rule.column else None
        yield _gone(check, owner) if gone and check.measure is not None and owner is not None else check
    for relationship in table.relationships:
        yield _relationship(table, contract, relationship, seen, all_seen, resolve)


def _shape(table: Table) -> dict[tuple[str, ...], Part]:
    """The parts that `table` promises, whether the data has them or not."""
    return {part.path: part for column in table.columns for part in parts(column, quote(column.name))}


def _schema(table: Table, seen: _Seen) -> Check:
    missing = [c.name for c in table.columns if c.name not in seen.names]
    cased = []
    if seen.relation is not None and not seen.relation.folds_case:
        for column in table.columns:
            name = seen.names.get(column.name)
            if name is not None and name != column.name and name.lower() == column.name.lower():
                cased.append(f"{column.name} is written {name}")
    extra = [name for name in seen.actual if name not in set(seen.names.values())]
    wrong = [f"no column {', '.join(missing)}"] if missing else []
    wrong += cased
    if extra:
        wrong.append(f"{', '.join(extra[:6])}{' …' if len(extra) > 6 else ''} not in the contract")
    number = len(table.columns)
    fits = f"{number} column{'s match' if number != 1 else ' matches'}"
    measure = Known("; ".join(wrong), soft=not (missing or cased)) if wrong else Known(found=fits)
    return _check(table, table.place, "schema", "schema", f"{number} column{'s' if number != 1 else ''}", measure)


def _column(table: Table, column: Column, seen: _Seen) -> Iterator[Check]:
    assert seen.relation is not None
    assert seen.scope is not None
    name = seen.names[column.name]
    actual = seen.actual[name]
    expected = types.expected(column)
    wrong = list(types.differences(column, actual, folds_case=seen.relation.folds_case))
    if wrong and not seen.relation.typed:
        raw = quote(name)
        bad = BadRows(f"{raw} IS NOT NULL AND TRY_CAST({raw} AS {column.type.sql}) IS NULL")
        yield _check(table, column.place, column.name, "type", expected, bad, (column.name,), value=raw)
    else:
        measure = Known("; ".join(wrong)) if wrong else Known(found=str(actual))
        yield _check(table, column.place, column.name, "type", expected, measure, (column.name,))
    text = types.scalar(actual) == "string"
    for path, part in seen.scope.parts.items():
        if path[0] == column.name:
            stored_as_text = text and part.is_top and is_moment(column.type)
            yield from columns.checks(
                table.name, part, integral=path in seen.scope.integral, stored_as_text=stored_as_text
            )
    if text and is_moment(column.type) and isinstance(format := column.options.get("format"), str):
        # text where a date was promised fails its type; whether it is at least written as stated is told as well
        measure_, reason = None, f"{format!r} has no counterpart in the engine's date formats"
        if formats.strptime(format) is not None:
            measure_, reason = BadRows(columns.date_bad(f"CAST({quote(name)} AS VARCHAR)", format)), ""
        made = _check(table, column.place, column.name, "format", f"a date like {format}", None, (column.name,))
        yield replace(made, measure=measure_, reason=reason, value=quote(name))


def _promised(table: Table, column: Column) -> Iterator[Check]:
    """The checks of a column that the data does not have."""
    yield _check(table, column.place, column.name, "type", types.expected(column), Known(), (column.name,))
    for part in parts(column, quote(column.name)):
        yield from columns.checks(table.name, part, integral=False, stored_as_text=False)


def _gone(check: Check, column: Column) -> Check:
    return replace(check, measure=Known(f"the data has no column {column.name}"), reason="")


def _primary_key(table: Table, seen: _Seen) -> Iterator[Check]:
    key = table.primary_key
    shown = f"primary key ({', '.join(key)})"
    name = "primary key" if len(key) > 1 else key[0]
    if absent := [c for c in key if c not in seen.names]:
        measure: Known | Duplicates = Known(f"the data has no column {', '.join(absent)}")
        yield _check(table, table.place, name, "primary-key", shown, measure, (key if len(key) == 1 else None))
        return
    assert seen.scope is not None
    found = [seen.scope.parts[(c,)] for c in key]
    measure = Duplicates(tuple(p.sql for p in found), len(found) == 1 and found[0].path in seen.scope.integral)
    place = found[0].column.place
    check = _check(table, place, name, "primary-key", shown, measure, found[0].path if len(found) == 1 else None)
    yield replace(check, shows=key)


def _relationship(
    table: Table,
    contract: Contract,
    relationship: Relationship,
    seen: _Seen,
    all_seen: Mapping[str, _Seen],
    resolve: Resolve,
) -> Check:
    node = mapping_at(contract.raw, relationship.place.pointer)
    custom = {
        entry.get("property"): entry.get("value")
        for entry in node.get("customProperties") or ()
        if isinstance(entry, Mapping)
    }
    to = f"{relationship.to_table}.{', '.join(relationship.to_columns)}"
    name = custom.get("name") or node.get("id") or ", ".join(relationship.columns)
    path = (relationship.columns[0],) if len(relationship.columns) == 1 else None
    check = _check(table, relationship.place, str(name), "relationship", f"is in {to}", None, path)
    check = replace(check, id=f"{table.name}.{'-'.join(relationship.columns)}.in.{relationship.to_table}")
    if isinstance(severity := custom.get("severity"), str):
        check = replace(check, severity=severity.lower())
    if seen.scope is None:
        return replace(check, measure=Known())
    try:
        if absent := [c for c in relationship.columns if table.column(c) is not None and c not in seen.names]:
            return replace(check, measure=Known(f"the data has no column {', '.join(absent)}"))
        keys = tuple(seen.scope.part(column).sql for column in relationship.columns)
        if relationship.to_contract is None:
            other = all_seen.get(relationship.to_table)
            if other is None:
                raise CannotRun(f"{relationship.to_table!r} is not a table of the contract")
            if other.scope is None or other.relation is None:
                return replace(check, measure=Known(f"{relationship.to_table}: {other.problem}"))
            relation = other.relation
            to_keys = tuple(other.scope.part(column).sql for column in relationship.to_columns)
        else:
            there = resolve(relationship.to_contract, relationship.to_table)
            if isinstance(there, Missing):
                raise CannotRun(there.reason)
            relation, to_keys = there, tuple(quote(column) for column in relationship.to_columns)
    except CannotRun as problem:
        return replace(check, reason=str(problem))
    value = keys[0] if len(keys) == 1 else None
    return replace(check, measure=Orphans(keys, relation, to_keys), value=value, shows=relationship.columns)


def _check(
    table: Table,
    place: Place,
    name: str,
    kind: str,
    expected: str,
    measure: Any,
    path: tuple[str, ...] | None = None,
    value: str | None = None,
) -> Check:
    id = f"{table.name}.{kind}" if path is None else f"{table.name}.{'.'.join(path)}.{kind}"
    shows = path[:1] if path is not None else ()
    return Check(id, name, kind, table.name, path, place, expected, measure, value=value, shows=shows)


def _finished(table: Table, seen: _Seen, checks: Sequence[Check]) -> Checks:
    if seen.scope is None:
        # nothing could be looked at: the first check says why, and none pretends to have been run
        reason = f"{table.name}: {seen.problem}"
        first = replace(checks[0], measure=Known(reason), reason="") if seen.absent else checks[0]
        rest = [replace(c, measure=None, reason=c.reason if c.measure is None and c.reason else reason) for c in checks]
        return Checks(table.name, None, (first, *rest[1:]) if seen.absent else tuple(rest))
    key = tuple(
        (name, seen.scope.parts[(name,)].sql)
        for name in (table.primary_key or [c.name for c in table.columns[:1]])
        if (name,) in seen.scope.parts
    )
    return Checks(table.name, seen.relation, tuple(checks), key, _views(table, seen))


def _views(table: Table, seen: _Seen) -> Mapping[str, str]:
    """The names that a SQL rule may call the table, with what they stand for: the columns by both of their names."""
    assert seen.relation is not None
    assert seen.scope is not None
    promised = {c.name.lower() for c in table.columns if (c.name,) in seen.scope.parts}
    listed = [f"{seen.scope.parts[(c.name,)].sql} AS {quote(c.name)}" for c in table.columns if c.name in seen.names]
    listed += [quote(name) for name in seen.actual if name.lower() not in promised]
    select = f"SELECT {', '.join(listed)}"
    names = {table.name, table.title}
    if table.physical_name:
        names.add(table.physical_name)
        names.add(table.physical_name.rpartition(".")[2].rpartition("/")[2])
    return {name: f"{select} FROM {seen.relation.sql}" for name in sorted(names) if name}
