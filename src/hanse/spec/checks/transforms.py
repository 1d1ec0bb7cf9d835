"""Transforms read what the input ports declare: no table without a port, no port without a use."""

from __future__ import annotations

from collections.abc import Container, Iterator, Set
from pathlib import PurePosixPath

from hanse.errors import Finding, Kind, Place, Severity, code
from hanse.names import ProductId, TableId
from hanse.spec.document import load
from hanse.spec.lineage import Address, product_reads, table_of
from hanse.spec.model import BuildFile, ProductFiles, Project, Transform
from hanse.spec.near import Near
from hanse.spec.pointer import pointer

UNDECLARED = code(
    "build.undeclared-input", Kind.INVALID, "A transform reads a table that no input port declares",
    "Input ports are how owners, plans and lineage know who reads what; access is granted by them.",
    "Add an input port with the contractId and version of what is read.",
)  # fmt: skip
UNUSED = code(
    "build.unused-input", Kind.INVALID, "An input port is declared and nothing reads it",
    "An input port asks an owner for access and makes the product depend on another; without use it does both for "
    "nothing.",
    "Remove the input port, or read it.",
)  # fmt: skip
UNPINNED = code(
    "build.unpinned-input", Kind.INVALID, "A transform reads a table without its major",
    "An unpinned address follows the owner's default; a build pins the major, as its input port does.",
    "Write the pinned address, such as sales.orders_v1.lines.",
)  # fmt: skip
UNKNOWN = code(
    "build.unknown-input", Kind.INVALID, "A transform reads a table that nobody promises",
    "A transform reads the sources of its build.yaml and tables of products.",
    "Mend the address; the message names those most like it.",
)  # fmt: skip
NO_CONNECTION = code(
    "source.no-connection", Kind.NOT_FOUND, "There is no connection of that name",
    "Connections are named in domain.yaml, and a build uses those of its own domain.",
    "Add it under `connections` in domain.yaml, or mend the name.",
)  # fmt: skip
UNREADABLE = code(
    "build.unreadable-sql", Kind.INVALID, "It cannot be told what a transform reads",
    "The SQL could not be taken apart, so its inputs cannot be compared with the input ports; every column of the "
    "table counts as made of all inputs.",
    "Write the statement as one SELECT.",
)  # fmt: skip


def transform_findings(project: Project, files: ProductFiles, nearest: Near) -> Iterator[Finding]:
    """Compare what the transforms of a product read with its input ports."""
    build = files.build
    assert build is not None
    id = files.product.id
    yield from _connections(project, id, build, nearest)
    sources = {source.name.lower() for source in build.sources}
    known = {contract.id for other in project.products.values() for contract in other.contracts.values()}
    declared = {port.contract_id: port for port in files.product.inputs if port.contract_id in known}
    outside = any(port.contract_id not in known for port in files.product.inputs)
    read: set[str] = set()
    certain = True
    made = product_reads(project, id)
    for transform in build.transforms:
        reads = made.get(TableId(id, transform.major, transform.table))
        if reads is None:
            continue
        if not reads.readable:
            certain = False
            yield _unreadable(transform)
            continue
        for address in sorted(reads.tables):
            if len(address) == 1:
                if address[0] not in sources:
                    near = nearest(address[0], sources)
                    mend = f"write {' or '.join(near)}" if near else f"add sources: {{{address[0]}: …}} to build.yaml"
                    yield _told(transform, UNKNOWN, f"there is no source {address[0][:63]!r}", mend)
                continue
            yield from _input(project, id, transform, address, declared, outside, read, nearest)
        yield from _columns(project, transform, nearest)
    if certain:
        addresses = {address for reads in made.values() for address in reads.tables if len(address) > 1}
        tables = {str(table) for address in addresses if (table := table_of(project, address)) is not None}
        yield from _accepted(build, tables | {".".join(address) for address in addresses}, nearest)
    for contract_id, port in declared.items():
        if certain and contract_id not in read:
            message = f"no transform reads input port {port.name[:63]!a} (contract {contract_id!r})"
            yield Finding.at(port.place, UNUSED, message, mend="remove it, or read it")


def _input(
    project: Project,
    id: ProductId,
    transform: Transform,
    address: Address,
    declared: Container[str | None],
    outside: bool,
    read: set[str],
    nearest: Near,
) -> Iterator[Finding]:
    dotted = ".".join(address)
    table = table_of(project, address)
    if table is not None:
        contract = next(
            contract
            for line, contract in project.products[table.product].contracts.items()
            if line.major == table.major and contract.table(table.table) is not None
        )
        read.add(contract.id)
        if not address[1].endswith(f"_v{table.major}"):
            pinned = ".".join((address[0], f"{address[1]}_v{table.major}", *address[2:]))
            yield _told(transform, UNPINNED, f"{dotted[:200]} names no major", f"write {pinned}")
        elif table.product != id and contract.id not in declared:
            port = f"{{name: {table.product.name}, contractId: {contract.id}, version: {contract.version}}}"
            yield _told(
                transform, UNDECLARED, f"{dotted[:200]} is read, but no input port declares it",
                f"add to inputPorts: {port}",
            )  # fmt: skip
        return
    known = {f"{f.product.id.sql}_v{line.major}" for f in project.products.values() for line in f.contracts}
    product = ".".join(address[:2])
    if product in known:
        name, _, major = address[1].rpartition("_v")
        other = project.products[ProductId(address[0], name)]
        read.update(contract.id for line, contract in other.contracts.items() if line.major == int(major))
        names = [t.table for t in other.tables if t.major == int(major)]
        near = nearest(address[-1], names) or names
        yield _told(transform, UNKNOWN, f"{product} has no table {address[-1][:63]!r}", f"write {' or '.join(near)}")
    elif not outside:
        near = nearest(product, known)
        mend = f"write {' or '.join(near)}" if near else "add an input port for it"
        yield _told(transform, UNDECLARED, f"{dotted[:200]} is neither in the project nor an input port", mend)


def _connections(project: Project, id: ProductId, build: BuildFile, nearest: Near) -> Iterator[Finding]:
    """A source names a connection of its own domain; a domain that is not in the project is not judged."""
    domain = project.domains.get(id.domain)
    tree = domain.raw.get("connections") if domain is not None else None
    known = list(tree) if isinstance(tree, dict) else []
    for source in build.sources if domain is not None else ():
        name = source.options.get("connection")
        if name is not None and name not in known:
            near = nearest(str(name)[:100], known)
            mend = f"write connection: {near[0]}" if near else f"add connections: {{{name}: …}} to domain.yaml"
            message = f"domain {id.domain} has no connection {str(name)[:63]!r}"
            yield Finding.at(source.place, NO_CONNECTION, message, mend=mend)


def _accepted(build: BuildFile, read: Set[str], nearest: Near) -> Iterator[Finding]:
    """What the build accepts is an input of it: a word that is none would accept nothing, silently."""
    if build.accept_governed <= read:
        return
    document = load(build.text, build.place.file)[0]
    listed = document.tree.get("accept_governed") if document is not None and isinstance(document.tree, dict) else None
    for i, address in enumerate(listed if isinstance(listed, list) else ()):
        if document is not None and address in build.accept_governed and address not in read:
            near = nearest(address, sorted(read))
            mend = f"write {' or '.join(near)}" if near else "take it out"
            message = f"no transform reads {address[:200]!a}, so there is nothing to accept"
            yield Finding.at(document.place(pointer("accept_governed", str(i))), UNKNOWN, message, mend=mend)


def _columns(project: Project, transform: Transform, nearest: Near) -> Iterator[Finding]:
    """A Python transform is given columns that its inputs have."""
    for name, columns in transform.inputs.items():
        id = table_of(project, tuple(part.lower() for part in transform.origins.get(name, name).split(".")))
        table = project.products[id.product].tables[id] if id is not None else None
        for column in columns if table is not None else ():
            assert table is not None
            if table.column(column) is None:
                known = [c.name for c in table.columns]
                near = nearest(column[:255], known) or known[:10]
                message = f"input {name!r} has no column {column[:63]!a}"
                yield _told(transform, UNKNOWN, message, f"write {' or '.join(near)}")


def _unreadable(transform: Transform) -> Finding:
    """Why it cannot be told what a transform reads, at its place in the SQL file."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import ParseError, SqlglotError

    file = (PurePosixPath(transform.place.file).parent / transform.file).as_posix()
    message, place, severity = "what it reads cannot be told", Place(file), Severity.WARNING
    try:
        statements = [
            s for s in sqlglot.parse(transform.code, dialect="duckdb") if s and not isinstance(s, exp.Semicolon)
        ]
    except (SqlglotError, RecursionError) as error:
        # the engine knows more SQL than this parser, and has the last word
        if isinstance(error, ParseError) and error.errors:
            first = error.errors[0]
            place = Place(file, int(first.get("line") or 1), int(first.get("col") or 1))
            message = f"it cannot be read here, so what it reads cannot be told: {first.get('description')}".rstrip(".")
    else:
        acts = (exp.Create, exp.Drop, exp.Alter, exp.Insert, exp.Update, exp.Delete, exp.Copy, exp.Attach, exp.Set)
        if len(statements) != 1:
            message, severity = f"it holds {len(statements)} statements, not one", Severity.ERROR
        elif isinstance(statements[0], acts):
            kind = type(statements[0]).__name__.upper()
            message, severity = f"it is a statement of kind {kind}, not a SELECT", Severity.ERROR
    return Finding.at(place, UNREADABLE, message, mend="write one SELECT", severity=severity)


def _told(transform: Transform, slug: str, message: str, mend: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding.at(transform.place, slug, f"{transform.file}: {message}", mend=mend, severity=severity)
