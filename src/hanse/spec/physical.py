"""The type of a column from its logical and physical type: the SQL spellings in use, read into one algebra."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hanse.spec.model import Column
from hanse.spec.types import Field, ListOf, MapOf, Scalar, Struct, Type

_NAMES: dict[str, str] = {
    name: scalar
    for scalar, names in {
        "boolean": "boolean bool bit logical",
        "int32": "int integer int4 int2 int1 smallint tinyint mediumint smallserial serial serial4 utinyint usmallint "
        "int16 int32 uint8 uint16 byte short signed",
        "int64": "bigint int8 int64 long bigserial serial8 uinteger uint32 byteint",
        "float32": "real float float4 float32",
        "float64": "double float8 float64 binary_double binary_float",
        "string": "varchar char character nchar nvarchar varchar2 nvarchar2 text string bpchar clob nclob tinytext "
        "mediumtext longtext citext name json jsonb variant xml enum sysname",
        "binary": "blob binary varbinary bytea bytes raw longblob mediumblob tinyblob image",
        "uuid": "uuid uniqueidentifier guid",
        "date": "date date32",
        "time": "time timetz",
        "timestamp": "timestamp datetime datetime2 smalldatetime timestamp_ntz timestampntz timestamp_s timestamp_ms "
        "timestamp_us timestamp_ns",
        "timestamptz": "timestamptz timestamp_tz timestamp_ltz timestampltz datetimeoffset",
        "decimal": "decimal numeric dec number bignumeric bigdecimal money smallmoney ubigint uint64 hugeint "
        "uhugeint int128",
    }.items()
    for name in names.split()
}
_WHOLE = {"ubigint": 20, "uint64": 20, "hugeint": 38, "uhugeint": 38, "int128": 38}
_ARGUMENTS = {
    "decimal": 2,
    "string": 1,
    "binary": 1,
    "time": 1,
    "timestamp": 1,
    "timestamptz": 1,
    "float32": 2,
    "float64": 2,
}
_FREE_ARGUMENTS = frozenset({"enum", "int", "integer", "bigint", "smallint", "tinyint", "mediumint", "bit"})
_SPELLING = re.compile(
    r"(?P<name>[a-z][a-z0-9_]*)(?P<words>(?:\s+[a-z]+)*?)\s*(?:\((?P<arguments>[^()]*)\))?(?P<after>(?:\s+[a-z]+)*)\s*(?P<lists>(?:\[\s*\d*\s*\])*)",
    re.ASCII,
)
_WORDS = {
    "double precision": "float64",
    "character varying": "string",
    "national character": "string",
    "national character varying": "string",
    "character large object": "string",
    "binary varying": "binary",
    "binary large object": "binary",
    "long raw": "binary",
    "timestamp with time zone": "timestamptz",
    "timestamp with local time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time with time zone": "time",
    "time without time zone": "time",
    "bigint unsigned": "decimal",
    "int unsigned": "int64",
    "integer unsigned": "int64",
    "smallint unsigned": "int32",
    "tinyint unsigned": "int32",
    "mediumint unsigned": "int32",
}
_INTEGERS = {
    "i8": "int32",
    "i16": "int32",
    "i32": "int32",
    "i64": "int64",
    "u8": "int32",
    "u16": "int32",
    "u32": "int64",
}
_DEFAULTS = {"string": "string", "number": "float64", "boolean": "boolean", "time": "time"}
_HOURS = re.compile(r"[Hh]{1,2}|%H|%I")
_LONGEST = 300  # longer ones spell out structs, which the contract says by its own properties
DECIMAL = (18, 3)  # what DuckDB takes for a DECIMAL without arguments


def column_type(
    logical: str | None, physical: str | None, options: Mapping[str, Any], children: Sequence[Column]
) -> tuple[Type | None, str]:
    """The type, or None and the reason when the physical type is known but cannot be read.

    The physical type says how values are stored and wins; a spelling hanse does not know leaves it to the logical type.
    """
    if logical in ("object", "array", "map") and (children or logical != "object"):
        return _parts(logical, children, physical), ""
    if logical == "vector":
        return ListOf(Scalar("float32")), ""
    if physical is not None:
        read, reason = _physical(physical.strip().lower(), logical, children)
        if read is not None or reason:
            return read, reason
    return _logical(logical, options), ""


def is_known(physical: str) -> bool:
    """Whether `physical` is a spelling that hanse reads by itself, without the logical type."""
    return _physical(physical.strip().lower(), None, ())[0] is not None


def _parts(logical: str, children: Sequence[Column], physical: str | None) -> Type:
    if logical == "object":
        return Struct(tuple(Field(child.name, child.type, child.required) for child in children))
    if logical == "map":
        key, value = (
            (children[0].type, children[1].type) if len(children) == 2 else (Scalar("string"), Scalar("string"))
        )
        return MapOf(key, value)
    if children:
        return ListOf(children[0].type)
    element = _physical(physical.strip().lower(), None, ())[0] if physical else None
    return element if isinstance(element, ListOf) else ListOf(Scalar("string"))


def _logical(logical: str | None, options: Mapping[str, Any]) -> Type:
    written = options.get("format")
    match logical:
        case "integer":
            if written in ("u64", "i128", "u128"):
                return Scalar("decimal", 20 if written == "u64" else 38, 0)
            return Scalar(_INTEGERS.get(str(written), "int64"))
        case "number":
            return Scalar("float32" if written == "f32" else "float64")
        case "timestamp":
            return Scalar("timestamptz" if options.get("timezone") is True else "timestamp")
        case "date":
            # before 3.1 there was no `timestamp`: a date whose format has hours is one
            return Scalar("timestamp" if isinstance(written, str) and _HOURS.search(written) else "date")
        case _:
            return Scalar(_DEFAULTS.get(logical or "", "string"))


def _physical(text: str, logical: str | None, children: Sequence[Column]) -> tuple[Type | None, str]:
    """The type that `text` spells; (None, "") when it is not known, (None, reason) when it is known but malformed."""
    if len(text) > _LONGEST:
        return None, ""
    if (generic := re.fullmatch(r"(array|list|map)\s*[<(](.*)[>)]", text, re.ASCII | re.DOTALL)) is not None:
        return _generic(generic[1], generic[2])
    if (short := re.fullmatch(r"(.*\S)\s*\[\s*\d*\s*\]", text, re.ASCII)) is not None:
        element, reason = _physical(short[1], logical, children)
        return (ListOf(element) if element is not None else None), reason
    if text in ("struct", "record", "row", "object") and children:
        return _parts("object", children, None), ""
    if text in ("array", "list") and children:
        return _parts("array", children, None), ""
    if text == "map" and len(children) == 2:
        return _parts("map", children, None), ""
    match = _SPELLING.fullmatch(text)
    if match is None:
        name = re.match(r"[a-z][a-z0-9_]*", text)
        known = name is not None and name[0] in _NAMES and text[len(name[0]) :].lstrip().startswith("(")
        return None, "its arguments cannot be read" if known and name is not None and "(" in text else ""
    words = " ".join(part for part in (match["name"] + match["words"] + match["after"]).split())
    scalar = _WORDS.get(words) or (_NAMES.get(match["name"]) if words == match["name"] else None)
    if scalar is None:
        return None, ""
    return _scalar(scalar, match["name"], match["arguments"], logical)


def _generic(name: str, inside: str) -> tuple[Type | None, str]:
    depth, cuts = 0, [0]
    for i, letter in enumerate(inside):
        depth += (letter in "<(") - (letter in ">)")
        if letter == "," and depth == 0:
            cuts.append(i + 1)
    parts = [inside[a:b].rstrip(",").strip() for a, b in zip(cuts, [*cuts[1:], len(inside)], strict=True)]
    if len(parts) != (2 if name == "map" else 1):
        return None, ""
    types = [_physical(part, None, ()) for part in parts]
    if reason := next((reason for _, reason in types if reason), ""):
        return None, reason
    read = [type_ for type_, _ in types if type_ is not None]
    if len(read) != len(parts):
        return None, ""
    return (MapOf(read[0], read[1]) if name == "map" else ListOf(read[0])), ""


def _scalar(scalar: str, name: str, arguments: str | None, logical: str | None) -> tuple[Type | None, str]:
    numbers: list[int] = []
    if arguments is not None and name not in _FREE_ARGUMENTS:
        most = _ARGUMENTS.get(scalar, 0)
        parts = [part.strip() for part in arguments.split(",")]
        if most == 0:
            return None, f"{name} takes no arguments"
        if scalar == "string" and parts[0] in ("max", "") and len(parts) == 1:
            return Scalar("string"), ""
        if scalar == "string":
            parts = [re.sub(r"\s+(?:char|byte)\Z", "", part) for part in parts]
        if not all(part.isascii() and part.lstrip("-").isdigit() and len(part) < 10 for part in parts):
            says = "Types with two arguments use a comma" if most == 2 else "The argument is one whole number"
            return None, says
        numbers = [int(part) for part in parts]
        if len(numbers) > most:
            return None, f"{name} takes at most {most} argument{'s' if most > 1 else ''}"
    if scalar != "decimal":
        if scalar == "float32" and len(numbers) == 1 and numbers[0] > 24:
            return Scalar("float64"), ""
        if scalar in ("string", "binary") and numbers and numbers[0] < 1:
            return None, "a length is at least 1"
        return Scalar(scalar), ""
    return _decimal(name, numbers, logical)


def _decimal(name: str, numbers: Sequence[int], logical: str | None) -> tuple[Type | None, str]:
    if name in _WHOLE or name == "bigint":
        return Scalar("decimal", _WHOLE.get(name, 20), 0), ""
    if not numbers:
        if logical == "integer":
            return Scalar("decimal", 38, 0), ""
        return Scalar("decimal", *((19, 4) if name.endswith("money") else DECIMAL)), ""
    precision, scale = numbers[0], numbers[1] if len(numbers) > 1 else 0
    if not 1 <= precision <= 38:
        return None, f"the precision {precision} is not between 1 and 38"
    if not 0 <= scale <= precision:
        return None, f"the scale {scale} is not between 0 and the precision {precision}"
    return Scalar("decimal", precision, scale), ""
