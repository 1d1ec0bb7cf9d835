"""Lineage: which tables a transform reads and which of their columns each of its own is made of. Never security."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hanse.names import ProductId, TableId
from hanse.spec.model import Project, Table, Transform

Address = tuple[str, ...]  # as SQL writes it, lowered: (domain, product_v1, table); a source is (name,)
Origins = frozenset[tuple[Address, str]]


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a table is made of. Origins of None are unknown: count the column as made of everything."""

    tables: frozenset[Address]
    columns: Mapping[str, Origins | None]


def sql_lineage(sql: str, schemas: Mapping[Address, Sequence[str]]) -> Lineage:
    """The lineage of one SELECT; `schemas` tell the columns of the tables that are known. Raises nothing.

    What cannot be read has no tables and no columns, so that every column counts as unknown.
    """
    return _sql_lineage(sql, tuple(sorted((address, tuple(columns)) for address, columns in schemas.items())))


@lru_cache(maxsize=1024)
def _sql_lineage(sql: str, schemas: tuple[tuple[Address, tuple[str, ...]], ...]) -> Lineage:
    import sqlglot
    from sqlglot.errors import SqlglotError

    known = dict(schemas)
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
        renamed = _flattened(tree)
    except (SqlglotError, RecursionError):
        return Lineage(frozenset(), {})
    tables = frozenset(renamed.values())
    try:
        columns = _columns(tree, renamed, known)
    except (SqlglotError, RecursionError, KeyError, ValueError, AttributeError):
        columns = {}
    return Lineage(tables, columns)


def _flattened(tree: Any) -> dict[str, Address]:
    """Give every table of `tree` a flat name of its own, its alias kept; returns what each stands for."""
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    # a table is a CTE only where that CTE is in scope
    ctes = {
        id(table)
        for scope in traverse_scope(tree)
        for table in scope.tables
        if not table.db and table.name in scope.cte_sources
    }
    names: dict[Address, str] = {}
    for table in list(tree.find_all(exp.Table)):
        if id(table) in ctes or not isinstance(table.this, exp.Identifier):
            continue
        address = tuple(part.lower() for part in (table.catalog, table.db, table.name) if part)
        flat = names.setdefault(address, f"t{len(names)}")
        alias = table.alias or table.name
        table.set("this", exp.to_identifier(flat))
        table.set("db", None)
        table.set("catalog", None)
        table.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
    return {flat: address for address, flat in names.items()}


def _columns(tree: Any, renamed: Mapping[str, Address], known: Mapping[Address, Sequence[str]]) -> dict[str, Any]:
    from sqlglot import exp
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    if tree.find(exp.Columns, exp.Pivot) is not None or _whole_rows(tree, known):
        return {}
    schema: dict[str, object] = {
        flat: {c.lower(): "unknown" for c in known[a]} for flat, a in renamed.items() if a in known
    }
    spelled = {(a, c.lower()): c for a, columns in known.items() for c in columns}
    qualified = qualify(
        tree,
        dialect="duckdb",
        schema=schema or None,
        validate_qualify_columns=False,
        identify=False,
        quote_identifiers=False,
    )
    if any(select.is_star or not select.alias_or_name for select in qualified.selects):
        return {}  # a star that could not be expanded: nothing is known of any column
    nodes = lineage(None, qualified, schema, scope=build_scope(qualified), dialect="duckdb", copy=False)
    return {name.lower(): _origins(node, renamed, spelled) for name, node in nodes.items()}


def _whole_rows(tree: Any, known: Mapping[Address, Sequence[str]]) -> bool:
    """Whether a table's name stands where a column would: `SELECT o FROM orders o` is a struct of all columns."""
    from sqlglot import exp

    columns = {column.lower() for listed in known.values() for column in listed}
    sources = {table.alias_or_name.lower() for table in tree.find_all(exp.Table, exp.Subquery)}
    # sqlglot itself may have understood it: then it is a node of its own
    named = {column.name.lower() for column in tree.find_all(exp.Column) if not column.table}
    return tree.find(exp.TableColumn) is not None or bool((named & sources) - columns)


def _origins(node: Any, renamed: Mapping[str, Address], spelled: Mapping[tuple[Address, str], str]) -> Origins | None:
    """The columns of tables at the ends of a column's lineage; None when one of the ends is something else."""
    from sqlglot import exp

    origins = set()
    for leaf in node.walk():
        if leaf.downstream:
            continue
        if isinstance(leaf.expression, exp.Table):
            address, column = renamed.get(leaf.expression.name), leaf.name.rpartition(".")[2].strip('"').lower()
            if address is None or column == "*":
                return None
            origins.add((address, spelled.get((address, column), column)))
        elif isinstance(leaf.expression, exp.Placeholder) or leaf.expression.find(exp.Column):
            return None
    return frozenset(origins)


def product_lineage(project: Project, product: ProductId) -> dict[TableId, Lineage]:
    """The lineage of every table that the product's build.yaml makes, with all columns that its contracts promise."""
    files = project.products.get(product)
    if files is None or files.build is None:
        return {}
    promised = files.tables
    out = {}
    for transform in files.build.transforms:
        id = TableId(product, transform.major, transform.table)
        table = promised.get(id)
        if table is not None:
            out[id] = _of(project, transform, table)
    return out


def _of(project: Project, transform: Transform, table: Table) -> Lineage:
    if transform.language == "python":
        return _python(transform, table)
    found = sql_lineage(transform.code, dict(_schemas(project, _mentioned(transform.code))))
    return Lineage(found.tables, {c.name: found.columns.get(c.name.lower()) for c in table.columns})


def _mentioned(sql: str) -> frozenset[Address]:
    return sql_lineage(sql, {}).tables


def _schemas(project: Project, tables: Iterable[Address]) -> Iterable[tuple[Address, tuple[str, ...]]]:
    for address in tables:
        id = table_of(project, address)
        if id is not None:
            yield address, tuple(c.name for c in project.products[id.product].tables[id].columns)


def _python(transform: Transform, table: Table) -> Lineage:
    """Every column is made of all columns that the transform is given, unless `lineage` says less."""
    addresses = {
        name: tuple(part.lower() for part in transform.origins.get(name, name).split(".")) for name in transform.inputs
    }
    everything = frozenset((addresses[name], c) for name, columns in transform.inputs.items() for c in columns)
    stated = {column.lower(): origins for column, origins in (transform.lineage or {}).items()}
    columns: dict[str, Origins | None] = {}
    for column in table.columns:
        origins = stated.get(column.name.lower())
        if origins is None:
            columns[column.name] = everything
            continue
        pairs = [origin.partition(".") for origin in origins]
        named = frozenset((addresses[name], c) for name, _, c in pairs if name in addresses)
        # a name that is no input, or a column that it is not given, makes the statement worthless
        columns[column.name] = named if len(named) == len(set(origins)) and named <= everything else None
    return Lineage(frozenset(addresses.values()), columns)


def table_of(project: Project, address: Address) -> TableId | None:
    """The table of the project at `address` (`domain, product_v1[, table]`); None for what the project does not hold.

    Without a table the main table is meant: the one named like the product, else the first.
    """
    if len(address) not in (2, 3):
        return None
    stem, _, digits = address[1].rpartition("_v")
    pinned = bool(stem) and digits.isdigit()
    files = project.products.get(ProductId(address[0], stem if pinned else address[1]))
    if files is None:
        return None
    tables = [id for id in files.tables if not pinned or id.major == int(digits)]
    if not pinned and tables:
        first = min(id.major for id in tables)
        tables = [id for id in tables if id.major == first]
    if len(address) == 3:
        return next((id for id in tables if id.table == address[2]), None)
    return next((id for id in tables if id.table == files.product.id.name), tables[0] if tables else None)
