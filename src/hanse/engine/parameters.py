"""Bound values: checked against the statement, and carried to the worker as typed JSON, never as SQL."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from hanse.engine.errors import BadParameter

Parameters = Sequence[Any] | Mapping[str, Any]


def fitting(wanted: Iterable[str], given: Parameters | None) -> dict[str, Any]:
    """`given` by identifier (`1`, `2` … or names); raises `BadParameter` when it does not fit `wanted`."""
    wanted = frozenset(wanted)
    if given is None:
        values: dict[str, Any] = {}
    elif isinstance(given, Mapping):
        values = {str(name): value for name, value in given.items()}
    elif isinstance(given, str | bytes):
        raise BadParameter("parameters are a list or a mapping", mend="give one value for each ?")
    else:
        values = {str(position): value for position, value in enumerate(given, 1)}
    missing, extra = sorted(wanted - values.keys()), sorted(values.keys() - wanted)
    if missing:
        raise BadParameter(
            f"no value for parameter {', '.join(missing)[:200]}", mend="give one value for each ? or $name"
        )
    if extra:
        raise BadParameter(
            f"the statement has no parameter {', '.join(extra)[:200]}", mend="leave it out, or use it as ? or $name"
        )
    return values


def packed(value: Any, depth: int = 0) -> Any:
    """`value` as typed JSON; raises `BadParameter` for what no column can hold."""
    if depth > 16:
        raise BadParameter("a parameter is nested too deeply", mend="bind flat values")
    match value:
        case None | bool() | str() | float():
            return value
        case int() if -(2**127) <= value < 2**127:
            return {"i": str(value)} if not -(2**63) <= value < 2**63 else value
        case Decimal():
            return {"n": str(value)}
        case datetime():
            return {"t": value.isoformat()}
        case date():
            return {"d": value.isoformat()}
        case time():
            return {"h": value.isoformat()}
        case UUID():
            return {"u": str(value)}
        case bytes() | bytearray():
            return {"b": base64.b64encode(value).decode()}
        case Mapping():
            return {"m": {str(k): packed(v, depth + 1) for k, v in value.items()}}
        case list() | tuple():
            return [packed(item, depth + 1) for item in value]
    raise BadParameter(
        f"a parameter of type {type(value).__name__} cannot be bound", mend="bind numbers, text, dates or lists of them"
    )


def unpacked(value: Any) -> Any:
    """The inverse of `packed`."""
    if isinstance(value, list):
        return [unpacked(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, held),) = value.items()
    match tag:
        case "i":
            return int(held)
        case "n":
            return Decimal(held)
        case "t":
            return datetime.fromisoformat(held)
        case "d":
            return date.fromisoformat(held)
        case "h":
            return time.fromisoformat(held)
        case "u":
            return UUID(held)
        case "b":
            return base64.b64decode(held)
        case "m":
            return {name: unpacked(item) for name, item in held.items()}
    raise ValueError(f"unknown tag {tag!r}")
