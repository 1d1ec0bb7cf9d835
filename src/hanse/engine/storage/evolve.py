"""Field ids over time: a column keeps its id while its type may widen, and gets a new one when it becomes another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from pyiceberg.schema import Schema
from pyiceberg.types import ListType, MapType, NestedField, StructType

from hanse.engine.arrow_types import iceberg_type, type_of_iceberg
from hanse.spec.model import Column
from hanse.spec.types import Field, ListOf, MapOf, Scalar, Struct, Type

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.types import IcebergType

_WIDER = {("int32", "int64"), ("float32", "float64")}


def evolved(columns: Sequence[Column], olds: Sequence[Schema], last_id: int, schema_id: int) -> Schema:
    """The schema of `columns`: ids come from the first of `olds` that has such a name with a type that may widen."""
    numbers = count(last_id + 1)

    def next_id() -> int:
        return next(numbers)

    fields = []
    for column in columns:
        known = (f for old in olds for f in old.fields if f.name.lower() == column.name.lower())
        before = next((f for f in known if _may_become(type_of_iceberg(f.field_type), column.type)), None)
        field_id = next_id() if before is None else before.field_id
        type_ = _typed(column.type, None if before is None else before.field_type, next_id)
        fields.append(
            NestedField(field_id, column.name, type_, required=column.required, doc=column.description or None)
        )
    return Schema(*fields, schema_id=schema_id)


def _may_become(old: Type, new: Type) -> bool:
    """Whether files written as `old` can be read as `new` (Iceberg's promotions, at every depth)."""
    match old, new:
        case Struct(olds), Struct(news):
            by_name = {f.name: f for f in news}
            return all(f.name in by_name and _may_become(f.type, by_name[f.name].type) for f in olds)
        case ListOf(a), ListOf(b):
            return _may_become(a, b)
        case MapOf(k, a), MapOf(q, b):
            return _may_become(k, q) and _may_become(a, b)
        case Scalar("decimal", p, s), Scalar("decimal", q, r):
            return s == r and (q or 0) >= (p or 0)
        case Scalar(a), Scalar(b):
            return a == b or (a, b) in _WIDER
    return False


def _typed(new: Type, old: IcebergType | None, next_id: Callable[[], int]) -> IcebergType:
    """`new` in Iceberg, with the ids of `old` wherever it had one."""
    match new, old:
        case Struct(fields), StructType():
            return StructType(*(_field(f, old, next_id) for f in fields))
        case ListOf(element), ListType():
            return ListType(old.element_id, _typed(element, old.element_type, next_id), element_required=False)
        case MapOf(key, value), MapType():
            return MapType(
                old.key_id,
                _typed(key, old.key_type, next_id),
                old.value_id,
                _typed(value, old.value_type, next_id),
                value_required=False,
            )
    return iceberg_type(new, next_id)


def _field(part: Field, old: StructType, next_id: Callable[[], int]) -> NestedField:
    before = next((f for f in old.fields if f.name == part.name), None)
    field_id = next_id() if before is None else before.field_id
    type_ = _typed(part.type, None if before is None else before.field_type, next_id)
    return NestedField(field_id, part.name, type_, required=part.required)
