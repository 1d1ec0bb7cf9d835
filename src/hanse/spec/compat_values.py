"""Weaker or stronger: types, bounds, enums, quality rules and service levels compared from the reader's view."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hanse.spec.model import Column, Rule, ServiceLevel
from hanse.spec.types import ListOf, MapOf, Scalar, Struct, Type

# as Iceberg widens (its specification, "Schema Evolution"): int to long, float to double, decimal precision
_WIDER = {("int32", "int64"), ("float32", "float64")}
_LENGTH = re.compile(r"[a-z0-9 ]*\(\s*(\d{1,9})\s*\)", re.IGNORECASE)
_ORDER = {"same": 0, "widened": 1, "narrowed": 2, "changed": 3}
# where a smaller number promises more, and where a greater one does
_SMALLER = {"latency", "ly", "freshness", "frequency", "fy", "timetodetect", "td", "timetonotify", "tn", "timetorepair",
            "tr", "timetorecover", "responsetime", "errorrate", "er"}  # fmt: skip
_GREATER = {"retention", "re", "availability", "av", "throughput", "th"}
_LATER = {"endofsupport", "es", "endoflife", "el"}
BLOCKS = 2


def type_change(old: Column, new: Column) -> str | None:
    """The row of the table for a change of type, None when the type is the same."""
    kind = _types(old.type, new.type)
    if kind == "same" and (old.physical_type or "").lower() != (new.physical_type or "").lower():
        before, after = (_length(c.physical_type) for c in (old, new))
        if before == after:
            return "physical-changed" if old.physical_type is not None and new.physical_type is not None else None
        # no length means any length
        return "type-widened" if before is not None and (after is None or after > before) else "type-narrowed"
    return None if kind == "same" else f"type-{kind}"


def _length(physical: str | None) -> int | None:
    match = _LENGTH.fullmatch(physical or "")
    return int(match[1]) if match else None


def _types(old: Type, new: Type) -> str:
    if old == new:
        return "same"
    match old, new:
        case (Scalar(), Scalar()):
            return _scalars(old, new)
        case (ListOf(), ListOf()):
            return _types(old.element, new.element)
        case (MapOf(), MapOf()):
            return _heavier(_types(old.key, new.key), _types(old.value, new.value))
        case (Struct(), Struct()):
            if [f.name.lower() for f in old.fields] != [f.name.lower() for f in new.fields]:
                return "changed"
            parts = [_types(a.type, b.type) for a, b in zip(old.fields, new.fields, strict=True)]
            return _heavier(*parts)
    return "changed"


def _heavier(*parts: str) -> str:
    found = set(parts) - {"same"}
    if found == {"widened", "narrowed"}:
        return "changed"
    return max(parts, key=_ORDER.__getitem__, default="same")


def _scalars(old: Scalar, new: Scalar) -> str:
    if old.name == new.name == "decimal":
        before, after = (old.precision or 0, old.scale or 0), (new.precision or 0, new.scale or 0)
        if before[1] == after[1]:
            return "widened" if after[0] > before[0] else "narrowed"
        return "narrowed" if after[0] - after[1] <= before[0] - before[1] and after[1] < before[1] else "changed"
    if (old.name, new.name) in _WIDER:
        return "widened"
    return "narrowed" if (new.name, old.name) in _WIDER else "changed"


def value_changes(old: Column, new: Column) -> Iterator[tuple[str, Any, Any]]:
    """(row of the table, old, new) for which values may come: enum, unit, format, pattern, bounds."""
    yield from _enum(old.enum, new.enum)
    yield from _plain("unit", old.custom.get("unit"), new.custom.get("unit"))
    before, after = (dict(column.options) for column in (old, new))
    # the format of a number is its type (i32, f64), which is compared as one
    formats = [o.pop("format", None) for o in (before, after)]
    if old.logical_type not in ("integer", "number") or new.logical_type not in ("integer", "number"):
        yield from _plain("format", *formats)
    yield from _plain("pattern", before.pop("pattern", None), after.pop("pattern", None))
    for low, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        yield from _bound(low, exclusive, before, after)
    for name in ("minLength", "minItems", "minProperties"):
        yield from _ordered(name, before.get(name), after.get(name), more_is_stronger=True)
    for name in ("maxLength", "maxItems", "maxProperties"):
        yield from _ordered(name, before.get(name), after.get(name), more_is_stronger=False)
    yield from _multiple(before.get("multipleOf"), after.get("multipleOf"))
    for name in ("uniqueItems",):
        if bool(before.get(name)) != bool(after.get(name)):
            yield ("bound-added" if after.get(name) else "bound-removed"), name, name


def _enum(old: tuple[Any, ...] | None, new: tuple[Any, ...] | None) -> Iterator[tuple[str, Any, Any]]:
    if old is None or new is None:
        if old is not new:
            yield ("enum-added" if old is None else "enum-removed"), _listed(old or ()), _listed(new or ())
        return
    if gone := [value for value in old if value not in new]:
        yield "enum-shrunk", _listed(gone), ""
    if come := [value for value in new if value not in old]:
        yield "enum-grown", "", _listed(come)


def _listed(values: Any) -> str:
    shown = [str(value) for value in values]
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")


def _plain(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if old != new:
        yield f"{name}-{'added' if old is None else 'removed' if new is None else 'changed'}", old, new


def _bound(
    inclusive: str, exclusive: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """One end of a range; an exclusive bound is stronger than an inclusive one of the same value."""
    before, after = _end(inclusive, exclusive, old), _end(inclusive, exclusive, new)
    if before == after:
        return
    if before is None or after is None:
        yield (
            ("bound-added" if before is None else "bound-removed"),
            _end_said(inclusive, before),
            _end_said(inclusive, after),
        )
        return
    (low, low_open), (high, high_open) = before, after
    try:
        stronger = (high > low) == (inclusive == "minimum") if high != low else high_open and not low_open
    except TypeError:
        yield "bound-loosened", low, high  # of different kinds: what comes cannot be told
        return
    what = "bound-tightened" if stronger else "bound-loosened"
    yield what, _end_said(inclusive, before), _end_said(inclusive, after)


def _end(inclusive: str, exclusive: str, options: Mapping[str, Any]) -> tuple[Any, bool] | None:
    value, sharp = options.get(inclusive), options.get(exclusive)
    if isinstance(sharp, bool):  # how 3.0 wrote it, beside the bound
        return None if value is None else (value, sharp)
    if sharp is None or value is None:
        return (value, False) if value is not None else (sharp, True) if sharp is not None else None
    try:
        closer = sharp >= value if inclusive == "minimum" else sharp <= value
    except TypeError:
        closer = True
    return (sharp, True) if closer else (value, False)


def _end_said(name: str, end: tuple[Any, bool] | None) -> str:
    return "" if end is None else f"{'exclusive ' if end[1] else ''}{name} {end[0]}"


def _ordered(name: str, old: Any, new: Any, *, more_is_stronger: bool) -> Iterator[tuple[str, Any, Any]]:
    if old == new:
        return
    if old is None or new is None:
        yield ("bound-added" if old is None else "bound-removed"), f"{name} {old}", f"{name} {new}"
        return
    try:
        stronger = (new > old) == more_is_stronger
    except TypeError:
        stronger = False
    yield ("bound-tightened" if stronger else "bound-loosened"), f"{name} {old}", f"{name} {new}"


def _multiple(old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if old == new:
        return
    shown = f"multipleOf {old}", f"multipleOf {new}"
    if old is None or new is None:
        yield ("bound-added" if old is None else "bound-removed"), *shown
        return
    try:
        ratio = new / old
        stronger = ratio == int(ratio)
    except (TypeError, ZeroDivisionError, ValueError, OverflowError):
        stronger = False
    yield ("bound-tightened" if stronger else "bound-loosened"), *shown


def rule_change(old: Rule, new: Rule) -> tuple[str, str, str] | None:
    """(row of the table, old, new) when a quality rule asks for more, less or something else."""
    shown = _asked(old), _asked(new)
    before, after = severity(old), severity(new)
    asks = _asks(old, new)
    if asks == "same" and before == after:
        return None
    weight = "same" if before == after else "tightened" if after > before else "relaxed"
    if before < BLOCKS:
        # what blocked nothing promised nothing; only one that blocks from now on is a promise
        return ("rule-tightened" if after >= BLOCKS else "warning-changed"), *shown
    if weight == "relaxed" or asks == "relaxed":
        return "rule-relaxed", *shown
    return ("rule-changed" if asks == "changed" else "rule-tightened"), *shown


def severity(rule: Rule) -> int:
    """How much a rule weighs: 0 for a hint, 1 for a warning, `BLOCKS` for one that stops a publication."""
    word = rule.severity.lower()
    return 0 if word in ("info", "note", "debug") else 1 if word.startswith("warn") else BLOCKS


def _asked(rule: Rule) -> str:
    share = " percent" if rule.unit == "percent" else ""
    asked = f"{rule.operator} {rule.expected}{share}" if rule.operator else "no limit"
    return asked if severity(rule) == BLOCKS else f"{asked} ({rule.severity})"


def _asks(old: Rule, new: Rule) -> str:
    if (old.kind, old.metric, old.unit) != (new.kind, new.metric, new.unit) or _query(old) != _query(new):
        return "changed"
    given = _arguments(old.arguments, new.arguments)
    limit = _limits(old, new)
    if "changed" in (given, limit):
        return "changed"
    found = {given, limit} - {"same"}
    if len(found) == 2:
        return "changed"
    return found.pop() if found else "same"


def _query(rule: Rule) -> str:
    return " ".join((rule.query or "").split())


def _arguments(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    if old == new:
        return "same"
    rest_old, rest_new = ({k: v for k, v in a.items() if k != "validValues"} for a in (old, new))
    before, after = old.get("validValues"), new.get("validValues")
    if rest_old != rest_new or not isinstance(before, list) or not isinstance(after, list):
        return "changed"
    if all(value in before for value in after):
        return "tightened"
    return "relaxed" if all(value in after for value in before) else "changed"


_Interval = tuple[float, bool, float, bool]  # low, whether it is left out, high, whether it is left out
_INFINITE = float("inf")


def _limits(old: Rule, new: Rule) -> str:
    if (old.operator, old.expected) == (new.operator, new.expected):
        return "same"
    before, after = _allowed(old), _allowed(new)
    if before is None or after is None:
        return "changed"
    inside, outside = _within(after, before), _within(before, after)
    if inside and outside:
        return "same"
    return "tightened" if inside else "relaxed" if outside else "changed"


def _allowed(rule: Rule) -> list[_Interval] | None:
    """What a rule lets its number be, as intervals; None when it is no number."""
    low, high, expected = -_INFINITE, _INFINITE, rule.expected
    if rule.operator is None:
        return [(low, False, high, False)]
    values = expected if isinstance(expected, list) else [expected]
    if not values or any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        return None
    first, last = values[0], values[-1]
    match rule.operator:
        case "mustBe":
            return [(first, False, first, False)]
        case "mustNotBe":
            return [(low, False, first, True), (first, True, high, False)]
        case "mustBeGreaterThan":
            return [(first, True, high, False)]
        case "mustBeGreaterOrEqualTo":
            return [(first, False, high, False)]
        case "mustBeLessThan":
            return [(low, False, first, True)]
        case "mustBeLessOrEqualTo":
            return [(low, False, first, False)]
        case "mustBeBetween":
            return [(first, False, last, False)]
        case "mustNotBeBetween":
            return [(low, False, first, True), (last, True, high, False)]
    return None


def _within(inner: list[_Interval], outer: list[_Interval]) -> bool:
    def covers(big: _Interval, small: _Interval) -> bool:
        starts = big[0] < small[0] or (big[0] == small[0] and (not big[1] or small[1]))
        ends = big[2] > small[2] or (big[2] == small[2] and (not big[3] or small[3]))
        return starts and ends

    return all(any(covers(big, small) for big in outer) for small in inner)


def service_level_change(old: ServiceLevel, new: ServiceLevel) -> str | None:
    """The row of the table for a service level that promises more, less or something else."""
    name = old.property.lower()
    before, after = (_measure(level, name) for level in (old, new))
    if (old.value, old.unit) == (new.value, new.unit) or (before is not None and before == after):
        return None
    if before is None or after is None or name not in _SMALLER | _GREATER | _LATER:
        return "service-level-changed"
    better = after < before if name in _SMALLER else after > before
    return "service-level-better" if better else "service-level-worse"


def _measure(level: ServiceLevel, name: str) -> Any:
    if level.seconds is not None:
        return level.seconds
    if name in _LATER:
        return str(level.value)[:10] or None  # ISO dates sort as text
    if isinstance(level.value, bool):
        return None
    if isinstance(level.value, int | float):
        return float(level.value)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%?\s*", str(level.value))
    return float(match[1]) if match else None
