"""The files of a new product as texts, from what was counted; no value enters them but short lists of words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hanse.names import ProductId, quote
from hanse.spec.checks.proposed import PROPERTY
from hanse.spec.plain import dump
from hanse.spec.sensitive import reason
from hanse.spec.types import ListOf, MapOf, Scalar, Struct, Type

SENSITIVE, ORDINARY = "restricted", "internal"
# words that DuckDB's SQL keeps for itself
_RESERVED = frozenset((
    "all", "alter", "analyse", "analyze", "and", "anti", "any", "array", "as", "asc", "asof", "asymmetric", "at",
    "authorization", "between", "binary", "both", "by", "case", "cast", "check", "collate", "collation", "column",
    "concurrently", "constraint", "create", "cross", "default", "deferrable", "desc", "describe", "distinct", "do",
    "drop", "else", "end", "except", "false", "fetch", "for", "force", "foreign", "freeze", "from", "full", "glob",
    "grant", "group", "having", "ilike", "in", "initially", "inner", "insert", "install", "intersect", "into", "is",
    "isnull", "join", "lambda", "lateral", "leading", "left", "like", "limit", "map", "natural", "not", "notnull",
    "null", "offset", "on", "only", "or", "order", "outer", "overlaps", "pivot", "pivot_longer", "pivot_wider",
    "placing", "positional", "primary", "qualify", "references", "returning", "revoke", "right", "rollback",
    "select", "semi", "show", "similar", "some", "summarize", "symmetric", "table", "tablesample", "then", "to",
    "trailing", "true", "union", "unique", "unpack", "unpivot", "using", "variadic", "verbose", "when", "where",
    "window", "with",
))  # fmt: skip
_PLAIN = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_LOGICAL = {
    "boolean": ("boolean", "BOOLEAN"), "int32": ("integer", "INTEGER"), "int64": ("integer", "BIGINT"),
    "float32": ("number", "FLOAT"), "float64": ("number", "DOUBLE"), "string": ("string", "VARCHAR"),
    "binary": ("string", "BLOB"), "uuid": ("string", "UUID"), "date": ("date", "DATE"), "time": ("time", "TIME"),
    "timestamp": ("timestamp", "TIMESTAMP"), "timestamptz": ("timestamp", "TIMESTAMPTZ"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column to promise; `words` are all that it may hold, `cast` what the transform turns it into first."""

    name: str
    type: Type
    required: bool = False
    words: tuple[str, ...] = ()
    shapes: Mapping[str, float] = field(default_factory=dict)
    cast: str | None = None


@dataclass(frozen=True, slots=True)
class NewTable:
    """A table, its columns in order, the columns of its key, and the source that its rows come from."""

    name: str
    columns: Sequence[NewColumn]
    source: Mapping[str, Any]
    key: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class NewProduct:
    """What is known of a product to come; texts that only a person knows may be empty, and the plan asks for them."""

    id: ProductId
    team: str
    title: str
    purpose: str
    support: str
    kind: str  # source-aligned …, as ODPS's `type`
    access: str
    tables: Sequence[NewTable]
    classes: tuple[str, str] = (ORDINARY, SENSITIVE)


@dataclass(frozen=True, slots=True)
class GivenContract:
    """A contract that is there already: its text is taken over, to the byte."""

    id: str
    version: str
    text: str


def proposals(columns: Sequence[NewColumn]) -> dict[str, str]:
    """Column → why it is proposed the strict class; the others are proposed the ordinary one."""
    return {column.name: why for column in columns if (why := reason(column.name, column.shapes)) is not None}


def texts(new: NewProduct, folder: str, given: GivenContract | None = None) -> dict[str, str]:
    """Path → text of every file of the product; the descriptor is the last, since with it `folder` is a product."""
    name = new.id.name
    promised = given or GivenContract(f"{new.id.domain}.{name}.v1", "1.0.0", contract(new))
    major = promised.version.partition(".")[0]
    alone = len(new.tables) == 1
    sources = {"raw" if alone else f"raw_{table.name}": dict(table.source) for table in new.tables}
    return {
        f"{folder}/{name}.v{major}.odcs.yaml": promised.text,
        **{
            f"{folder}/{table.name}.sql": _select(table, source)
            for table, source in zip(new.tables, sources, strict=True)
        },
        f"{folder}/build.yaml": dump(
            {"sources": sources, "tables": {table.name: {"sql": f"{table.name}.sql"} for table in new.tables}}
        ),
        f"{folder}/{name}.odps.yaml": _descriptor(new, promised),
    }


def _descriptor(new: NewProduct, promised: GivenContract) -> str:
    name = new.id.name
    tree: dict[str, Any] = {
        "apiVersion": "v1.1.0",
        "kind": "DataProduct",
        "id": f"{new.id.domain}.{name}",
        "name": new.title,
        "version": promised.version,
        "status": "active",
        "domain": new.id.domain,
        "type": new.kind,
    }
    if new.purpose:
        tree["description"] = {"purpose": new.purpose}
    tree["outputPorts"] = [{"name": name, "version": promised.version, "contractId": promised.id}]
    if new.support:
        tree["support"] = [{"channel": f"team-{new.team}", "url": new.support}]
    tree["team"] = {"name": new.team}
    tree["customProperties"] = [{"property": "access", "value": new.access, "vendor": "hanse"}]
    return dump(tree)


def contract(new: NewProduct) -> str:
    """The contract of its tables, with the proposed classes marked as such."""
    why = {f"{table.name}.{name}": said for table in new.tables for name, said in proposals(table.columns).items()}
    told = "; ".join(f"{name}: {said}" for name, said in why.items()) or "no column looks like it needs another"
    ordinary, sensitive = new.classes
    tree: dict[str, Any] = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": f"{new.id.domain}.{new.id.name}.v1",
        "name": new.id.name,
        "version": "1.0.0",
        "status": "active",
        "domain": new.id.domain,
        "dataProduct": new.id.name,
        "schema": [_table(table, new) for table in new.tables],
        "team": {"name": new.team},
        "customProperties": [
            {
                "property": PROPERTY,
                "value": f"{sensitive} where a column may tell of a person or a secret, else {ordinary}. {told}",
                "vendor": "hanse",
            }
        ],
    }
    return (
        "# The classifications are proposed. Look at each, then delete the entry classificationProposed at the end:\n"
        "# publishing waits for it.\n" + dump(tree)
    )


def _table(table: NewTable, new: NewProduct) -> dict[str, Any]:
    why, (ordinary, sensitive) = proposals(table.columns), new.classes
    properties = []
    for column in table.columns:
        told = {"name": column.name, **typed(column.type)}
        told["classification"] = sensitive if column.name in why else ordinary
        if column.required:
            told["required"] = True
        if column.name in table.key:
            told |= {"primaryKey": True, "primaryKeyPosition": list(table.key).index(column.name) + 1}
        if column.words and column.name not in why:
            told["enum"] = [{"value": word} for word in column.words]
        properties.append(told)
    return {"name": table.name, "logicalType": "object", "physicalType": "table", "properties": properties}


def typed(type_: Type) -> dict[str, Any]:
    """The words by which ODCS says a type."""
    match type_:
        case Struct(fields):
            return {
                "logicalType": "object",
                "properties": [
                    {"name": f.name, **typed(f.type), **({"required": True} if f.required else {})} for f in fields
                ],
            }
        case ListOf(element):
            return {"logicalType": "array", "items": typed(element)}
        case MapOf(key, value):
            return {"logicalType": "map", "map": {"key": typed(key), "value": typed(value)}}
        case Scalar("decimal", precision, scale):
            return {"logicalType": "number", "physicalType": f"DECIMAL({precision},{scale})"}
        case Scalar(name):
            logical, physical = _LOGICAL[name]
            return {"logicalType": logical, "physicalType": physical}


def _select(table: NewTable, source: str) -> str:
    shown = [
        f"CAST({shown_name(c.name)} AS {c.cast}) AS {shown_name(c.name)}" if c.cast else shown_name(c.name)
        for c in table.columns
    ]
    return "SELECT\n  " + ",\n  ".join(shown) + f"\nFROM {source}\n"


def shown_name(name: str) -> str:
    """`name` in SQL, quoted where it has to be; a word that SQL might keep for itself is quoted too."""
    return name if _PLAIN.fullmatch(name) and name not in _RESERVED else quote(name)
