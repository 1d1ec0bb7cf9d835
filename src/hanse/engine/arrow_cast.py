"""The checked cast: Arrow batches become a contract's types without losing a value, or the build says where not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hanse.engine.arrow_types import arrow_type
from hanse.errors import HanseError, Kind, code
from hanse.names import nearest
from hanse.spec.model import Column
from hanse.spec.types import ListOf, MapOf, Scalar, Struct, Type

if TYPE_CHECKING:
    import pyarrow as pa

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


class ValueDoesNotFit(HanseError):
    kind = Kind.INVALID
    code = code(
        "build.value-does-not-fit",
        Kind.INVALID,
        "A value does not fit the type that the contract promises",
        "hanse never truncates, rounds or nulls a value silently: what is stored is what the contract says.",
        "Mend the transform (filter, cast or round what does not fit) or change the contract's type.",
    )

    def __init__(self, table: str, misfits: Sequence[Misfit]) -> None:
        self.misfits = tuple(misfits)
        told = "; ".join(str(misfit) for misfit in misfits)
        super().__init__(
            f"{table}: {told}",
            mend="filter, cast or round in the transform, or change the type in the contract",
        )


class TypeDoesNotFit(HanseError):
    kind = Kind.INVALID
    code = code(
        "build.type-does-not-fit",
        Kind.INVALID,
        "A transform's column has a type that cannot become the contract's",
        "Only conversions that lose nothing and guess nothing are made: text is not parsed, zones are not assumed.",
        "Cast the column in the transform, or change the type in the contract.",
    )

    def __init__(self, table: str, column: str, found: str, promised: Type) -> None:
        hint = f"CAST({column} AS {promised.sql})"
        if found.startswith("timestamp") and isinstance(promised, Scalar) and promised.name.startswith("timestamp"):
            hint = f"{column} AT TIME ZONE 'UTC'"
        super().__init__(
            f"{table}: column {column!r} is {found}, the contract promises {promised.sql}",
            mend=f"write {hint} in the transform, or change the type in the contract",
        )


class ColumnsDiffer(HanseError):
    kind = Kind.INVALID
    code = code(
        "build.columns-differ",
        Kind.INVALID,
        "A transform's columns are not those of the contract",
        "A table holds exactly the columns that its contract promises.",
        "Add, rename or remove the column in the transform or in the contract.",
    )

    def __init__(self, table: str, missing: Sequence[str], extra: Sequence[str], twice: Sequence[str] = ()) -> None:
        told, mends = [], []
        for name in missing:
            near = nearest(name, extra)
            told.append(f"column {name!r} is missing" + (f" (there is {near[0]!r})" if near else ""))
            mends.append(f"rename {near[0]!r} to {name!r}" if near else f"add {name!r} to the transform")
        for name in extra:
            if not any(name in nearest(m, extra) for m in missing):
                told.append(f"column {name!r} is not in the contract")
                mends.append(f"add {name!r} to the contract or drop it in the transform")
        for name in twice:
            told.append(f"column {name!r} comes twice")
            mends.append(f"give one {name!r} another name")
        super().__init__(f"{table}: " + "; ".join(told), mend="; ".join(mends))


@dataclass(slots=True)
class Misfit:
    """What of one column did not fit: counts, and the first value's row (from 1). Never a value."""

    column: str
    type: str
    values: int = 0
    first_value: int = 0
    nulls: int = 0
    first_null: int = 0

    def __str__(self) -> str:
        told = []
        if self.values:
            does = "values do" if self.values > 1 else "value does"
            told.append(f"{self.values} {does} not fit {self.type}, the first in row {self.first_value}")
        if self.nulls:
            are = "values are" if self.nulls > 1 else "value is"
            told.append(f"{self.nulls} required {are} null, the first in row {self.first_null}")
        return f"column {self.column!r}: " + " and ".join(told)


class _Loses(Exception):
    """The cast of an array would lose something; which value is found by halving."""


class _CannotBecome(Exception):
    """No cast between two types loses nothing for any value."""


Array = Any  # a pyarrow.Array: its kinds have no common type that knows their parts
Convert = Callable[[Array], Array]  # raises _Loses or ArrowInvalid


@dataclass(slots=True)
class Fit:
    """Casts batches of one stream to `columns` in the contract's order, and remembers what did not fit."""

    table: str
    columns: Sequence[Column]
    schema: pa.Schema
    rows: int = 0
    _plan: list[tuple[int, Convert | None, Misfit]] = field(default_factory=list)

    def compile(self, found: pa.Schema) -> None:
        """Match names ignoring case and choose a conversion per column; raises before any row is read."""
        by_name: dict[str, int] = {}
        twice = [name for i, name in enumerate(found.names) if by_name.setdefault(name.lower(), i) != i]
        wanted = {column.name.lower() for column in self.columns}
        missing = [column.name for column in self.columns if column.name.lower() not in by_name]
        extra = [name for name in found.names if name.lower() not in wanted]
        if missing or extra or twice:
            raise ColumnsDiffer(self.table, missing, extra, twice)
        for column in self.columns:
            index = by_name[column.name.lower()]
            try:
                convert = conversion(found.field(index).type, column.type)
            except _CannotBecome:
                raise TypeDoesNotFit(self.table, column.name, str(found.field(index).type), column.type) from None
            self._plan.append((index, convert, Misfit(column.name, column.type.sql)))

    def cast(self, batch: pa.RecordBatch) -> pa.RecordBatch | None:
        """`batch` in the contract's types, or None when something in it (or before it) did not fit."""
        import pyarrow as pa

        arrays = []
        for column, (index, convert, misfit) in zip(self.columns, self._plan, strict=True):
            array = batch.column(index)
            if column.required and array.null_count:
                if not misfit.nulls:
                    misfit.first_null = self.rows + array.is_null().index(True).as_py() + 1
                misfit.nulls += array.null_count
            if convert is not None:
                try:
                    array = convert(array)
                except (_Loses, pa.ArrowInvalid):
                    first, count = _misfits(array, convert)
                    if not misfit.values:
                        misfit.first_value = self.rows + first + 1
                    misfit.values += count
            arrays.append(array)
        self.rows += batch.num_rows
        if self.misfits:
            return None
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    @property
    def misfits(self) -> list[Misfit]:
        return [misfit for _, _, misfit in self._plan if misfit.values or misfit.nulls]


def fitted(
    batches: pa.RecordBatchReader, table: str, columns: Sequence[Column], schema: pa.Schema | None = None
) -> Iterator[pa.RecordBatch]:
    """`batches` in the types and order of `columns`; raises `ValueDoesNotFit` with all counts at the end of the stream.

    `schema` may carry field ids; the types are those of the columns. Nothing that does not fit is ever yielded.
    """
    import pyarrow as pa

    if schema is None:
        schema = pa.schema([pa.field(c.name, arrow_type(c.type), nullable=not c.required) for c in columns])
    fit = Fit(table, columns, schema)
    fit.compile(batches.schema)
    for batch in batches:
        if batch.num_rows == 0:
            continue
        cast = fit.cast(batch)
        if cast is not None:
            yield cast
    if fit.misfits:
        raise ValueDoesNotFit(table, fit.misfits)


def _misfits(array: Array, convert: Convert) -> tuple[int, int]:
    """The index of the first value that does not convert, and how many do not, found by halving."""
    import pyarrow as pa

    first, count = -1, 0
    stack = [(0, len(array))]
    while stack:
        start, stop = stack.pop()
        try:
            convert(array.slice(start, stop - start))
        except (_Loses, pa.ArrowInvalid):
            if stop - start == 1:
                first = start if first < 0 else first
                count += 1
            else:
                middle = (start + stop) // 2
                stack += [(middle, stop), (start, middle)]
    return first, count


def conversion(found: pa.DataType, promised: Type) -> Convert | None:
    """How an array of `found` becomes `promised` without loss; None when it already is; raises when it cannot."""
    match promised:
        case Struct():
            return _struct(found, promised)
        case ListOf():
            return _list(found, promised)
        case MapOf():
            return _map(found, promised)
        case Scalar():
            return _scalar(found, promised)


def _scalar(found: Any, promised: Scalar) -> Convert | None:
    import pyarrow as pa
    from pyarrow import types as t

    target = arrow_type(promised)
    if found == target:
        return None
    if t.is_dictionary(found):
        rest = _scalar(found.value_type, promised)
        return lambda array: array.dictionary_decode() if rest is None else rest(array.dictionary_decode())
    if t.is_null(found):
        return lambda array: array.cast(target)
    name, kind = promised.name, str(found)
    integer = kind in _INTEGERS
    whole_decimal = t.is_decimal(found)
    plain = (
        (name in ("int32", "int64") and (integer or whole_decimal))
        or (name == "decimal" and (integer or whole_decimal))
        or (name == "string" and (t.is_large_string(found) or t.is_string_view(found)))
        or (name == "binary" and (t.is_large_binary(found) or t.is_binary_view(found) or t.is_fixed_size_binary(found)))
        or (name == "time" and t.is_time(found))
        or (name == "date" and t.is_date64(found))
        or (name in ("timestamp",) and t.is_timestamp(found) and found.tz is None)
        or (name == "timestamptz" and t.is_timestamp(found) and found.tz is not None)
        or (name == "timestamp" and t.is_date32(found))
    )
    if plain:
        if name == "decimal" and integer:
            # Arrow sizes an integer's decimal by the integer's type, not by its values: go by the widest decimal
            return lambda array: array.cast(pa.decimal128(38, 0)).cast(target)
        if name in ("int32", "int64") and whole_decimal:
            return lambda array: array.cast(pa.decimal128(38, 0)).cast(target)
        return lambda array: array.cast(target)
    if name in ("float32", "float64") and integer:
        return lambda array: _same(array, array.cast(target), lambda back: back.cast(found))
    floating = name in ("float32", "float64")
    if name == "float64" and t.is_floating(found):
        return lambda array: array.cast(target)
    if (floating and (whole_decimal or t.is_floating(found))) or (name == "decimal" and t.is_floating(found)):
        return lambda array: _same(array, array.cast(target, safe=not floating), lambda back: back.cast(found))
    if name in ("int32", "int64") and t.is_floating(found):
        return lambda array: array.cast(target)
    if name == "date" and t.is_timestamp(found) and found.tz is None:
        return lambda array: _same(array, array.cast(target, safe=False), lambda back: back.cast(found))
    if name == "uuid" and (t.is_string(found) or t.is_large_string(found) or t.is_string_view(found)):
        return _uuid
    if name == "uuid" and t.is_fixed_size_binary(found) and found.byte_width == 16:
        return lambda array: pa.ExtensionArray.from_storage(pa.uuid(), array)
    raise _CannotBecome


def _same(array: Array, cast: Array, back: Convert) -> Array:
    """`cast`, if casting it back gives `array` again; a lost digit is a loss. NaN is equal to NaN here."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        again = back(cast)
    except pa.ArrowInvalid:
        raise _Loses from None
    equal = pc.equal(array, again)
    if pa.types.is_floating(array.type):
        equal = pc.or_(equal, pc.and_(pc.is_nan(array), pc.is_nan(again)))
    if pc.all(equal, min_count=0).as_py() is False:
        raise _Loses
    return cast


def _uuid(array: Array) -> Array:
    import uuid

    import pyarrow as pa

    try:
        raw = [None if text is None else uuid.UUID(text).bytes for text in array.to_pylist()]
    except ValueError:
        raise _Loses from None
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(raw, pa.binary(16)))


def _struct(found: Any, promised: Struct) -> Convert | None:
    import pyarrow as pa

    target = arrow_type(promised)
    if found == target and not any(f.required for f in promised.fields):
        return None
    if not pa.types.is_struct(found):
        raise _CannotBecome
    index = {found.field(i).name.lower(): i for i in range(found.num_fields)}
    if index.keys() != {f.name.lower() for f in promised.fields}:
        raise _CannotBecome
    plan = []
    for part in promised.fields:
        i = index[part.name.lower()]
        plan.append((i, part, conversion(found.field(i).type, part.type)))

    def convert(array: Array) -> Array:
        children = array.flatten()  # carries the struct's offset and its own nulls down
        out = []
        for i, part, inner in plan:
            child = children[i]
            if part.required and child.null_count > array.null_count:
                raise _Loses
            out.append(child if inner is None else inner(child))
        fields = [target.field(i) for i in range(target.num_fields)]
        return pa.StructArray.from_arrays(out, fields=fields, mask=array.is_null() if array.null_count else None)

    return convert


def _list(found: Any, promised: ListOf) -> Convert | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    t = pa.types
    fixed = t.is_fixed_size_list(found)
    if not (t.is_list(found) or t.is_large_list(found) or fixed):
        raise _CannotBecome
    inner = conversion(found.value_type, promised.element)
    target = arrow_type(promised)
    if inner is None and t.is_list(found):
        return None if found == target else lambda array: array.cast(target)

    def convert(array: Array) -> Array:
        if not t.is_list(array.type):
            array = array.cast(pa.list_(array.type.value_field))
        values = array.flatten()  # only what the slice holds, nulls skipped
        counts: Array = pc.list_value_length(array)
        lengths: Array = pc.fill_null(counts, 0)
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())])
        mask = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(offsets, values if inner is None else inner(values), type=target, mask=mask)

    return convert


def _map(found: Any, promised: MapOf) -> Convert | None:
    import pyarrow as pa

    if not pa.types.is_map(found):
        raise _CannotBecome
    key, value = conversion(found.key_type, promised.key), conversion(found.item_type, promised.value)
    target = arrow_type(promised)
    if key is None and value is None:
        return None if found == target else lambda array: array.cast(target)

    def convert(array: Array) -> Array:
        # keys and items ignore the slice: cut them to the offsets of what the slice holds
        offsets = array.offsets
        start, stop = offsets[0].as_py(), offsets[-1].as_py()
        keys, items = array.keys, array.items
        if len(keys) != stop - start:
            keys, items = keys.slice(start, stop - start), items.slice(start, stop - start)
        moved: Array = pa.array([o - start for o in offsets.to_pylist()], pa.int32())
        maps: Any = pa.MapArray
        return maps.from_arrays(
            moved,
            keys if key is None else key(keys),
            items if value is None else value(items),
            type=target,
            mask=array.is_null() if array.null_count else None,
        )

    return convert
