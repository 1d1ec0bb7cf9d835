"""Service levels that the data itself can tell: latency by the newest row, retention by the oldest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from hanse.engine.rules.library import CannotRun, Scope
from hanse.engine.rules.model import Aggregate, Check, Judge, Known, Measure
from hanse.engine.rules.values import is_moment, is_text
from hanse.spec.model import Contract, ServiceLevel
from hanse.spec.pointer import mapping_at

_SHORT = {
    "ly": "latency", "re": "retention", "fy": "frequency", "fr": "freshness", "av": "availability", "th": "throughput",
    "er": "errorrate", "ga": "generalavailability", "es": "endofsupport", "el": "endoflife", "td": "timetodetect",
    "tn": "timetonotify", "tr": "timetorepair",
}  # fmt: skip
_ON_SERVICE = "it is measured on the running service, not in the data"
_REASONS = {
    "generalavailability": "it is a date in the product's life, not in its data",
    "endofsupport": "it is a date in the product's life, not in its data",
    "endoflife": "it is a date in the product's life, not in its data",
    "timeofavailability": "the data does not tell when it became available",
}


def checks(
    contract: Contract, scopes: Mapping[str, Scope], now: datetime, published: Sequence[datetime] = ()
) -> tuple[Check, ...]:
    """A check for each service level and element; those of no table have the table name ''.

    `published` are the times at which the data was published before, oldest first, where they are known.
    """
    found = []
    for level in contract.service_levels:
        elements = [e.strip() for e in level.element.split(",") if e.strip()] if level.element else [None]
        for element in elements:
            found.append(_check(level, element, contract, scopes, now, published))
    return tuple(found)


def _check(
    level: ServiceLevel,
    element: str | None,
    contract: Contract,
    scopes: Mapping[str, Scope],
    now: datetime,
    published: Sequence[datetime],
) -> Check:
    word = level.property.lower()
    kind = _SHORT.get(word, word)
    table, column, reason = "", None, ""
    measure: Measure | None = None
    judge: Judge | None = None
    try:
        if kind == "frequency":
            measure = _frequency(level, now, published)
        elif kind in ("latency", "freshness", "retention"):
            if level.seconds is None:
                raise CannotRun(f"{level.value!r} {level.unit or ''} is not a duration".replace("  ", " "))
            table, column, value = _element(element, contract, scopes)
            newest = kind != "retention"
            measure = Aggregate(f"epoch({'max' if newest else 'min'}({value}))")
            judge = _age(now, level.seconds, newest)
        else:
            raise CannotRun(_REASONS.get(kind, _ON_SERVICE))
    except CannotRun as problem:
        measure, reason = None, str(problem)
    goal = duration(level.seconds) if level.seconds is not None else f"{level.value} {level.unit or ''}".strip()
    words = {"retention": "oldest at most {} old", "frequency": "published every {}"}.get(kind, "at most {} old")
    known = kind in ("latency", "freshness", "retention", "frequency")
    return Check(
        id=f"{table}.service-level.{kind}" + (f".{'.'.join(column)}" if column else ""),
        name=level.property,
        kind=kind,
        table=table,
        column=column,
        place=level.place,
        expected=words.format(goal) if known else goal,
        measure=measure,
        operator="mustBeLessOrEqualTo",
        threshold=level.seconds,
        unit="s" if known else level.unit or "",
        severity=_severity(level, contract),
        dimension="timeliness",
        reason=reason,
        judge=judge,
    )


def _severity(level: ServiceLevel, contract: Contract) -> str:
    """A missed level warns: it tells of the running product, and must not stop the very publication that mends it.

    A custom property `severity` says otherwise; the standard has none here.
    """
    for entry in mapping_at(contract.raw, level.place.pointer).get("customProperties") or ():
        if isinstance(entry, Mapping) and entry.get("property") == "severity":
            return str(entry.get("value")).lower()
    return "warning"


def _element(element: str | None, contract: Contract, scopes: Mapping[str, Scope]) -> tuple[str, tuple[str, ...], str]:
    """The table, the column's path and the SQL of the moment that `element` (`table.column`) names."""
    if element is None:
        raise CannotRun("it names no element to look at")
    names = {t.name.lower(): t.name for t in contract.tables}
    names |= {t.title.lower(): t.name for t in contract.tables}
    head, _, rest = element.partition(".")
    if head.lower() in names and rest:
        table, column = names[head.lower()], rest
    elif len(contract.tables) == 1:
        table, column = contract.tables[0].name, element
    else:
        raise CannotRun(f"{element!r} names no table of the contract")
    scope = scopes.get(table)
    if scope is None:
        raise CannotRun(f"there is no data of {table}")
    part = scope.part(column)
    if part.lift("x") != "x":
        raise CannotRun(f"{element} is inside a list")
    if is_moment(part.column.type) and part.column.type.sql != "TIME":
        return table, part.path, part.sql
    if is_text(part.column.type):
        return table, part.path, f"TRY_CAST({part.sql} AS TIMESTAMP)"
    raise CannotRun(f"{element} is not a moment")


def _age(now: datetime, goal: float, newest: bool) -> Judge:
    def judge(value: Any) -> tuple[bool, str]:
        if value is None:
            return False, "no row has a time"
        age = now.timestamp() - float(value)
        what = "newest" if newest else "oldest"
        return age <= goal, f"{what} is {duration(age)} old" if age >= 0 else f"{what} is {duration(-age)} ahead of now"

    return judge


def _frequency(level: ServiceLevel, now: datetime, published: Sequence[datetime]) -> Measure:
    if level.seconds is None:
        raise CannotRun(f"{level.value!r} {level.unit or ''} is not a duration")
    if not published:
        raise CannotRun("rows do not tell how often they were published")
    moments = [*sorted(published), now]
    gap = max((b - a).total_seconds() for a, b in pairwise(moments))
    if gap <= level.seconds:
        return Known(found=f"longest pause {duration(gap)}")
    return Known(f"the longest pause between publications is {duration(gap)}")


def duration(seconds: float) -> str:
    """A duration as people say it, in its largest fitting unit."""
    for size, unit in ((365.25 * 86400, "years"), (86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size * (2 if unit in ("years", "days") else 1) or (unit == "days" and seconds == size):
            amount = seconds / size
            text = f"{amount:.0f}" if amount >= 10 else f"{amount:.1f}".removesuffix(".0")
            return f"{text} {'day' if text == '1' and unit == 'days' else unit}"
    return f"{seconds:.0f} s"
