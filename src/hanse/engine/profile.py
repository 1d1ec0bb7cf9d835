"""What a table looks like, counted over all of its rows: types, nulls, keys, short lists of words, shapes of texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from hanse.names import literal, quote
from hanse.spec.types import Field, ListOf, MapOf, Scalar, Struct, Type

if TYPE_CHECKING:
    import duckdb

MEMORY = "1GB"
_WORDS = 12  # distinct values that a column of words has at most
_EACH = 5  # times that each of them is there at least
_LEAST_ROWS = 50  # below them nothing is said of words
_WORD = r"[A-Za-z0-9 _./-]{1,24}"
_PAIRS = 10  # that are counted, at most
# shapes of texts that stand for people or secrets; RE2
SHAPES: Mapping[str, str] = {
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "phone": r"\+?[0-9][0-9 ()/.-]{6,18}[0-9]",
    "iban": r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}",
    "ip": r"([0-9]{1,3}\.){3}[0-9]{1,3}|([0-9a-fA-F]{1,4}:){2,7}[0-9a-fA-F]{0,4}",
    "card": r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{1,7}",
}


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """A column: its type, how many rows lack it, its few words (empty: not of few words), the share of each shape."""

    name: str
    type: Type
    nulls: int
    words: tuple[str, ...] = ()
    shapes: Mapping[str, float] = field(default_factory=dict)
    cast: str | None = None  # what its values must be cast to, since no contract has its own type


@dataclass(frozen=True, slots=True)
class Profile:
    """A table: how many rows, its columns in order, and the columns that tell its rows apart (empty: none found)."""

    rows: int
    columns: tuple[ColumnProfile, ...]
    key: tuple[str, ...] = ()


def profile(scan: str) -> Profile:
    """The profile of what the DuckDB table function `scan` reads, in bounded memory; raises what DuckDB does."""
    with _engine() as engine:
        schema = engine.sql(f"SELECT * FROM {scan} LIMIT 0").to_arrow_table().schema
        told = [of_arrow(part.type) for part in schema]
        names = [str(part.name) for part in schema]
        counts = _counted(engine, scan, names, told)
        rows = int(counts[0])
        columns = []
        near: dict[str, int] = {}
        at = 1
        for name, (type_, cast) in zip(names, told, strict=True):
            nulls, distinct = int(counts[at]), int(counts[at + 1])
            at += 2
            near[name] = distinct if nulls == 0 else 0
            shapes: dict[str, float] = {}
            if type_ == Scalar("string"):
                there = max(rows - nulls, 1)
                shapes = {shape: counts[at + i] / there for i, shape in enumerate(SHAPES) if counts[at + i]}
                at += len(SHAPES)
            columns.append(ColumnProfile(name, type_, nulls, (), shapes, cast))
        words = _words(engine, scan, columns, rows, near)
        whole = tuple(replace(column, words=words.get(column.name, ())) for column in columns)
        return Profile(rows, whole, _key(engine, scan, whole, rows, near))


def _engine() -> duckdb.DuckDBPyConnection:
    import duckdb

    engine = duckdb.connect(config={"memory_limit": MEMORY, "allow_community_extensions": "false"})
    engine.execute("SET preserve_insertion_order = false; SET arrow_lossless_conversion = true")
    return engine


def types(scan: str) -> dict[str, Type]:
    """Column → type of what the DuckDB table function `scan` reads; no row is read."""
    with _engine() as engine:
        schema = engine.sql(f"SELECT * FROM {scan} LIMIT 0").to_arrow_table().schema
    return {str(part.name): of_arrow(part.type)[0] for part in schema}


def _counted(
    engine: duckdb.DuckDBPyConnection, scan: str, names: Sequence[str], types: Sequence[tuple[Type, str | None]]
) -> tuple[Any, ...]:
    """One scan: rows, and for each column its nulls, about how many values, and how many have each shape."""
    wanted = ["count(*)"]
    for name, (type_, _) in zip(names, types, strict=True):
        column = quote(name)
        distinct = f"approx_count_distinct({column})" if isinstance(type_, Scalar) else "0"
        wanted += [f"count(*) - count({column})", distinct]
        if type_ == Scalar("string"):
            said = f"CAST({column} AS VARCHAR)"
            wanted += [
                f"count(*) FILTER (WHERE regexp_full_match({said}, {literal(shape)}))" for shape in SHAPES.values()
            ]
    return tuple(engine.execute(f"SELECT {', '.join(wanted)} FROM {scan}").fetchall()[0])


def _words(
    engine: duckdb.DuckDBPyConnection,
    scan: str,
    columns: Sequence[ColumnProfile],
    rows: int,
    near: Mapping[str, int],
) -> dict[str, tuple[str, ...]]:
    """The values of columns without nulls that hold few words again and again, over all rows."""
    found: dict[str, tuple[str, ...]] = {}
    if rows < _LEAST_ROWS:
        return found
    for column in columns:
        if column.type != Scalar("string") or not 0 < near[column.name] <= 2 * _WORDS:
            continue
        name = quote(column.name)
        counted = engine.execute(
            f"SELECT CAST({name} AS VARCHAR), count(*) FROM {scan} GROUP BY 1 ORDER BY 1 LIMIT {_WORDS + 1}"
        ).fetchall()
        plain = engine.execute(
            f"SELECT count(*) FROM {scan} WHERE NOT regexp_full_match(CAST({name} AS VARCHAR), {literal(_WORD)})"
        ).fetchone()
        if len(counted) <= _WORDS and plain == (0,) and all(count >= _EACH for _, count in counted):
            found[column.name] = tuple(value for value, _ in counted)
    return found


def _key(
    engine: duckdb.DuckDBPyConnection,
    scan: str,
    columns: Sequence[ColumnProfile],
    rows: int,
    near: Mapping[str, int],
) -> tuple[str, ...]:
    """The first columns, by how much they look like a key, that are proved to tell every row apart."""
    if rows < 2:
        return ()
    likely = [c for c in columns if c.nulls == 0 and isinstance(c.type, Scalar) and not _measures(c.type)]
    likely.sort(key=lambda column: not _named_key(column.name))
    # what is counted roughly is off by a few percent
    for column in likely:
        if near[column.name] >= rows * 0.8 and _apart(engine, scan, (column.name,), rows):
            return (column.name,)
    pairs = ((a, b) for a, b in combinations(likely, 2) if near[a.name] * near[b.name] >= rows)
    for _, (first, second) in zip(range(_PAIRS), pairs, strict=False):
        if _apart(engine, scan, (first.name, second.name), rows):
            return (first.name, second.name)
    return ()


def _apart(engine: duckdb.DuckDBPyConnection, scan: str, names: Sequence[str], rows: int) -> bool:
    columns = ", ".join(map(quote, names))
    found = engine.execute(f"SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {scan})").fetchall()
    return bool(found == [(rows,)])


def _named_key(name: str) -> bool:
    low = name.lower()
    return low in ("id", "key", "code", "uuid") or low.endswith(("_id", "_key", "_code", "_no", "id", "number"))


def _measures(type_: Scalar) -> bool:
    return type_.name in ("float32", "float64", "boolean", "binary") or (type_.name == "decimal" and bool(type_.scale))


def of_arrow(type_: Any) -> tuple[Type, str | None]:
    """The contract type that holds values of an Arrow type, and what they are to be cast to first, if anything."""
    import pyarrow as pa

    whole = type_
    if pa.types.is_dictionary(type_):
        whole = type_.value_type
    if pa.types.is_struct(whole):
        return Struct(tuple(Field(part.name, of_arrow(part.type)[0]) for part in whole)), None
    if pa.types.is_list(whole) or pa.types.is_large_list(whole) or pa.types.is_fixed_size_list(whole):
        return ListOf(of_arrow(whole.value_type)[0]), None
    if pa.types.is_map(whole):
        return MapOf(of_arrow(whole.key_type)[0], of_arrow(whole.item_type)[0]), None
    scalar = _scalar(whole)
    return (Scalar("string"), "VARCHAR") if scalar is None else (scalar, None)


def _scalar(type_: Any) -> Scalar | None:
    import pyarrow as pa

    t = pa.types
    if t.is_decimal(type_):
        return Scalar("decimal", type_.precision, type_.scale) if type_.precision <= 38 else None
    if t.is_timestamp(type_):
        return Scalar("timestamptz" if type_.tz else "timestamp")
    if isinstance(type_, pa.UuidType):
        return Scalar("uuid")
    named: Iterator[tuple[bool, Scalar]] = iter(
        (
            (t.is_boolean(type_) or isinstance(type_, pa.Bool8Type), Scalar("boolean")),
            (t.is_uint64(type_), Scalar("decimal", 20, 0)),
            (t.is_int64(type_) or t.is_uint32(type_), Scalar("int64")),
            (t.is_integer(type_), Scalar("int32")),
            (t.is_float32(type_) or t.is_float16(type_), Scalar("float32")),
            (t.is_floating(type_), Scalar("float64")),
            (t.is_string(type_) or t.is_large_string(type_) or t.is_string_view(type_), Scalar("string")),
            (t.is_binary(type_) or t.is_large_binary(type_) or t.is_binary_view(type_), Scalar("binary")),
            (t.is_date(type_), Scalar("date")),
            (t.is_time(type_), Scalar("time")),
        )
    )
    return next((scalar for holds, scalar in named if holds), None)
