"""Columns: unique names, ordered bounds, patterns that compile, enums that fit their types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from hanse.errors import Kind, Severity, code
from hanse.names import COLUMN_LENGTH, is_column_name
from hanse.spec.checks.identity import is_variable
from hanse.spec.checks.report import Report

DUPLICATE = code(
    "schema.duplicate-name", Kind.INVALID, "A name is used twice",
    "Tables of a contract, columns of a table and fields of an object have names of their own, compared ignoring case "
    "as SQL does.",
    "Rename or remove one of them.",
)  # fmt: skip
COLUMN_NAME = code(
    "name.column", Kind.INVALID, "Not the name of a column",
    "A column's name has 1 to 255 characters and no control character.", "Rename the column.",
)  # fmt: skip
BOUNDS = code(
    "contract.bounds", Kind.INVALID, "Bounds that no value meets", "A lower bound above the upper one allows no value.",
    "Exchange or correct the two bounds.",
)  # fmt: skip
PATTERN = code(
    "contract.pattern", Kind.INVALID, "A pattern cannot be used",
    "Patterns are run by an engine of linear time (RE2): no look-around, no back-reference.",
    "Write the pattern without them, or test it by a SQL rule.",
)  # fmt: skip
ENUM = code(
    "contract.enum", Kind.INVALID, "An enum value does not fit its column",
    "A column can only hold values of its type, so an enum of another type allows nothing.",
    "Write values of the column's type, each once.",
)  # fmt: skip
KEY = code(
    "contract.primary-key", Kind.INVALID, "The positions of the primary key are not clear",
    "Each column of a primary key has a position of its own, counted from 1.", "Number the columns 1, 2, …",
)  # fmt: skip

_BOUNDS = (
    ("minimum", "maximum"), ("exclusiveMinimum", "maximum"), ("minimum", "exclusiveMaximum"),
    ("exclusiveMinimum", "exclusiveMaximum"), ("minLength", "maxLength"), ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
)  # fmt: skip
_READS: Mapping[str, Callable[[str], object]] = {
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "time": time.fromisoformat,
}
_UNSUPPORTED = re.compile(r"(?<!\\)(?:\\\\)*(?:\(\?(?:=|!|<=|<!)|\\[1-9]|\(\?P=)")


def check_names(report: Report, pointer: str, members: Sequence[Mapping[str, Any]], what: str) -> None:
    """Names among siblings differ, ignoring case."""
    seen: dict[str, int] = {}
    for i, member in enumerate(members):
        name = member.get("name")
        if not isinstance(name, str):
            continue
        first = seen.setdefault(name.lower(), i)
        if first != i:
            line = report.document.place(f"{pointer}/{first}/name").line
            report.add(
                f"{pointer}/{i}/name", DUPLICATE, f"{what} {name[:80]!a} is named already on line {line}",
                why="names are compared ignoring case", mend="rename or remove one of the two",
            )  # fmt: skip


def check_column(report: Report, pointer: str, column: Mapping[str, Any]) -> None:
    """What one property says of itself."""
    name = column.get("name")
    if isinstance(name, str) and not is_column_name(name):
        reason = (
            "is empty" if not name else f"is longer than {COLUMN_LENGTH}" if len(name) > COLUMN_LENGTH else "is no text"
        )
        report.add(f"{pointer}/name", COLUMN_NAME, f"column name {name[:40]!a} {reason}", mend="rename the column")
    options = column.get("logicalTypeOptions")
    if isinstance(options, dict):
        _check_options(report, f"{pointer}/logicalTypeOptions", options)
    if isinstance(values := column.get("enum"), list):
        _check_enum(report, f"{pointer}/enum", values, column.get("logicalType"))


def check_pattern(report: Report, pointer: str, pattern: Any) -> None:
    """A regular expression compiles and keeps to what the engine has."""
    if not isinstance(pattern, str) or is_variable(pattern):
        return
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        report.add(pointer, PATTERN, f"pattern {pattern[:60]!a} cannot be read: {error}", mend="correct the pattern")
        return
    if found := _UNSUPPORTED.search(pattern):
        report.add(
            pointer, PATTERN, f"pattern {pattern[:60]!a} uses {found[0]!a}, which cannot be run",
            why="the engine runs patterns in linear time, without look-around and back-references",
            mend="write it without, or as a SQL rule", severity=Severity.WARNING,
        )  # fmt: skip


def _check_options(report: Report, pointer: str, options: Mapping[str, Any]) -> None:
    check_pattern(report, f"{pointer}/pattern", options.get("pattern"))
    for low, high in _BOUNDS:
        a, b = options.get(low), options.get(high)
        if isinstance(a, bool) or isinstance(b, bool):
            continue
        comparable = (isinstance(a, (int, float)) and isinstance(b, (int, float))) or (
            isinstance(a, str) and isinstance(b, str) and len(a) == len(b)
        )
        if comparable and (a > b or (a == b and "exclusive" in low + high)):  # type: ignore[operator]
            report.add(
                f"{pointer}/{low}",
                BOUNDS,
                f"{low} {a} and {high} {b} leave no value",
                mend=f"make {low} smaller than {high}",
            )


def _check_enum(report: Report, pointer: str, entries: Sequence[Any], logical: Any) -> None:
    seen: set[str] = set()
    for i, entry in enumerate(entries):
        value = entry.get("value") if isinstance(entry, dict) else entry
        if repr(value) in seen:
            report.add(
                f"{pointer}/{i}/value", ENUM, f"{str(value)[:40]!a} stands in the enum already", mend="remove it"
            )
        seen.add(repr(value))
        if value is not None and not _fits(value, logical):
            report.add(
                f"{pointer}/{i}/value", ENUM, f"{str(value)[:40]!a} is not a value of type {logical}",
                mend=f"write it as a {logical}" + (", in quotes" if logical == "string" else ""),
            )  # fmt: skip


def _fits(value: Any, logical: Any) -> bool:
    match logical:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "date" | "timestamp" | "time":
            try:
                _READS[logical](value)
            except (ValueError, TypeError):
                return False
            return True
        case _:
            return True


def check_keys(report: Report, pointer: str, columns: Sequence[Mapping[str, Any]]) -> None:
    """Positions of the primary key are given once each."""
    seen: dict[int, int] = {}
    for i, column in enumerate(columns):
        position = column.get("primaryKeyPosition")
        if column.get("primaryKey") is not True or not isinstance(position, int) or position < 1:
            continue
        first = seen.setdefault(position, i)
        if first != i:
            report.add(
                f"{pointer}/{i}/primaryKeyPosition", KEY,
                f"position {position} of the primary key is taken by {str(columns[first].get('name'))[:60]!a}",
                mend="number the columns of the key 1, 2, …",
            )  # fmt: skip
