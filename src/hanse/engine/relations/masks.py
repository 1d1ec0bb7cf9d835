"""Masks as SQL: one expression a column, rebuilt around nested fields; nothing in it can raise on a row."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hanse.governance.decision import (
    Bucket,
    Clear,
    ColumnPath,
    ColumnView,
    Constant,
    HashMask,
    Hidden,
    Last,
    Mask,
    Masked,
    Null,
    Truncate,
)
from hanse.names import literal, quote
from hanse.spec.types import Field, ListOf, MapOf, Scalar, Struct, Type

HASH_DIGITS = 24
_TEXT = Scalar("string")
Shown = tuple[str, Type]  # an expression and its type
_WHOLE = ("int32", "int64")
_NUMBERS = (*_WHOLE, "float32", "float64", "decimal")
_MOMENTS = ("date", "timestamp", "timestamptz")

# two blobs of 64 bytes, set as variables in the trusted reader alone: no SQL text ever holds the key
_INNER, _OUTER = "hanse_inner_pad", "hanse_outer_pad"


def pads(key: bytes) -> dict[str, str]:
    """HMAC's two padded keys (RFC 2104) in hex, by the variable that the trusted reader holds them in."""
    if len(key) > 64:
        key = hashlib.sha256(key).digest()
    key = key.ljust(64, b"\0")
    return {name: bytes(byte ^ pad for byte in key).hex() for name, pad in ((_INNER, 0x36), (_OUTER, 0x5C))}


def shown(
    column: str, type_: Type, views: Mapping[ColumnPath, ColumnView], promised: frozenset[ColumnPath]
) -> Shown | None:
    """The SQL expression and type that a reader gets of a top-level column; None when it is hidden.

    A struct's field that the contract does not promise (`promised`) is hidden.
    """
    return _Rebuild(views, promised).value(quote(column), type_, (column,))


def is_untouched(views: Mapping[ColumnPath, ColumnView], column: str) -> bool:
    """Whether a top-level column and all below it are clear."""
    return isinstance(views.get((column,)), Clear) and all(
        isinstance(view, Clear) for path, view in views.items() if path[0] == column
    )


@dataclass(frozen=True, slots=True)
class _Rebuild:
    """Rebuilds a value around its masked and hidden parts; what has none is passed as it is."""

    views: Mapping[ColumnPath, ColumnView]
    promised: frozenset[ColumnPath]
    depth: int = 0

    def value(self, raw: str, type_: Type, path: ColumnPath) -> Shown | None:
        view = self.views.get(path)
        if view is None and len(path) > 1 and path[-1] in ("[]", "{key}", "{value}"):
            view = Clear()  # a list's element is seen as its list, unless the decision says more
        match view:
            case None | Hidden():
                return None
            case Masked(mask):
                return masked(raw, type_, mask)
        match type_:
            case Struct(fields):
                return self._struct(raw, fields, path)
            case ListOf():
                return self._list(raw, type_, path)
            case MapOf():
                return self._map(raw, type_, path)
        return raw, type_

    def _deeper(self) -> _Rebuild:
        return _Rebuild(self.views, self.promised, self.depth + 1)

    def _struct(self, raw: str, fields: tuple[Field, ...], path: ColumnPath) -> Shown | None:
        parts, types, same = [], [], True
        for field in fields:
            below = (*path, field.name)
            # struct_extract by name: a dot would be read as a table's column where names collide
            inner = f"struct_extract({raw}, {literal(field.name)})"
            part = self.value(inner, field.type, below) if below in self.promised else None
            if part is None:
                same = False
                continue
            same = same and part == (inner, field.type)
            parts.append(f"{quote(field.name)} := {part[0]}")
            types.append(Field(field.name, part[1]))
        if not parts:
            return None
        if same:
            return raw, Struct(fields)
        packed = f"struct_pack({', '.join(parts)})"
        return f"CASE WHEN {raw} IS NULL THEN NULL ELSE {packed} END", Struct(tuple(types))

    def _list(self, raw: str, type_: ListOf, path: ColumnPath) -> Shown:
        name = f"e{self.depth}"
        part = self._deeper().value(name, type_.element, (*path, "[]"))
        if part is None:
            return f"CAST(NULL AS {type_.sql})", type_
        if part == (name, type_.element):
            return raw, type_
        return f"list_transform({raw}, lambda {name}: {part[0]})", ListOf(part[1])

    def _map(self, raw: str, type_: MapOf, path: ColumnPath) -> Shown:
        name, deeper = f"e{self.depth}", self._deeper()
        raw_key, raw_value = f"struct_extract({name}, 'key')", f"struct_extract({name}, 'value')"
        key = deeper.value(raw_key, type_.key, (*path, "{key}"))
        held = deeper.value(raw_value, type_.value, (*path, "{value}"))
        if key != (raw_key, type_.key) or held is None:
            # masked keys would collide: nothing of the map is shown
            return f"CAST(NULL AS {type_.sql})", type_
        if held == (raw_value, type_.value):
            return raw, type_
        entry = f"struct_pack(key := {raw_key}, value := {held[0]})"
        entries = f"list_transform(map_entries({raw}), lambda {name}: {entry})"
        return f"CASE WHEN {raw} IS NULL THEN NULL ELSE map_from_entries({entries}) END", MapOf(type_.key, held[1])


def masked(value: str, type_: Type, mask: Mask) -> Shown:
    """The expression and type of `value` under `mask`; a mask that does not fit the type shows null."""
    nothing = f"CAST(NULL AS {type_.sql})", type_
    kind = type_.name if isinstance(type_, Scalar) else ""
    match mask:
        case Null():
            return nothing
        case Constant(constant):
            return _constant(constant, type_)
        case HashMask():
            text = f"encode(CAST({value} AS VARCHAR))"
            inner = f"from_hex(sha256(getvariable({literal(_INNER)}) || {text}))"
            return f"left(sha256(getvariable({literal(_OUTER)}) || {inner}), {HASH_DIGITS})", _TEXT
        case Last(count):
            return f"'****' || right(CAST({value} AS VARCHAR), {int(count)})", _TEXT
        case Truncate(str() as to) if kind in _MOMENTS and to in ("year", "month", "day"):
            return f"TRY_CAST(date_trunc({literal(to)}, {value}) AS {type_.sql})", type_
        case Truncate(int() | float() as width) | Bucket(width) if kind in _NUMBERS and width > 0:
            return _floored(value, type_, float(width)), type_
    return nothing


def _floored(value: str, type_: Type, width: float) -> str:
    kind = type_.name if isinstance(type_, Scalar) else ""
    if kind in _WHOLE and width == int(width):
        step = int(width)
        whole = f"CAST({value} AS HUGEINT)"
        return f"TRY_CAST({whole} - (({whole} % {step}) + {step}) % {step} AS {type_.sql})"
    return f"TRY_CAST(floor(CAST({value} AS DOUBLE) / {width!r}) * {width!r} AS {type_.sql})"


def _constant(value: Any, type_: Type) -> Shown:
    kind = type_.name if isinstance(type_, Scalar) else ""
    match value:
        case None:
            return f"CAST(NULL AS {type_.sql})", type_
        case bool() if kind == "boolean":
            return f"CAST({str(value).lower()} AS BOOLEAN)", type_
        case int() | float() if not isinstance(value, bool) and kind in _NUMBERS:
            return f"coalesce(TRY_CAST({value!r} AS {type_.sql}))", type_
        case str() if kind in _MOMENTS:
            return f"TRY_CAST({literal(value)} AS {type_.sql})", type_
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return literal(text), _TEXT
