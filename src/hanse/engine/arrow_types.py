"""A contract's types as Arrow and as Iceberg have them, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hanse.spec.types import Field, ListOf, MapOf, Scalar, Struct, Type

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.types import IcebergType, NestedField

FIELD_ID = b"PARQUET:field_id"  # where pyarrow keeps a Parquet column's field id


def arrow_type(type_: Type) -> Any:
    """`type_` in Arrow (a pyarrow.DataType), without field ids: timestamps in microseconds, zones as UTC."""
    import pyarrow as pa

    match type_:
        case Struct(fields):
            return pa.struct([pa.field(f.name, arrow_type(f.type), nullable=not f.required) for f in fields])
        case ListOf(element):
            return pa.list_(pa.field("element", arrow_type(element)))
        case MapOf(key, value):
            return pa.map_(pa.field("key", arrow_type(key), nullable=False), pa.field("value", arrow_type(value)))
        case Scalar("decimal", precision, scale):
            return pa.decimal128(precision, scale)
        case Scalar(name):
            return _arrow_scalars()[name]


def _arrow_scalars() -> dict[str, Any]:
    import pyarrow as pa

    return {
        "boolean": pa.bool_(), "int32": pa.int32(), "int64": pa.int64(),
        "float32": pa.float32(), "float64": pa.float64(), "string": pa.string(), "binary": pa.binary(),
        "uuid": pa.uuid(), "date": pa.date32(), "time": pa.time64("us"),
        "timestamp": pa.timestamp("us"), "timestamptz": pa.timestamp("us", tz="UTC"),
    }  # fmt: skip


def iceberg_type(type_: Type, next_id: Callable[[], int]) -> IcebergType:
    """`type_` in Iceberg; every nested part gets an id of its own from `next_id`."""
    from pyiceberg import types as ice

    match type_:
        case Struct(fields):
            ids = [next_id() for _ in fields]
            return ice.StructType(
                *(
                    ice.NestedField(i, f.name, iceberg_type(f.type, next_id), required=f.required)
                    for i, f in zip(ids, fields, strict=True)
                )
            )
        case ListOf(element):
            return ice.ListType(next_id(), iceberg_type(element, next_id), element_required=False)
        case MapOf(key, value):
            key_id, value_id = next_id(), next_id()
            return ice.MapType(
                key_id, iceberg_type(key, next_id), value_id, iceberg_type(value, next_id), value_required=False
            )
        case Scalar("decimal", precision, scale):
            return ice.DecimalType(precision or 38, scale or 0)
        case Scalar(name):
            return {
                "boolean": ice.BooleanType, "int32": ice.IntegerType, "int64": ice.LongType,
                "float32": ice.FloatType, "float64": ice.DoubleType, "string": ice.StringType,
                "binary": ice.BinaryType, "uuid": ice.UUIDType, "date": ice.DateType, "time": ice.TimeType,
                "timestamp": ice.TimestampType, "timestamptz": ice.TimestamptzType,
            }[name]()  # fmt: skip


def type_of_iceberg(type_: IcebergType) -> Type:
    """The contract type that `type_` holds; the undo of `iceberg_type`, ids aside."""
    from pyiceberg import types as ice

    match type_:
        case ice.StructType():
            return Struct(tuple(Field(f.name, type_of_iceberg(f.field_type), f.required) for f in type_.fields))
        case ice.ListType():
            return ListOf(type_of_iceberg(type_.element_type))
        case ice.MapType():
            return MapOf(type_of_iceberg(type_.key_type), type_of_iceberg(type_.value_type))
        case ice.DecimalType():
            return Scalar("decimal", type_.precision, type_.scale)
    names = {
        "boolean": "boolean", "int": "int32", "long": "int64", "float": "float32", "double": "float64",
        "string": "string", "binary": "binary", "uuid": "uuid", "date": "date", "time": "time",
        "timestamp": "timestamp", "timestamptz": "timestamptz",
    }  # fmt: skip
    return Scalar(names[str(type_)])


def arrow_schema(fields: Iterable[NestedField]) -> pa.Schema:
    """The Arrow schema of an Iceberg table's top-level `fields`, field ids at every level as Parquet wants them."""
    import pyarrow as pa

    return pa.schema([_arrow_field(f.name, f.field_type, f.field_id, required=f.required) for f in fields])


def _arrow_field(name: str, type_: IcebergType, field_id: int, *, required: bool) -> Any:
    import pyarrow as pa
    from pyiceberg import types as ice

    inner: Any
    match type_:
        case ice.StructType():
            inner = pa.struct(
                [_arrow_field(f.name, f.field_type, f.field_id, required=f.required) for f in type_.fields]
            )
        case ice.ListType():
            inner = pa.list_(_arrow_field("element", type_.element_type, type_.element_id, required=False))
        case ice.MapType():
            inner = pa.map_(
                _arrow_field("key", type_.key_type, type_.key_id, required=True),
                _arrow_field("value", type_.value_type, type_.value_id, required=False),
            )
        case _:
            inner = arrow_type(type_of_iceberg(type_))
    return pa.field(name, inner, nullable=not required, metadata={FIELD_ID: str(field_id).encode()})
