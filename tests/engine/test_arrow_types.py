"""The checked cast: what fits becomes the contract's types, what does not is told with its place and count."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse.engine.arrow_cast import ColumnsDiffer, TypeDoesNotFit, ValueDoesNotFit, fitted
from hanse.engine.arrow_types import arrow_type, iceberg_type, type_of_iceberg
from hanse.errors import Place
from hanse.spec.model import Column
from hanse.spec.types import Field, ListOf, MapOf, Scalar, Struct, Type

INT, BIG, TEXT = Scalar("int32"), Scalar("int64"), Scalar("string")
FLOAT, DOUBLE = Scalar("float32"), Scalar("float64")
MONEY = Scalar("decimal", 5, 2)


def column(name: str, type_: Type, required: bool = False) -> Column:
    return Column(name, type_, None, None, required, False, None, None, "", (), None, {}, (), (), {}, Place("c.yaml"))


def cast(array: pa.Array, promised: Type, *, required: bool = False, chunk: int = 1000) -> list[Any]:
    found = pa.table({"c": array}).to_reader(max_chunksize=chunk)
    batches = list(fitted(found, "sales.orders_v1.lines", [column("c", promised, required)]))
    assert all(b.schema.field(0).type == arrow_type(promised) for b in batches)
    for batch in batches:
        batch.validate(full=True)
    return [value for batch in batches for value in batch.column(0).to_pylist()]


FITS: list[tuple[pa.Array, Type, list[Any]]] = [
    (pa.array([1, None], pa.int32()), BIG, [1, None]),
    (pa.array([2**31 - 1], pa.int64()), INT, [2**31 - 1]),
    (pa.array([255], pa.uint8()), INT, [255]),
    (pa.array([Decimal(7)], pa.decimal128(38, 0)), BIG, [7]),
    (pa.array([12], pa.int64()), MONEY, [Decimal("12.00")]),
    (pa.array([Decimal("1.500")], pa.decimal128(10, 3)), MONEY, [Decimal("1.50")]),
    (pa.array([1.1, None]), MONEY, [Decimal("1.10"), None]),
    (pa.array([Decimal("0.1")], pa.decimal128(3, 1)), DOUBLE, [0.1]),
    (pa.array([2**24], pa.int64()), FLOAT, [2.0**24]),
    (pa.array([1.5, float("inf")]), FLOAT, [1.5, float("inf")]),
    (pa.array([3.0]), INT, [3]),
    (pa.array(["a", "b"]).dictionary_encode(), TEXT, ["a", "b"]),
    (pa.array(["a"], pa.large_string()), TEXT, ["a"]),
    (pa.array([None, None], pa.null()), TEXT, [None, None]),
    (pa.array([[1], None, [2, None], []], pa.list_(pa.int64())), ListOf(INT), [[1], None, [2, None], []]),
    (pa.array([{"b": 1, "a": "x"}, None]), Struct((Field("a", TEXT), Field("b", INT))), [{"a": "x", "b": 1}, None]),
    (pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())), MapOf(TEXT, INT), [[("k", 1)], None]),
]


@pytest.mark.parametrize(("array", "promised", "expected"), FITS, ids=lambda value: str(getattr(value, "type", "")))
def test_what_fits_is_widened_without_loss(array: pa.Array, promised: Type, expected: list[Any]) -> None:
    assert cast(array, promised) == expected
    assert cast(array, promised, chunk=1) == expected


MISFITS: list[tuple[pa.Array, Type]] = [
    (pa.array([1, 2**31], pa.int64()), INT),
    (pa.array([1, 2**63], pa.uint64()), BIG),
    (pa.array([1, 1000], pa.int64()), MONEY),
    (pa.array([Decimal("1.000"), Decimal("1.005")], pa.decimal128(10, 3)), MONEY),
    (pa.array([Decimal(1), Decimal(2**63)], pa.decimal128(38, 0)), BIG),
    (pa.array([Decimal("1.0"), Decimal("1.5")], pa.decimal128(10, 1)), INT),
    (pa.array([1.5, 0.333]), MONEY),
    (pa.array([1.5, 0.1]), FLOAT),
    (pa.array([1, 2**24 + 1], pa.int64()), FLOAT),
    (pa.array([1, 2**53 + 1], pa.int64()), DOUBLE),
    (pa.array([1.0, 1.5]), INT),
    (pa.array([1000, 1], pa.timestamp("ns")), Scalar("timestamp")),
    (pa.array([0, 1], pa.timestamp("us")), Scalar("date")),
    (pa.array(["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "no"]), Scalar("uuid")),
    (pa.array([[1], [2, 2**40]], pa.list_(pa.int64())), ListOf(INT)),
    (pa.array([{"a": 1}, {"a": 2**40}]), Struct((Field("a", INT),))),
    (pa.array([{"a": 1}, {"a": None}]), Struct((Field("a", BIG, required=True),))),
    (pa.array([[("k", 1)], [("k", 2**40)]], pa.map_(pa.string(), pa.int64())), MapOf(TEXT, INT)),
]


@pytest.mark.parametrize(("array", "promised"), MISFITS, ids=lambda value: str(getattr(value, "type", "")))
def test_what_would_lose_something_is_told_by_row(array: pa.Array, promised: Type) -> None:
    with pytest.raises(ValueDoesNotFit) as told:
        cast(array, promised)
    assert f"column 'c': 1 value does not fit {promised.sql}, the first in row 2" in told.value.message


def test_all_misfits_of_a_stream_are_counted_and_none_is_shown() -> None:
    values = [i if i % 100 else 77_000_000_000 + i for i in range(2500)]
    with pytest.raises(ValueDoesNotFit) as told:
        cast(pa.array(values, pa.int64()), INT)
    [misfit] = told.value.misfits
    assert (misfit.values, misfit.first_value) == (25, 1)
    assert "77" not in told.value.message


def test_a_null_in_a_required_column_is_told_by_row() -> None:
    with pytest.raises(ValueDoesNotFit, match=r"2 required values are null, the first in row 1002"):
        cast(pa.array([*range(1001), None, None], pa.int32()), INT, required=True)


@pytest.mark.parametrize(
    ("found", "promised"),
    [
        (pa.array(["1"]), INT),
        (pa.array([1]), TEXT),
        (pa.array([1], pa.timestamp("us")), Scalar("timestamptz")),
        (pa.array([1], pa.timestamp("us", "UTC")), Scalar("timestamp")),
        (pa.array([True]), INT),
        (pa.array([[1]]), INT),
        (pa.array([{"a": 1}]), Struct((Field("b", BIG),))),
    ],
)
def test_text_is_not_parsed_and_zones_are_not_assumed(found: pa.Array, promised: Type) -> None:
    with pytest.raises(TypeDoesNotFit, match="the contract promises"):
        cast(found, promised)


def test_columns_come_in_the_contracts_order_and_the_nearest_name_is_offered() -> None:
    found = pa.table({"B": [1], "a": [2]})
    [batch] = fitted(found.to_reader(), "t", [column("a", BIG), column("b", BIG)])
    assert batch.schema.names == ["a", "b"]
    assert batch.to_pylist() == [{"a": 2, "b": 1}]
    with pytest.raises(ColumnsDiffer) as told:
        list(fitted(pa.table({"arr_dela": [1], "z": [1]}).to_reader(), "t", [column("arr_delay", BIG)]))
    assert "column 'arr_delay' is missing (there is 'arr_dela')" in told.value.message
    assert "column 'z' is not in the contract" in told.value.message


scalars = st.sampled_from([INT, BIG, TEXT, FLOAT, DOUBLE, MONEY, *map(Scalar, ("uuid", "timestamptz", "time", "date"))])
types = st.recursive(
    scalars,
    lambda inner: st.one_of(
        inner.map(ListOf),
        st.builds(MapOf, scalars, inner),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda parts: Struct(tuple(Field(f"f{i}", part) for i, part in enumerate(parts)))
        ),
    ),
    max_leaves=8,
)


@given(types)
def test_iceberg_has_every_type_and_gives_it_back(type_: Type) -> None:
    numbers = iter(range(1, 1000))
    assert type_of_iceberg(iceberg_type(type_, lambda: next(numbers))) == type_


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_a_cast_never_changes_a_number(values: list[int | None]) -> None:
    for promised in (INT, DOUBLE, FLOAT, MONEY):
        try:
            assert cast(pa.array(values, pa.int64()), promised) == values
        except ValueDoesNotFit:
            assert any(value is not None and abs(value) >= 1000 for value in values)
