"""Column types: the small algebra that contracts, storage, engine and protocols share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hanse.names import quote

_SQL = {
    "boolean": "BOOLEAN", "int32": "INTEGER", "int64": "BIGINT", "float32": "FLOAT", "float64": "DOUBLE",
    "string": "VARCHAR", "binary": "BLOB", "uuid": "UUID", "date": "DATE", "time": "TIME",
    "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scalar:
    """A type without parts; `precision` and `scale` are set for `decimal` only (precision ≤ 38)."""

    name: str
    precision: int | None = None
    scale: int | None = None

    @property
    def sql(self) -> str:
        """The type in DuckDB's SQL."""
        if self.name == "decimal":
            return f"DECIMAL({self.precision},{self.scale})"
        return _SQL[self.name]


@dataclass(frozen=True, slots=True)
class Field:
    """A named part of a struct."""

    name: str
    type: Type
    required: bool = False


@dataclass(frozen=True, slots=True)
class Struct:
    """An object of named fields, in order."""

    fields: tuple[Field, ...]

    @property
    def sql(self) -> str:
        return "STRUCT(" + ", ".join(f"{quote(f.name)} {f.type.sql}" for f in self.fields) + ")"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one element type."""

    element: Type

    @property
    def sql(self) -> str:
        return f"{self.element.sql}[]"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map from keys to values."""

    key: Type
    value: Type

    @property
    def sql(self) -> str:
        return f"MAP({self.key.sql}, {self.value.sql})"


Type = Scalar | Struct | ListOf | MapOf


def walk(type_: Type, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Type]]:
    """Every (path, type) in `type_`, itself first; list elements and map parts are `[]`, `{key}`, `{value}`."""
    yield path, type_
    match type_:
        case Struct(fields):
            for part in fields:
                yield from walk(part.type, (*path, part.name))
        case ListOf(element):
            yield from walk(element, (*path, "[]"))
        case MapOf(key, value):
            yield from walk(key, (*path, "{key}"))
            yield from walk(value, (*path, "{value}"))
