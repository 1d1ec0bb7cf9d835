"""Quality rules of a contract (library metrics and SQL) as checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hanse.engine.rules import operators
from hanse.engine.rules.columns import pattern_bad
from hanse.engine.rules.model import BadRows, Check, Duplicates, Measure, Nulls, Query, RowCount
from hanse.engine.rules.patterns import CannotTranslate
from hanse.engine.rules.values import Part, among, is_text, listed
from hanse.names import nearest, quote
from hanse.spec.model import Rule

METRICS = ("nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount")
# ${table}, {table} and {object} with their column words: the schema's example, older tools and the standard's text
_PLACEHOLDER = re.compile(
    r"\$?\{(table|object|model|schema|column|property|field)\}|\$(table|object|column|property)\b"
)
_OF_TABLE = frozenset({"table", "object", "model", "schema"})


class CannotRun(ValueError):
    """Why a rule is not run, in words that follow `not run:`."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule may refer to: its table, the columns' parts by path, and which of them are integers as stored."""

    table: str
    view: str  # what SQL calls the table
    parts: Mapping[tuple[str, ...], Part]
    integral: frozenset[tuple[str, ...]]

    def part(self, name: str) -> Part:
        """The part called `name` (dotted), ignoring case; raises `CannotRun` with the nearest names."""
        path = tuple(name.split("."))
        found = self.parts.get(path) or next(
            (p for k, p in self.parts.items() if [s.lower() for s in k] == [s.lower() for s in path]), None
        )
        if found is None:
            near = nearest(name, [".".join(p) for p in self.parts])
            raise CannotRun(
                f"{name!r} is not a column of {self.table}" + (f"; nearest: {', '.join(near)}" if near else "")
            )
        return found


def check(rule: Rule, id: str, scope: Scope) -> Check:
    """`rule` as a check; one that cannot run becomes a check without measure that says why."""
    unit = rule.unit if rule.unit in ("rows", "percent") else "rows"
    measure: Measure | None = None
    value: str | None = None
    reason = ""
    operator, goal = rule.operator, rule.expected
    try:
        if rule.kind in ("custom", "text"):
            engine = rule.arguments.get("engine") if rule.kind == "custom" else None
            raise CannotRun(
                f"the rule is written for {engine}, not for hanse" if engine else f"a {rule.kind} rule is for people"
                if rule.kind == "text" else "a custom rule is written for another tool"
            )  # fmt: skip
        if (problem := operators.problem(operator, goal)) is not None:
            raise CannotRun(problem)
        if rule.unit not in (None, "rows", "percent") and rule.kind == "library":
            raise CannotRun(f"the unit {rule.unit!r} is neither rows nor percent")
        if rule.kind == "sql":
            measure = Query(fill(rule.query or "", rule.column, scope))
        else:
            measure, value = _metric(rule, scope)
            if isinstance(measure, RowCount) and unit == "percent":
                raise CannotRun("a number of rows is not a percentage of anything")
    except (CannotRun, CannotTranslate) as problem_found:
        measure, reason = None, str(problem_found)
    words = ""
    if operator is not None and operators.problem(operator, goal) is None:
        shown = "%" if unit == "percent" else "rows" if rule.kind == "library" else ""
        words = operators.words(operator, goal, shown)
    return Check(
        id=id,
        name=rule.name or ".".join(rule.column or ()) or rule.metric or rule.kind,
        kind=rule.metric or rule.kind,
        table=scope.table,
        column=rule.column,
        place=rule.place,
        expected=_expected(rule, words),
        measure=measure,
        operator=operator or "mustBe",
        threshold=goal,
        unit=unit,
        severity=(rule.severity or "error").lower(),
        dimension=rule.dimension,
        reason=reason,
        value=value,
        shows=_shows(rule),
    )


def _shows(rule: Rule) -> tuple[str, ...]:
    named = (rule.arguments or {}).get("properties")
    if isinstance(named, (list, tuple)):
        return tuple(str(name).partition(".")[0] for name in named)
    return rule.column[:1] if rule.column else ()


def fill(query: str, column: tuple[str, ...] | None, scope: Scope) -> str:
    """`query` with its placeholders filled, in whichever of the three spellings; raises `CannotRun`."""

    def name(match: re.Match[str]) -> str:
        word = match[1] or match[2]
        if word in _OF_TABLE:
            return scope.view
        if column is None:
            raise CannotRun(f"it names {match[0]}, but it is a rule of the table")
        part = scope.part(".".join(column))
        if "[]" in part.path or "{key}" in part.path or "{value}" in part.path:
            raise CannotRun(f"{part.name} is inside a list, which {match[0]} cannot stand for")
        return ".".join(quote(step) for step in part.path)

    return _PLACEHOLDER.sub(name, query)


def _metric(rule: Rule, scope: Scope) -> tuple[Measure, str | None]:
    arguments: Mapping[str, Any] = rule.arguments or {}
    metric = rule.metric
    if metric == "rowCount":
        return RowCount(), None
    if metric == "duplicateValues" and (arguments.get("properties") or rule.column is None):
        names = arguments.get("properties")
        if not isinstance(names, (list, tuple)) or not names:
            raise CannotRun("duplicateValues of a table needs arguments.properties")
        parts = [scope.part(str(name)) for name in names]
        if any(part.lift("x") != "x" for part in parts):
            raise CannotRun("the elements of a list are no key")
        integral = len(parts) == 1 and parts[0].path in scope.integral
        return Duplicates(tuple(part.sql for part in parts), integral), None
    if metric not in METRICS:
        near = nearest(metric or "", METRICS)
        raise CannotRun(
            f"the metric {metric!r} is not one of the standard's" + (f"; nearest: {near[0]}" if near else "")
        )
    if rule.column is None:
        raise CannotRun(f"{metric} is a rule of a column, and it stands at the table")
    part = scope.part(".".join(rule.column))
    sql, type_ = part.sql, part.column.type
    value = sql if part.is_top else None
    if metric == "nullValues":
        return (Nulls(sql) if part.is_top else BadRows(part.lift(f"{sql} IS NULL"))), None
    if metric == "duplicateValues":
        if part.lift("x") != "x":
            raise CannotRun("duplicates across the elements of lists are not defined")
        return Duplicates((sql,), part.path in scope.integral), value
    if metric == "missingValues":
        missing = arguments.get("missingValues")
        if missing is None:
            missing = [None, ""] if is_text(type_) else [None]
        if not isinstance(missing, (list, tuple)):
            missing = [missing]
        tests = [among(sql, type_, missing)] if any(v is not None for v in missing) else []
        if any(v is None for v in missing):
            tests.insert(0, f"{sql} IS NULL")
        return BadRows(part.lift("(" + " OR ".join(tests or ["false"]) + ")")), value
    return _invalid(part, arguments), value


def _invalid(part: Part, arguments: Mapping[str, Any]) -> BadRows:
    sql, type_ = part.sql, part.column.type
    tests = []
    valid, pattern = arguments.get("validValues"), arguments.get("pattern")
    if valid is not None:
        tests.append(f"NOT {among(sql, type_, valid if isinstance(valid, (list, tuple)) else [valid])}")
    if pattern is not None:
        text = sql if is_text(type_) else f"CAST({sql} AS VARCHAR)"
        tests.append(pattern_bad(text, str(pattern)))
    if not tests:
        raise CannotRun("invalidValues needs arguments.validValues or arguments.pattern")
    return BadRows(part.lift(f"{sql} IS NOT NULL AND ({' OR '.join(tests)})"))


def _expected(rule: Rule, words: str) -> str:
    arguments: Mapping[str, Any] = rule.arguments or {}
    match rule.metric:
        case "nullValues":
            return words.removesuffix(" rows") + " nulls"
        case "missingValues":
            given = arguments.get("missingValues")
            what = f"missing ({listed(given)})" if isinstance(given, (list, tuple)) else "missing"
        case "invalidValues":
            valid, pattern = arguments.get("validValues"), arguments.get("pattern")
            accepted = [f"one of {listed(valid)}"] if isinstance(valid, (list, tuple)) else []
            accepted += [f"like {pattern}"] if pattern is not None else []
            what = f"not {' and '.join(accepted)}" if accepted else "invalid"
        case "duplicateValues":
            keys = arguments.get("properties")
            what = f"repeated ({listed(keys)})" if isinstance(keys, (list, tuple)) else "repeated"
        case "rowCount":
            return words
        case _:
            what = " ".join(rule.description.split()) or ""
            return f"{words}: {what}" if words and what else f"the query gives {words}" if words else what
    return f"{words} {what}" if words else what
