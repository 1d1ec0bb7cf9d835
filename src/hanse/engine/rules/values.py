"""SQL of values and of paths: literals typed by their column, and predicates lifted from nested parts to whole rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hanse.names import literal, quote
from hanse.spec.model import Column
from hanse.spec.types import ListOf, MapOf, Scalar, Struct, Type

_NUMBERS = frozenset({"int32", "int64", "float32", "float64", "decimal"})
_MOMENTS = frozenset({"date", "time", "timestamp", "timestamptz"})


@dataclass(frozen=True, slots=True)
class Part:
    """A column or a nested part of one: `sql` is its value, `lift` makes a predicate over it one over the row.

    `parent` is the SQL that tells whether the enclosing object is there at all.
    """

    path: tuple[str, ...]
    column: Column
    sql: str
    lift: Callable[[str], str]
    parent: str | None = None

    @property
    def is_top(self) -> bool:
        return len(self.path) == 1

    @property
    def name(self) -> str:
        return ".".join(self.path).replace(".[]", "[]").replace(".{", "{")


def parts(column: Column, sql: str) -> Iterator[Part]:
    """`column`, whose value in SQL is `sql`, and every part below it."""
    yield from _parts((column.name,), column, sql, lambda predicate: predicate, None, 0)


def _parts(
    path: tuple[str, ...], column: Column, sql: str, lift: Callable[[str], str], parent: str | None, depth: int
) -> Iterator[Part]:
    yield Part(path, column, sql, lift, parent)
    match column.type:
        case Struct():
            for child in column.children:
                yield from _parts((*path, child.name), child, f"{sql}.{quote(child.name)}", lift, sql, depth)
        case ListOf() if column.children:
            yield from _elements((*path, "[]"), column.children[0], sql, lift, depth)
        case MapOf() if len(column.children) == 2:
            yield from _elements((*path, "{key}"), column.children[0], f"map_keys({sql})", lift, depth)
            yield from _elements((*path, "{value}"), column.children[1], f"map_values({sql})", lift, depth)


def _elements(
    path: tuple[str, ...], column: Column, items: str, lift: Callable[[str], str], depth: int
) -> Iterator[Part]:
    name = f"item{depth}"

    def some(predicate: str) -> str:
        return lift(f"len(list_filter({items}, lambda {name}: {predicate})) > 0")

    yield from _parts(path, column, name, some, None, depth + 1)


def is_text(type_: Type) -> bool:
    return isinstance(type_, Scalar) and type_.name == "string"


def is_number(type_: Type) -> bool:
    return isinstance(type_, Scalar) and type_.name in _NUMBERS


def is_moment(type_: Type) -> bool:
    return isinstance(type_, Scalar) and type_.name in _MOMENTS


def number_sql(value: float | int | Decimal) -> str:
    """A number as SQL; a float as its shortest decimal, so that 0.1 means a tenth."""
    return repr(value) if isinstance(value, int) else format(Decimal(str(value)), "f")


def bound_sql(value: Any, type_: Type) -> str | None:
    """`value`, a bound as the contract writes it, as a SQL constant that compares with `type_`; None when it cannot."""
    if is_number(type_) and isinstance(value, (int, float)) and not isinstance(value, bool):
        return number_sql(value)
    if is_moment(type_) and isinstance(value, str):
        return f"CAST({literal(value)} AS {type_.sql})"
    if is_text(type_) and isinstance(value, str):
        return literal(value)
    return None


def among(sql: str, type_: Type, values: Sequence[Any]) -> str:
    """A predicate that is never null where `sql` is not: whether it is one of `values`, nulls in them left out."""
    written = [value for value in values if value is not None]
    if not written:
        return "false"
    if is_text(type_):
        return f"{sql} IN ({', '.join(literal(_text(value)) for value in written)})"
    numbers = [number_sql(v) for v in written if isinstance(v, (int, float)) and not isinstance(v, bool)]
    flags = ["true" if v else "false" for v in written if isinstance(v, bool)]
    texts = [literal(v) for v in written if isinstance(v, str)]
    tests = []
    if numbers and is_number(type_):
        tests.append(f"{sql} IN ({', '.join(numbers)})")
    if flags and type_ == Scalar("boolean"):
        tests.append(f"{sql} IN ({', '.join(flags)})")
    if texts and (is_moment(type_) or type_ == Scalar("uuid")):
        tests.append(f"coalesce({sql} IN ({', '.join(f'TRY_CAST({text} AS {type_.sql})' for text in texts)}), false)")
    elif texts:
        tests.append(f"CAST({sql} AS VARCHAR) IN ({', '.join(texts)})")
    return "(" + " OR ".join(tests) + ")" if tests else "false"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def listed(values: Sequence[Any], most: int = 6) -> str:
    """`values` for people, cut after `most`."""
    shown = ", ".join("null" if v is None else _text(v) or "''" for v in values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"
