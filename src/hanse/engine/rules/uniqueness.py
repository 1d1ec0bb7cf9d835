"""How many rows repeat a key, exactly, by the cheapest way that the key's type and range allow.

A hash table of all keys is over half of the cost of a contract test at ten million rows. Integers in a bounded range
are counted in a bitmap instead (one bit a value); other keys are first counted by their 64-bit hash: as many hashes as
keys proves that no key repeats, and only else are the keys themselves compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hanse.engine.rules.model import Duplicates, Relation

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_BITS = 1 << 28  # 32 MiB a thread
BITS_A_ROW = 64  # a sparser bitmap costs more than a hash table
LEAST_BITS = 1 << 16


def bounds(connection: DuckDBPyConnection, relation: str, keys: Sequence[str]) -> Mapping[str, tuple[int, int]]:
    """The least and greatest value of each of `keys` (SQL of integers) that has one; from statistics where they are."""
    listed = ", ".join(f"min({key}), max({key})" for key in keys)
    row = connection.execute(f"SELECT {listed} FROM {relation}").fetchone() or ()
    pairs = zip(keys, row[::2], row[1::2], strict=False)
    return {key: (int(low), int(high)) for key, low, high in pairs if low is not None}


def bitmap(key: str, bound: tuple[int, int] | None, rows: int | None) -> str | None:
    """An aggregate that counts the distinct values of an integer `key`, or None when the range is too wide for it."""
    if bound is None:
        return None
    low, high = bound
    size = high - low + 1
    if size > MOST_BITS or (rows is not None and size > max(LEAST_BITS, BITS_A_ROW * rows)):
        return None
    return f"bit_count(bitstring_agg({key}, {low}, {high}))"


def surplus(connection: DuckDBPyConnection, relation: Relation, measure: Duplicates, rows: int | None) -> int:
    """How many rows could go without any key going; rows with a null in the key are no one's repetition."""
    if measure.integral:
        key = measure.keys[0]
        sql = bitmap(key, bounds(connection, relation.sql, [key]).get(key), rows)
        if sql is not None:
            present, distinct = _row(connection, f"SELECT count({key}), {sql} FROM {relation.sql}")
            return present - distinct
    keys = ", ".join(measure.keys)
    present_sql = " AND ".join(f"{key} IS NOT NULL" for key in measure.keys)
    if not (measure.integral or rows is None or rows < LEAST_BITS):
        hashes = f"SELECT count(*) AS c FROM {relation.sql} WHERE {present_sql} GROUP BY hash({keys})"
        groups, total = _row(connection, f"SELECT count(*), coalesce(sum(c), 0) FROM ({hashes})")
        if groups == total:
            return 0
    grouped = f"SELECT count(*) AS c FROM {relation.sql} WHERE {present_sql} GROUP BY {keys} HAVING count(*) > 1"
    return _row(connection, f"SELECT coalesce(sum(c - 1), 0), count(*) FROM ({grouped})")[0]


def _row(connection: DuckDBPyConnection, sql: str) -> tuple[int, int]:
    first, second = connection.execute(sql).fetchone() or (0, 0)
    return int(first or 0), int(second or 0)
