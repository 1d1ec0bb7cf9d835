"""Checks that a contract's properties promise by themselves: required, unique, enum, and every logical type option."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hanse.engine.rules import formats
from hanse.engine.rules.model import BadRows, Check, Duplicates, Measure, Nulls
from hanse.engine.rules.operators import plain
from hanse.engine.rules.patterns import CannotTranslate, re2
from hanse.engine.rules.values import Part, among, bound_sql, is_number, is_text, listed, number_sql
from hanse.names import literal, quote
from hanse.spec.types import ListOf, MapOf, Struct

_BOUNDS = {
    "minimum": ("<", "at least {}"),
    "maximum": (">", "at most {}"),
    "exclusiveMinimum": ("<=", "more than {}"),
    "exclusiveMaximum": (">=", "less than {}"),
}
_LENGTHS = {
    "minLength": ("length", "<", "at least {} characters"),
    "maxLength": ("length", ">", "at most {} characters"),
    "minItems": ("len", "<", "at least {} items"),
    "maxItems": ("len", ">", "at most {} items"),
}
_ADVICE = frozenset({"distanceMetric", "embeddingModel", "embeddingModelVersion", "elementType", "defaultTimezone"})


@dataclass(frozen=True, slots=True)
class _Found:
    """A check in the making: its kind, what is promised, and how to see it (or why not)."""

    kind: str
    expected: str
    measure: Measure | None
    reason: str = ""


def checks(table: str, part: Part, *, integral: bool, stored_as_text: bool) -> Iterator[Check]:
    """Every check that `part` promises; `stored_as_text` tells that the data holds text where a moment is promised."""
    column = part.column
    for found in _found(part, integral, stored_as_text):
        yield Check(
            id=f"{table}.{part.name}.{found.kind}",
            name=part.name,
            kind=found.kind,
            table=table,
            column=part.path,
            place=column.place,
            expected=found.expected,
            measure=found.measure,
            reason=found.reason,
            value=part.sql if part.is_top else None,
            shows=(part.path[0],),
        )


def _found(part: Part, integral: bool, stored_as_text: bool) -> Iterator[_Found]:
    column, sql = part.column, part.sql
    if column.required:
        if part.is_top:
            yield _Found("required", "never null", Nulls(sql))
        else:
            there = f"{part.parent} IS NOT NULL AND " if part.parent else ""
            yield _Found("required", "never null", BadRows(part.lift(f"{there}{sql} IS NULL")))
    if column.unique:
        if part.is_top:
            yield _Found("unique", "unique", Duplicates((sql,), integral))
        elif "[]" in part.path or "{key}" in part.path or "{value}" in part.path:
            yield _Found("unique", "unique", None, "uniqueness across the elements of lists is not defined")
        else:
            yield _Found("unique", "unique", Duplicates((sql,), False))
    if column.enum is not None:
        bad = f"{sql} IS NOT NULL AND NOT {among(sql, column.type, column.enum)}"
        yield _Found("enum", f"one of {listed(column.enum)}", BadRows(part.lift(bad)))
    for option, value in column.options.items():
        if value is not None and option not in _ADVICE:
            yield from _option(part, option, value, stored_as_text)


def _option(part: Part, option: str, value: Any, stored_as_text: bool) -> Iterator[_Found]:
    column, sql = part.column, part.sql
    type_ = column.type
    if option in _BOUNDS:
        compare, words = _BOUNDS[option]
        bound = bound_sql(value, type_)
        shown = words.format(plain(value))
        if bound is None:
            yield _Found(option, shown, None, f"{value!r} cannot be compared with {type_.sql}")
        else:
            yield _Found(option, shown, BadRows(part.lift(f"{sql} {compare} {bound}")))
    elif option in _LENGTHS:
        function, compare, words = _LENGTHS[option]
        fits = isinstance(type_, ListOf) if function == "len" else is_text(type_)
        shown = words.format(plain(value))
        if not fits or not isinstance(value, int):
            yield _Found(option, shown, None, f"{type_.sql} has no such length")
        else:
            yield _Found(option, shown, BadRows(part.lift(f"{function}({sql}) {compare} {value}")))
    elif option == "pattern":
        yield _pattern(part, str(value))
    elif option == "format":
        yield from _format(part, str(value), stored_as_text)
    elif option == "multipleOf":
        yield _multiple(part, value)
    elif option == "uniqueItems":
        if value is True and isinstance(type_, ListOf):
            # list_unique counts distinct values without nulls; one null is allowed among unique items
            nulls = f"least(len({sql}) - list_count({sql}), 1)"
            yield _Found(option, "no item twice", BadRows(part.lift(f"list_unique({sql}) + {nulls} <> len({sql})")))
    elif option == "dimensions":
        yield _Found(option, f"{value} dimensions", BadRows(part.lift(f"len({sql}) <> {int(value)}")))
    elif option == "normalized":
        if value is True:
            off = f"abs(list_sum(list_transform({sql}, lambda each: each * each)) - 1) > 0.001"
            yield _Found(option, "of length 1", BadRows(part.lift(off)))
    elif option in ("minProperties", "maxProperties", "required"):
        yield from _properties(part, option, value)
    elif option == "timezone":
        return  # part of the type, compared there
    else:
        yield _Found(option, f"{option} {listed([value])}", None, f"the option {option!r} is not one of the standard's")


def pattern_bad(sql: str, pattern: str) -> str:
    """A predicate that is true where text `sql` does not match the ECMA `pattern`; raises `CannotTranslate`."""
    return f"NOT regexp_matches({sql}, {literal(re2(pattern))})"


def _pattern(part: Part, pattern: str) -> _Found:
    shown = f"like {pattern}"
    if not is_text(part.column.type):
        return _Found("pattern", shown, None, f"a pattern is for text, not for {part.column.type.sql}")
    try:
        return _Found("pattern", shown, BadRows(part.lift(pattern_bad(part.sql, pattern))))
    except CannotTranslate as problem:
        return _Found("pattern", shown, None, str(problem))


def _format(part: Part, name: str, stored_as_text: bool) -> Iterator[_Found]:
    column, sql = part.column, part.sql
    if is_number(column.type):
        limits = formats.INTEGERS.get(name)
        if limits is not None:
            outside = f"{sql} < {limits[0]} OR {sql} > {limits[1]}"
            yield _Found("format", f"fits {name}", BadRows(part.lift(outside)))
        elif name not in ("f32", "f64"):
            yield _Found("format", name, None, f"{name!r} is not a format of numbers")
        return
    if not is_text(column.type):
        # a stored date has no format of its own: the format says how text would be written
        if stored_as_text or formats.strptime(name) is not None:
            return
        yield _Found("format", name, None, f"{name!r} has no counterpart in the engine's date formats")
        return
    if name in formats.UNTESTABLE:
        yield _Found("format", f"a {name}", None, formats.UNTESTABLE[name])
    elif name in formats.PATTERNS:
        bad = pattern_bad(sql, formats.PATTERNS[name])
        if name in formats.LENGTHS:
            bad = f"({bad} OR length({sql}) > {formats.LENGTHS[name]})"
        yield _Found("format", f"a valid {name}", BadRows(part.lift(bad)))
    elif formats.looks_like_date(name):
        yield _Found("format", f"a date like {name}", BadRows(part.lift(date_bad(sql, name))))
    else:
        yield _Found("format", name, None, f"the format {name!r} is not known")


def date_bad(sql: str, format: str) -> str:
    """A predicate that is true where text `sql` is not a date written as the JDK `format` (which must be readable)."""
    notation = formats.strptime(format) or ""
    parsed = f"try_strptime({sql}, {literal(notation)})"
    bad = f"{sql} IS NOT NULL AND ({parsed} IS NULL"
    if "%z" not in notation and "%Z" not in notation:
        # the engine reads 2020-1-5 as yyyy-MM-dd; writing it again shows what was written
        bad += f" OR strftime({parsed}, {literal(notation)}) <> {sql}"
    return bad + ")"


def _multiple(part: Part, value: Any) -> _Found:
    sql, type_ = part.sql, part.column.type
    shown = f"a multiple of {plain(value)}"
    if not is_number(type_) or isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        return _Found("multipleOf", shown, None, f"{value!r} has no multiples among {type_.sql}")
    step = number_sql(value)
    if type_.sql in ("FLOAT", "DOUBLE"):
        # a binary fraction is a multiple when the quotient is whole up to its own precision
        whole = f"round({sql} / {step})"
        slack = "1e-5" if type_.sql == "FLOAT" else "1e-9"
        bad = f"abs({sql} / {step} - {whole}) > {slack} * greatest(1, abs({sql} / {step}))"
    else:
        bad = f"{sql} % {step} <> 0"
    return _Found("multipleOf", shown, BadRows(part.lift(bad)))


def _properties(part: Part, option: str, value: Any) -> Iterator[_Found]:
    sql, type_ = part.sql, part.column.type
    match type_:
        case Struct(fields):
            present = " + ".join(f"({sql}.{quote(f.name)} IS NOT NULL)::INTEGER" for f in fields) or "0"
            names = {f.name for f in fields}
        case MapOf():
            present, names = f"cardinality({sql})", set()
        case _:
            yield _Found(option, option, None, f"{type_.sql} has no properties")
            return
    if option == "required":
        for name in value if isinstance(value, (list, tuple)) else [value]:
            shown = f"has {name}"
            if isinstance(type_, MapOf):
                bad = f"NOT map_contains({sql}, {literal(str(name))})"
            elif name in names:
                bad = f"{sql}.{quote(str(name))} IS NULL"
            else:
                yield _Found(f"required-{name}", shown, None, f"{name!r} is not one of its properties")
                continue
            yield _Found(f"required-{name}", shown, BadRows(part.lift(f"{sql} IS NOT NULL AND {bad}")))
    else:
        compare, words = ("<", "at least") if option == "minProperties" else (">", "at most")
        bad = f"{sql} IS NOT NULL AND ({present}) {compare} {int(value)}"
        yield _Found(option, f"{words} {value} properties", BadRows(part.lift(bad)))
