"""Lineage: which tables a transform reads and which of their columns each of its own is made of. Never security."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any

from hanse.names import ProductId, TableId
from hanse.spec.model import ProductFiles, Project, Table, Transform

Address = tuple[str, ...]  # as SQL writes it, lowered: (domain, product_v1, table); a source is (name,)
Origins = frozenset[tuple[Address, str]]

# Beyond these a statement counts as not understood: sqlglot's time grows with the square of a tree's depth (a sum of n
# terms is n deep), and a star over a join of stars doubles with each step.
_DEPTH = 1_000
_NODES = 50_000
_WIDTH = 20_000


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a table is made of. Origins of None are unknown: count the column as made of everything."""

    tables: frozenset[Address]
    columns: Mapping[str, Origins | None]
    readable: bool = True  # False: `tables` are all that may be read, since what is read cannot be told


@dataclass(frozen=True, slots=True)
class Reads:
    """The tables that a table is made from. Not `readable`: it cannot be told, and they are all that are declared."""

    tables: frozenset[Address]
    readable: bool = True


def sql_lineage(sql: str, schemas: Mapping[Address, Sequence[str]]) -> Lineage:
    """The lineage of one SELECT; `schemas` tell the columns of the tables that are known. Raises nothing.

    A column is made of what its values come from; what only decides which rows there are (WHERE, ON, GROUP BY) does not
    count. What cannot be read has no tables and no columns, so that every column counts as unknown.
    """
    return _sql_lineage(sql, tuple(sorted((address, tuple(columns)) for address, columns in schemas.items())))


@lru_cache(maxsize=1024)
def _sql_lineage(sql: str, schemas: tuple[tuple[Address, tuple[str, ...]], ...]) -> Lineage:
    read = _flattened(sql)
    if read is None:
        return Lineage(frozenset(), {}, readable=False)
    tree, renamed = read
    try:
        columns = _columns(tree, renamed, dict(schemas))
    except Exception:  # sqlglot fails in many ways on what it does not know; each of them means unknown
        columns = {}
    return Lineage(frozenset(renamed.values()), columns)


@lru_cache(maxsize=1024)
def _mentioned(sql: str) -> Reads:
    read = _flattened(sql)
    return Reads(frozenset(), readable=False) if read is None else Reads(frozenset(read[1].values()))


def _flattened(sql: str) -> tuple[Any, dict[str, Address]] | None:
    """The tree of `sql` with a flat name for every table, and what each stands for; None when it cannot be read."""
    import sqlglot
    from sqlglot import exp

    try:
        # what follows the last semicolon, a comment or nothing, is no statement
        statements = [s for s in sqlglot.parse(sql, dialect="duckdb") if s and not isinstance(s, exp.Semicolon)]
        tree = statements[0] if len(statements) == 1 else None
        if not isinstance(tree, exp.Query) or _too_large(tree) or tree.find(exp.Summarize, exp.Describe) is not None:
            return None
        ctes = _common(tree)
        taken = {identifier.name.lower() for identifier in tree.find_all(exp.Identifier)}
        free = (name for name in (f"t{n}" for n in count()) if name not in taken)
        names: dict[Address, str] = {}
        for table in list(tree.find_all(exp.Table)):
            if id(table) in ctes or not isinstance(table.this, exp.Identifier):
                continue
            address = tuple(part.lower() for part in (table.catalog, table.db, table.name) if part)
            if address not in names:
                names[address] = next(free)
            alias = table.args.get("alias")
            columns = alias.args.get("columns") if alias is not None else None
            alias = exp.to_identifier(table.alias or table.name, quoted=True)
            table.set("this", exp.to_identifier(names[address]))
            table.set("db", None)
            table.set("catalog", None)
            table.set("alias", exp.TableAlias(this=alias, columns=columns))
    except Exception:  # as above
        return None
    return tree, {flat: address for address, flat in names.items()}


def _too_large(tree: Any) -> bool:
    waiting, nodes = [(tree, 0)], 0
    while waiting:
        node, depth = waiting.pop()
        nodes += 1
        if depth > _DEPTH or nodes > _NODES:
            return True
        waiting += [(child, depth + 1) for child in node.iter_expressions()]
    return False


def _common(tree: Any) -> set[int]:
    """The tables of `tree` that are common table expressions: those whose CTE is in scope where they stand."""
    from sqlglot.optimizer.scope import traverse_scope

    found = set()
    for scope in traverse_scope(tree):
        ctes = {name.lower() for name in scope.cte_sources}
        found |= {id(table) for table in scope.tables if not table.db and table.name.lower() in ctes}
    return found


def _columns(tree: Any, renamed: Mapping[str, Address], known: Mapping[Address, Sequence[str]]) -> dict[str, Any]:
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    if _beyond(tree) or _whole_rows(tree, known) or _too_wide(tree, renamed, known):
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
    scope = build_scope(qualified)
    # without `trim_selects` each node keeps the whole SELECT instead of a copy with one column: linear, not quadratic
    nodes = lineage(None, qualified, schema, scope=scope, dialect="duckdb", copy=False, trim_selects=False)
    names = [select.alias_or_name.lower() for select in qualified.selects]
    reader = _Origins(renamed, known, spelled)
    return {
        name.lower(): reader.of(node) if names.count(name.lower()) == 1 else None  # two of one name are told as one
        for name, node in nodes.items()
    }


def _beyond(tree: Any) -> bool:
    """Whether `tree` holds what sqlglot reads, but does not follow as DuckDB does."""
    from sqlglot import exp

    if tree.find(exp.Columns, exp.Pivot, exp.PositionalColumn) is not None:
        return True
    # named windows are not put in their place; BY NAME is matched by position; a recursive CTE reads itself
    if any(select.args.get("windows") for select in tree.find_all(exp.Select)):
        return True
    if any(operation.args.get("by_name") for operation in tree.find_all(exp.SetOperation)):
        return True
    if any(clause.args.get("recursive") for clause in tree.find_all(exp.With)):
        return True
    common = [cte.alias.lower() for cte in tree.find_all(exp.CTE)]
    if len(set(common)) != len(common):
        return True  # one name for two tables: which is meant depends on where it stands
    # `FROM orders t(a, b)` gives a table's columns other names
    return any(table.alias_column_names for table in tree.find_all(exp.Table))


def _whole_rows(tree: Any, known: Mapping[Address, Sequence[str]]) -> bool:
    """Whether a table's name stands where a column would: `SELECT o FROM orders o` is a struct of all columns."""
    from sqlglot import exp

    columns = {column.lower() for listed in known.values() for column in listed}
    sources = {table.alias_or_name.lower() for table in tree.find_all(exp.Table, exp.Subquery)}
    # sqlglot itself may have understood it: then it is a node of its own
    named = {column.name.lower() for column in tree.find_all(exp.Column) if not column.table}
    return tree.find(exp.TableColumn) is not None or bool((named & sources) - columns)


def _too_wide(tree: Any, renamed: Mapping[str, Address], known: Mapping[Address, Sequence[str]]) -> bool:
    """Whether the stars of `tree` stand for too many columns to follow each."""
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope, traverse_scope

    widths: dict[int, int] = {}
    for scope in traverse_scope(tree):
        sources = {
            name: widths.get(id(source), 1)
            if isinstance(source, Scope)
            else len(known.get(renamed.get(source.name, ()), ()))
            for name, (_, source) in scope.selected_sources.items()
        }
        if isinstance(scope.expression, exp.SetOperation):
            widths[id(scope)] = max((widths.get(id(part), 1) for part in scope.set_operation_scopes or ()), default=1)
            continue
        # a star of one source counts as one of all: it is a bound, no count
        stars = sum(select.is_star for select in getattr(scope.expression, "selects", ()))
        widths[id(scope)] = len(getattr(scope.expression, "selects", ())) + stars * sum(sources.values())
        if sum(widths.values()) > _WIDTH:
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Origins:
    """The columns of tables at the ends of a column's lineage; None when one of the ends is something else."""

    renamed: Mapping[str, Address]
    known: Mapping[Address, Sequence[str]]
    spelled: Mapping[tuple[Address, str], str]
    clear: dict[int, bool] = field(default_factory=dict)

    def of(self, node: Any) -> Origins | None:
        from sqlglot import exp

        origins = set()
        for part in node.walk():
            if isinstance(part.expression, exp.Table):
                address, column = (
                    self.renamed.get(part.expression.name),
                    part.name.rpartition(".")[2].strip('"').lower(),
                )
                if address is None or column == "*":
                    return None
                name = self.spelled.get((address, column))
                if name is None and address in self.known:
                    return None  # such as rowid, or a name of an outer statement
                origins.add((address, name or column))
            elif not self._understood(part.expression) or (
                not part.downstream
                and (isinstance(part.expression, exp.Placeholder) or part.expression.find(exp.Column) is not None)
            ):
                return None
        return frozenset(origins)

    def _understood(self, expression: Any) -> bool:
        if id(expression) not in self.clear:
            self.clear[id(expression)] = not _hidden(expression)
        return self.clear[id(expression)]


def _hidden(expression: Any) -> bool:
    """Whether values come into `expression` by other ways than the columns that sqlglot follows."""
    from sqlglot import exp

    if expression.find(exp.TableColumn, exp.Exists) is not None:
        return True
    if any(not isinstance(star.parent, exp.Count) for star in expression.find_all(exp.Star)):
        return True
    if isinstance(expression, exp.Query):
        return True  # a name that is none of its columns: that of an outer statement, or of a column without one
    if expression.find(exp.With) is not None:
        return True  # its names may stand for others outside
    # a question in the place of a value: what filters or orders its rows decides the value
    return any(
        query.args.get(clause) for query in expression.find_all(exp.Query)
        for clause in ("where", "having", "qualify", "joins", "order", "limit", "group", "distinct")
    )  # fmt: skip


def product_reads(project: Project, product: ProductId) -> dict[TableId, Reads]:
    """What every table that the product's build.yaml makes is made from: its lineage without the columns."""
    return {id: _reads(project, files, transform) for id, files, transform, _ in _made(project, product)}


def product_lineage(project: Project, product: ProductId) -> dict[TableId, Lineage]:
    """The lineage of every table that the product's build.yaml makes, with all columns that its contracts promise."""
    return {
        id: _python(transform, table) if transform.language == "python" else _sql(project, files, transform, table)
        for id, files, transform, table in _made(project, product)
    }


def _made(project: Project, product: ProductId) -> Iterator[tuple[TableId, ProductFiles, Transform, Table]]:
    files = project.products.get(product)
    if files is None or files.build is None:
        return
    promised = files.tables
    for transform in files.build.transforms:
        id = TableId(product, transform.major, transform.table)
        if (table := promised.get(id)) is not None:
            yield id, files, transform, table


def _reads(project: Project, files: ProductFiles, transform: Transform) -> Reads:
    if transform.language == "python":
        return Reads(frozenset(_addresses(transform).values()))
    found = _mentioned(transform.code)
    # of what cannot be read it is only known that its inputs are declared
    return found if found.readable else Reads(frozenset(_declared(project, files)), readable=False)


def _sql(project: Project, files: ProductFiles, transform: Transform, table: Table) -> Lineage:
    reads = _reads(project, files, transform)
    found = sql_lineage(transform.code, dict(_schemas(project, reads.tables)))
    columns = {c.name: found.columns.get(c.name.lower()) for c in table.columns}
    return Lineage(reads.tables, columns, reads.readable)


def _declared(project: Project, files: ProductFiles) -> Iterable[Address]:
    """Every table of the port lines that the product's input ports name, as far as the project holds them."""
    wanted = {port.contract_id for port in files.product.inputs}
    for other in project.products.values():
        for line, contract in other.contracts.items():
            if contract.id in wanted:
                yield from (
                    (line.product.domain, f"{line.product.name}_v{line.major}", t.name) for t in contract.tables
                )


def _schemas(project: Project, tables: Iterable[Address]) -> Iterable[tuple[Address, tuple[str, ...]]]:
    for address in tables:
        id = table_of(project, address)
        if id is not None:
            yield address, tuple(c.name for c in project.products[id.product].tables[id].columns)


def _python(transform: Transform, table: Table) -> Lineage:
    """Every column is made of all columns that the transform is given, unless `lineage` says less."""
    addresses = _addresses(transform)
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


def _addresses(transform: Transform) -> dict[str, Address]:
    """Where the arguments of a Python transform come from."""
    return {n: tuple(part.lower() for part in transform.origins.get(n, n).split(".")) for n in transform.inputs}


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
