"""Values as the store keeps them: canonical JSON and sortable instants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hanse.engine.snapshot import DataFile, LineSnapshot, StoredColumn, TableSnapshot
from hanse.governance.chain import canonical
from hanse.names import PortLine, ProductId
from hanse.node.home.values import LineRecord
from hanse.spec.types import Field, ListOf, MapOf, Scalar, Struct, Type


def text(value: Any) -> str:
    """`value` as canonical JSON."""
    return canonical(value).decode()


def instant(at: datetime) -> str:
    """`at` as a text of fixed width in UTC: such texts sort as the instants do."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """The instant that `instant` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def _type(type_: Type) -> Any:
    match type_:
        case Scalar(name, None, None):
            return name
        case Scalar(name, precision, scale):
            return [name, precision, scale]
        case Struct(fields):
            return {"struct": [[f.name, _type(f.type), f.required] for f in fields]}
        case ListOf(element):
            return {"list": _type(element)}
        case MapOf(key, value):
            return {"map": [_type(key), _type(value)]}


def _read_type(value: Any) -> Type:
    match value:
        case str():
            return Scalar(value)
        case [name, precision, scale]:
            return Scalar(name, precision, scale)
        case {"struct": fields}:
            return Struct(tuple(Field(name, _read_type(kind), required) for name, kind, required in fields))
        case {"list": element}:
            return ListOf(_read_type(element))
        case {"map": [key, kind]}:
            return MapOf(_read_type(key), _read_type(kind))
    raise ValueError("a type is damaged")


def snapshot(value: LineSnapshot) -> dict[str, Any]:
    """A snapshot as JSON can say it."""
    return {
        "fingerprint": value.fingerprint,
        "tables": {
            name: {
                "iceberg": table.iceberg_table,
                "snapshot": table.snapshot_id,
                "schema": table.schema_id,
                "rows": table.rows,
                "columns": [[c.name, c.field_id, _type(c.type), c.required] for c in table.columns],
                "files": [[f.path, f.size, f.sha256, f.rows] for f in table.files],
            }
            for name, table in value.tables.items()
        },
    }


def read_snapshot(value: Mapping[str, Any]) -> LineSnapshot:
    """The snapshot that `snapshot` wrote."""
    return LineSnapshot(
        {
            name: TableSnapshot(
                name,
                table["iceberg"],
                table["snapshot"],
                table["schema"],
                tuple(StoredColumn(n, i, _read_type(t), r) for n, i, t, r in table["columns"]),
                tuple(DataFile(p, s, h, r) for p, s, h, r in table["files"]),
                table["rows"],
            )
            for name, table in value["tables"].items()
        },
        value["fingerprint"],
    )


def lines(records: tuple[LineRecord, ...]) -> str:
    """The port lines of a publication."""
    return text(
        [
            {
                "port": one.line.port,
                "major": one.line.major,
                "version": one.version,
                "contract": one.contract_file,
                "snapshot": snapshot(one.snapshot),
            }
            for one in records
        ]
    )


def read_lines(product: ProductId, value: str) -> tuple[LineRecord, ...]:
    """The port lines that `lines` wrote."""
    return tuple(
        LineRecord(
            PortLine(product, one["port"], one["major"]),
            one["version"],
            one["contract"],
            read_snapshot(one["snapshot"]),
        )
        for one in json.loads(value)
    )
