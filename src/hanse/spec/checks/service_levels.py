"""Service levels: durations, dates and shares that can be measured against data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from hanse.errors import Kind, Severity, code
from hanse.names import nearest
from hanse.spec.checks.identity import is_variable
from hanse.spec.checks.report import Report

SERVICE_LEVEL = code(
    "service-level.unreadable", Kind.INVALID, "A service level cannot be read",
    "A promise that cannot be read cannot be measured: durations have a number and a unit, ends have a date.",
    "Write a number with a unit such as 15 and min, or a date.",
)  # fmt: skip

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
UNITS: Mapping[str, float] = {
    word: seconds
    for words, seconds in (
        ("us microsecond microseconds", 1e-6),
        ("ms msec millisecond milliseconds", 1e-3),
        ("s sec secs second seconds", 1.0),
        ("min mins minute minutes mi", _MINUTE),
        ("h hr hrs hour hours", _HOUR),
        ("d day days", _DAY),
        ("w wk wks week weeks", 7 * _DAY),
        ("mo mon mos month months", 30 * _DAY),
        ("q quarter quarters", 91 * _DAY),
        ("y yr yrs year years a", 365 * _DAY),
    )
    for word in words.split()
}
# one letter units of the standard differ by case: `m` is a minute, `M` a month
_BY_CASE = {"m": _MINUTE, "M": 30 * _DAY}
DURATIONS = {
    "latency": "latency", "ly": "latency", "freshness": "freshness", "frequency": "frequency", "fy": "frequency",
    "retention": "retention", "re": "retention", "timetodetect": "timeToDetect", "td": "timeToDetect",
    "timetonotify": "timeToNotify", "tn": "timeToNotify", "timetorepair": "timeToRepair", "tr": "timeToRepair",
    "timetorecover": "timeToRepair", "responsetime": "responseTime",
}  # fmt: skip
_DATES = {"generalavailability", "ga", "endofsupport", "es", "endoflife", "el"}
_SHARES = {"availability", "av", "errorrate", "er"}
_ISO = re.compile(
    r"P(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_ISO_SECONDS = (365 * _DAY, 30 * _DAY, 7 * _DAY, _DAY, _HOUR, _MINUTE, 1.0)
_TEXT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", re.ASCII)


def unit_seconds(unit: str) -> float | None:
    """How many seconds a unit has, or None for a word that is no unit of time."""
    return _BY_CASE.get(unit) or UNITS.get(unit.lower())


def seconds(value: Any, unit: Any) -> float | None:
    """A duration in seconds: a number with a unit, `15 min` in one text, or ISO 8601 such as PT15M."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        factor = unit_seconds(unit.strip()) if isinstance(unit, str) else None
        return None if factor is None or value < 0 else float(value) * factor
    if not isinstance(value, str) or len(value) > 100:
        return None
    if (iso := _ISO.fullmatch(value.strip().upper())) is not None and any(iso.groups()):
        return sum(float(part) * each for part, each in zip(iso.groups(), _ISO_SECONDS, strict=True) if part)
    match = _TEXT.fullmatch(value)
    if match is None or (match[2] and isinstance(unit, str) and unit.strip()):
        return None
    return seconds(float(match[1]), match[2] or unit)


def duration_of(property_: str, value: Any, unit: Any) -> float | None:
    """The seconds of a service level whose property is a duration; None for other properties."""
    return seconds(value, unit) if property_.lower() in DURATIONS else None


def check_service_level(report: Report, pointer: str, level: Mapping[str, Any]) -> None:
    """One entry of `slaProperties` says something that can be measured, where its property is a known one."""
    name, value, unit = level.get("property"), level.get("value"), level.get("unit")
    if not isinstance(name, str) or value is None or (isinstance(value, str) and is_variable(value)):
        return
    kind = name.lower()
    if kind in DURATIONS and seconds(value, unit) is None:
        _tell_duration(report, pointer, name, value, unit)
    elif kind in _DATES and not _is_date(value):
        report.add(
            f"{pointer}/value", SERVICE_LEVEL, f"{name} is {str(value)[:40]!a}, which is not a date",
            mend="write it like 2027-06-30",
        )  # fmt: skip
    elif kind in _SHARES:
        number = _number(value)
        if number is None or not 0 <= number <= 100:
            report.add(
                f"{pointer}/value", SERVICE_LEVEL, f"{name} is {str(value)[:40]!a}, which is not a share of 0 to 100",
                mend="write a percentage such as 99.5", severity=Severity.WARNING,
            )  # fmt: skip


def _tell_duration(report: Report, pointer: str, name: str, value: Any, unit: Any) -> None:
    shown = ascii(str(value)[:40])
    if unit is None:
        report.add(
            f"{pointer}/value", SERVICE_LEVEL, f"{name} is {shown} without a unit",
            mend="add unit: d (or min, h, mo, y)",
        )  # fmt: skip
    elif unit_seconds(str(unit).strip()) is None:
        near = nearest(str(unit), UNITS, 1) or ["d"]
        report.add(
            f"{pointer}/unit", SERVICE_LEVEL, f"unit {str(unit)[:40]!a} of {name} is no unit of time",
            mend=f"write {near[0]}",
        )  # fmt: skip
    else:
        report.add(
            f"{pointer}/value", SERVICE_LEVEL, f"{name} is {shown}, which is not a number of {unit}",
            mend="write a number that is not negative",
        )  # fmt: skip


def _is_date(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            read(value.strip())
        except ValueError:
            continue
        return True
    return False


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        value = value.strip().removesuffix("%").strip()
        return float(value) if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", value) else None
    return None if isinstance(value, bool) or not isinstance(value, (int, float)) else float(value)
