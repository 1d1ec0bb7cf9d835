"""Published tables for tests of the query path: real Parquet with field ids, snapshots, facts and decisions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hanse.engine.engine import Input
from hanse.engine.snapshot import DataFile, StoredColumn, TableSnapshot
from hanse.governance.decision import (
    Clear,
    ColumnFacts,
    ColumnPath,
    ColumnView,
    Decision,
    RowRule,
    TableFacts,
)
from hanse.names import ProductId, TableId
from hanse.spec.types import Field, ListOf, MapOf, Scalar, Struct, Type, walk

KEY = b"a key of a home, 32 bytes long!!"


def type_of(arrow: pa.DataType) -> Type:
    """The contract's type of an Arrow type that these tests use."""
    if pa.types.is_struct(arrow):
        return Struct(tuple(Field(f.name, type_of(f.type)) for f in arrow))
    if pa.types.is_list(arrow):
        return ListOf(type_of(arrow.value_type))
    if pa.types.is_map(arrow):
        return MapOf(type_of(arrow.key_type), type_of(arrow.item_type))
    if pa.types.is_decimal(arrow):
        return Scalar("decimal", arrow.precision, arrow.scale)
    names = {
        pa.bool_(): "boolean", pa.int32(): "int32", pa.int64(): "int64", pa.float32(): "float32",
        pa.float64(): "float64", pa.string(): "string", pa.binary(): "binary", pa.date32(): "date",
        pa.time64("us"): "time", pa.timestamp("us"): "timestamp", pa.timestamp("us", tz="UTC"): "timestamptz",
    }  # fmt: skip
    return Scalar(names[arrow])


def publish(home: Path, address: str, data: pa.Table, *, snapshot: int = 1) -> tuple[TableFacts, TableSnapshot]:
    """`data` as a table of `domain.product[.table]` in the home at `home`: its facts and its snapshot."""
    domain, product, *rest = address.split(".")
    table = rest[0] if rest else product
    schema = pa.schema([f.with_metadata({b"PARQUET:field_id": str(i).encode()}) for i, f in enumerate(data.schema, 1)])
    path = Path(domain) / product / table / f"0-{snapshot}.parquet"  # schema 0, as the storage names its files
    (home / path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(data.cast(schema), home / path)
    raw = (home / path).read_bytes()
    columns = tuple(StoredColumn(f.name, i, type_of(f.type), False) for i, f in enumerate(data.schema, 1))
    file = DataFile(str(path), len(raw), hashlib.sha256(raw).hexdigest(), data.num_rows)
    stored = TableSnapshot(table, f"{domain}.{product}.{table}", snapshot, 0, columns, (file,), data.num_rows)
    facts = TableFacts(
        TableId(ProductId(domain, product), 1, table),
        tuple(ColumnFacts((c.name, *below), type_, "internal") for c in columns for below, type_ in walk(c.type)),
        "request",
        "active",
        f"team_{domain}",
    )
    return facts, stored


def decided(
    facts: TableFacts, *, views: Mapping[ColumnPath, ColumnView] | None = None, rows: Sequence[RowRule] = ()
) -> Decision:
    """Allowed: every column clear but for `views`, rows as `rows` say."""
    columns: dict[ColumnPath, ColumnView] = {c.path: Clear() for c in facts.columns}
    columns.update(views or {})
    return Decision(facts.id, True, True, "", "test", rows=tuple(rows), columns=columns)


def given(
    home: Path, address: str, published: tuple[TableFacts, TableSnapshot], decision: Decision | None = None, **more: Any
) -> Input:
    """The input of a question that calls the table `address`."""
    facts, stored = published
    return Input(
        name=tuple(address.split(".")),
        facts=facts,
        snapshot=stored,
        decision=decision or decided(facts),
        warehouse=home,
        copies=home / "copies",
        mask_key=KEY,
        **more,
    )
