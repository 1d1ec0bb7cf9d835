"""Promised types against the engine's actual ones: by physical type where one is stated, else by logical type."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hanse.spec.model import Column
from hanse.spec.physical import is_known
from hanse.spec.types import ListOf, MapOf, Scalar, Struct, Type

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

# the engine's type ids by the scalar that holds all of their values
_IDS: Mapping[str, str] = {
    "boolean": "boolean", "tinyint": "int32", "smallint": "int32", "integer": "int32", "utinyint": "int32",
    "usmallint": "int32", "uinteger": "int64", "bigint": "int64", "ubigint": "decimal(20,0)",
    "hugeint": "decimal(38,0)", "uhugeint": "decimal(38,0)", "float": "float32", "double": "float64",
    "varchar": "string", "enum": "string", "blob": "binary", "bit": "binary", "uuid": "uuid", "date": "date",
    "time": "time", "time_ns": "time", "time with time zone": "time", "timestamp": "timestamp",
    "timestamp_s": "timestamp", "timestamp_ms": "timestamp", "timestamp_ns": "timestamp",
    "timestamp with time zone": "timestamptz",
}  # fmt: skip
# what a logical type accepts when no physical type narrows it
_FAMILIES: Mapping[str, frozenset[str]] = {
    "string": frozenset({"string", "uuid"}),
    "integer": frozenset({"int32", "int64"}),
    "number": frozenset({"int32", "int64", "float32", "float64", "decimal"}),
    "boolean": frozenset({"boolean"}),
    "date": frozenset({"date"}),
    "time": frozenset({"time"}),
    "timestamp": frozenset({"timestamp", "timestamptz"}),
}


def differences(column: Column, actual: DuckDBPyType, *, folds_case: bool = False, path: str = "") -> Iterator[str]:
    """What of `actual` is not as `column` promises, in words; nothing when the types agree."""
    yield from _differences(column, column.type, actual, folds_case, path)


def integral(actual: DuckDBPyType) -> bool:
    """Whether values of `actual` are integers of at most 64 bits."""
    return actual.id in {"tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger"}


def scalar(actual: DuckDBPyType) -> str:
    """The word of `spec.types` for `actual` (`decimal(20,0)` with its arguments), or its own id."""
    if actual.id == "decimal":
        parts = dict(actual.children)
        return f"decimal({parts['precision']},{parts['scale']})"
    return _IDS.get(actual.id, actual.id)


def _differences(
    column: Column | None, promised: Type, actual: DuckDBPyType, folds_case: bool, path: str
) -> Iterator[str]:
    at = f"{path} is " if path else ""
    match promised:
        case Struct(fields):
            if actual.id != "struct":
                yield f"{at}{actual}"
                return
            have = dict(actual.children)
            lower = {name.lower(): name for name in have}
            children = {child.name: child for child in column.children} if column is not None else {}
            for part in fields:
                here = f"{path}.{part.name}" if path else part.name
                name = part.name if part.name in have else lower.get(part.name.lower())
                if name is None or (name != part.name and not folds_case):
                    yield f"has no field {here}" + (f" (but {name})" if name else "")
                    continue
                yield from _differences(children.get(part.name), part.type, have[name], folds_case, here)
        case ListOf(element):
            if actual.id not in ("list", "array"):
                yield f"{at}{actual}"
                return
            child = column.children[0] if column is not None and column.children else None
            if column is not None and column.logical_type == "vector":
                if scalar(dict(actual.children)["child"]) not in ("float32", "float64", "int32", "boolean"):
                    yield f"{at}{actual}"
                return
            yield from _differences(child, element, dict(actual.children)["child"], folds_case, f"{path}[]")
        case MapOf(key, value):
            if actual.id != "map":
                yield f"{at}{actual}"
                return
            parts = dict(actual.children)
            kinds = column.children if column is not None and len(column.children) == 2 else (None, None)
            yield from _differences(kinds[0], key, parts["key"], folds_case, f"{path}{{key}}")
            yield from _differences(kinds[1], value, parts["value"], folds_case, f"{path}{{value}}")
        case Scalar():
            if not _agrees(column, promised, actual):
                yield f"{at}{actual}"


def _agrees(column: Column | None, promised: Scalar, actual: DuckDBPyType) -> bool:
    have = scalar(actual)
    physical = column.physical_type if column is not None else None
    if physical is None or not is_known(physical):
        logical = (column.logical_type if column is not None else None) or ""
        if logical == "timestamp" and column is not None and "timezone" in column.options:
            return have == promised.name
        if logical == "integer":
            return have in _FAMILIES["integer"] or re.fullmatch(r"decimal\(\d+,0\)", have) is not None
        if logical in _FAMILIES and promised.name in _FAMILIES[logical]:
            return have.partition("(")[0] in _FAMILIES[logical]
    if promised.name == "decimal":
        if physical is not None and "(" not in physical:  # without arguments any precision is meant
            return have.startswith("decimal") or (column is not None and column.logical_type == "integer")
        return have == f"decimal({promised.precision},{promised.scale})"
    return have == promised.name


def expected(column: Column) -> str:
    """What `column` promises to be, as its author wrote it."""
    if column.physical_type is not None:
        return column.physical_type
    return column.logical_type or column.type.sql
