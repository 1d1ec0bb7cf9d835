"""Links between the files of a project: ids, inputs, foreign keys, transforms and circles."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from hanse.errors import Finding, Kind, Place, Severity, code
from hanse.names import PortLine, ProductId, Version
from hanse.spec.checks.relationships import KEY_LENGTH, UNKNOWN_COLUMN, UNKNOWN_TABLE
from hanse.spec.document import Document, load
from hanse.spec.model import Contract, Product, Project, Relationship, Table
from hanse.spec.near import Near

ID_TWICE = code(
    "id.twice", Kind.INVALID, "Two documents have one id",
    "The id of a product or contract is how others refer to it, so it stands once in the mesh.",
    "Give the newer document an id of its own.",
)  # fmt: skip
NO_CONTRACT = code(
    "input.no-contract", Kind.INVALID, "An input port does not say what it reads",
    "An input port names the contract of one port line, and by the major of its version which one it is.",
    "Add contractId and version.",
)  # fmt: skip
UNKNOWN_CONTRACT = code(
    "ref.unknown-contract", Kind.INVALID, "An input port names a contract that is not known",
    "What a product reads is promised by a contract. In a project a link may leave it, which plan looks into; plan "
    "knows the contracts of the mesh.",
    "Mend the id; the message names those most like it.",
)  # fmt: skip
OTHER_MAJOR = code(
    "input.other-major", Kind.INVALID, "An input port pins another major than its contract has",
    "A contract belongs to one port line, so its id and the major of the version say the same.",
    "Write the contract's version, or the id of the contract with that major.",
)  # fmt: skip
AHEAD = code(
    "input.version-ahead", Kind.INVALID, "An input port asks for a later version than its contract has",
    "Under one major later versions promise more; this one is not promised yet.",
    "Write the contract's version.",
)  # fmt: skip
OUTSIDE = code(
    "relationship.outside", Kind.INVALID, "A foreign key leaves the project",
    "The table it refers to belongs to a product that is not in this project; plan looks into it.",
    "Nothing to do when the product exists; else mend the name.",
)  # fmt: skip
CYCLE = code(
    "ref.cycle", Kind.INVALID, "Products read each other in a cycle",
    "A product is published after what it reads; in a cycle none could be the first.",
    "Take one input port out of the cycle. A test may look across, an input may not.",
)  # fmt: skip
CLASSIFICATION = code(
    "classification.unknown", Kind.INVALID, "A classification is none of the mesh's",
    "What may be seen is decided by the classifications that mesh.yaml lists in order.",
    "Write one of them, or add it to mesh.yaml.",
)  # fmt: skip


def input_findings(
    product: Product, known: Mapping[str, Version | None], *, outside: Severity, near: Near | None = None
) -> list[Finding]:
    """What is wrong with the input ports of `product`, where `known` are the contracts by id.

    A contract that is not known is told with severity `outside`: a note in a project, an error in a plan.
    """
    nearest = near or Near()
    document = load(product.text, product.place.file)[0]
    findings: list[Finding] = []

    def add(at: str, slug: str, message: str, mend: str, severity: Severity = Severity.ERROR) -> None:
        place = document.place(at) if document is not None else product.place
        findings.append(Finding.at(place, slug, message, mend=mend, severity=severity))

    for i, port in enumerate(product.inputs):
        at, name = f"/inputPorts/{i}", f"input port {port.name[:63]!a}"
        if port.contract_id is None:
            add(at, NO_CONTRACT, f"{name} names no contract", "add contractId: ID")
        elif port.contract_id not in known:
            alike = nearest(port.contract_id, known)
            mend = f"write {' or '.join(alike)}" if alike else "mend the id, or ask its owner which it is"
            add(f"{at}/contractId", UNKNOWN_CONTRACT, f"{name}: no contract {port.contract_id!r} is known here",
                mend, outside)  # fmt: skip
        elif port.version is None:
            version = known[port.contract_id]
            if product.raw["inputPorts"][i].get("version") is None:
                add(at, NO_CONTRACT, f"{name} has no version to pin", f"add version: {version or '1.0.0'}")
        elif (version := known[port.contract_id]) is not None:
            if version.major != port.version.major:
                add(f"{at}/version", OTHER_MAJOR,
                    f"{name} pins major {port.version.major}, contract {port.contract_id!r} has {version}",
                    f"write version: {version}, or the contractId of major {port.version.major}")  # fmt: skip
            elif version < port.version:
                add(f"{at}/version", AHEAD, f"{name} asks for {port.version}, the contract has {version}",
                    f"write version: {version}", Severity.WARNING)  # fmt: skip
    return findings


@dataclass(frozen=True, slots=True)
class Links:
    """The links of a project; products in `broken` could not be read whole, so nothing is said of what they lack."""

    project: Project
    documents: Mapping[str, Document]
    broken: frozenset[ProductId]
    nearest: Near = field(default_factory=Near)
    _paths: dict[int, set[str]] = field(default_factory=dict)  # of a table's columns, by the table's identity

    def findings(self) -> list[Finding]:
        """Every finding, unsorted."""
        cycles = list(self._cycles())
        return list(
            chain(
                self._ids(), self._inputs(), self._keys(), self._classes(), cycles,
                self._transforms(bool(cycles)),
            )
        )  # fmt: skip

    def _place(self, place: Place, below: str = "") -> Place:
        document = self.documents.get(place.file)
        return document.place(place.pointer + below) if document is not None else place

    def _contracts(self) -> Iterator[tuple[PortLine, Contract]]:
        for files in self.project.products.values():
            yield from files.contracts.items()

    def _ids(self) -> Iterator[Finding]:
        documents: list[tuple[str, Place]] = [
            *((files.product.document_id, files.product.place) for files in self.project.products.values()),
            *((contract.id, contract.place) for _, contract in self._contracts()),
        ]
        seen: dict[str, Place] = {}
        for id, place in sorted(documents, key=lambda entry: entry[1].file):
            if seen.setdefault(id, place).file != place.file:
                message = f"id {id[:100]!r} is that of {seen[id].file} too"
                yield Finding.at(self._place(place, "/id"), ID_TWICE, message, mend="write an id of its own")

    def _inputs(self) -> Iterator[Finding]:
        known = {contract.id: contract.version for _, contract in self._contracts()}
        for files in self.project.products.values():
            yield from input_findings(files.product, known, outside=Severity.NOTE, near=self.nearest)

    def _classes(self) -> Iterator[Finding]:
        if self.project.mesh is None:
            return
        known = self.project.mesh.classifications
        for _, contract in self._contracts():
            for table in contract.tables:
                for path, column in (part for top in table.columns for part in top.walk()):
                    if column.classification is not None and column.classification not in known:
                        near = self.nearest(str(column.classification)[:100], known) or list(known)
                        yield Finding.at(
                            self._place(column.place, "/classification"), CLASSIFICATION,
                            f"{'.'.join(path)[:100]} is classified {str(column.classification)[:60]!a}",
                            mend=f"write {' or '.join(near)}",
                        )  # fmt: skip

    def _keys(self) -> Iterator[Finding]:
        for _, contract in self._contracts():
            for table in contract.tables:
                for key in table.relationships:
                    if key.to_contract is not None:
                        yield from self._key(contract, key)

    def _key(self, contract: Contract, key: Relationship) -> Iterator[Finding]:
        place = self._place(key.place, "/to")
        assert key.to_contract is not None
        where = key.to_contract
        is_file = where.endswith((".yaml", ".yml", ".json"))
        found = self._by_file(contract, key) if is_file else self._by_address(where)
        if isinstance(found, str):
            yield Finding.at(
                place, OUTSIDE, f"{where[:100]} is not in this project", mend=found, severity=Severity.NOTE
            )
            return
        if found is None:
            return
        tables, called = found
        table = next((t for t in tables if t.name == key.to_table), None) or self._called(tables, key.to_table)
        if table is None:
            near = self.nearest(key.to_table, (t.name for t in tables)) or [t.name for t in tables][:10]
            mend = f"write {called}.{near[0]}" if near else "name a table that a contract promises"
            yield Finding.at(place, UNKNOWN_TABLE, f"{called} has no table {key.to_table[:63]!r}", mend=mend)
            return
        if len(key.columns) != len(key.to_columns):
            message = f"this side has {len(key.columns)} columns, the other {len(key.to_columns)}"
            yield Finding.at(place, KEY_LENGTH, message, mend="name as many columns on each side")
        paths = self._paths.get(id(table))
        if paths is None:
            paths = {".".join(path).lower() for top in table.columns for path, _ in top.walk()}
            self._paths[id(table)] = paths
        for column in key.to_columns:
            if column.lower() not in paths:
                near = self.nearest(column, (c.name for c in table.columns)) or [c.name for c in table.columns][:10]
                message = f"table {called}.{table.name} has no column {column[:63]!a}"
                yield Finding.at(place, UNKNOWN_COLUMN, message, mend=f"write {' or '.join(near)}")

    def _by_address(self, address: str) -> tuple[tuple[Table, ...], str] | str | None:
        """The tables of `domain.product_v1` and how they are called; what to do when it is not here; None = unsure."""
        domain, _, pinned = address.partition(".")
        name, _, major = pinned.rpartition("_v")
        product = ProductId(domain, name)
        files = self.project.products.get(product)
        lines = sorted(files.contracts.items(), key=lambda entry: entry[0]) if files is not None else []
        if product in self.broken:
            return None
        if not lines:
            known = {f"{line.product.sql}_v{line.major}" for line, _ in self._contracts()}
            near = self.nearest(address, known)
            return f"did you mean {' or '.join(near)}?" if near else "plan looks whether it exists"
        tables = tuple(table for line, c in lines if str(line.major) == major for table in c.tables)
        return tables, address

    def _by_file(self, contract: Contract, key: Relationship) -> tuple[tuple[Table, ...], str] | str | None:
        assert key.to_contract is not None
        if "://" in key.to_contract:
            return "plan looks whether it exists"
        path = posixpath.normpath(posixpath.join(posixpath.dirname(contract.place.file), key.to_contract))
        for _, other in self._contracts():
            if other.place.file == path:
                return other.tables, path
        if path in self.project.files:
            return None  # it is there and cannot be read, which is told at its place
        near = self.nearest(path, (other.place.file for _, other in self._contracts()))
        relative = [posixpath.relpath(n, posixpath.dirname(contract.place.file)) for n in near]
        return f"did you mean {' or '.join(relative)}?" if near else "name a contract of the project"

    @staticmethod
    def _called(tables: Iterable[Table], name: str) -> Table | None:
        return next((t for t in tables if name in (t.title, t.physical_name)), None)

    def _cycles(self) -> Iterator[Finding]:
        """A finding for each cycle of port lines that are made of each other, at the first product's input ports."""
        owners = {contract.id: line.product for line, contract in self._contracts()}
        edges: dict[str, set[str]] = {}
        for files in self.project.products.values():
            inputs = {port.contract_id for port in files.product.inputs if port.contract_id is not None}
            for port in files.product.outputs:
                if port.contract_id is not None:
                    # where a port says of which inputs it is made, the others do not count for it
                    edges.setdefault(port.contract_id, set()).update(set(port.input_contracts) & inputs or inputs)
        for cycle in _cycles(edges):
            products = [owners[id] for id in cycle if id in owners]
            if not products:
                continue
            product = self.project.products[products[0]].product
            told = " -> ".join(str(p) for p in dict.fromkeys(products))
            i = next(i for i, port in enumerate(product.inputs) if port.contract_id in cycle)
            yield Finding.at(
                self._place(product.place, f"/inputPorts/{i}"), CYCLE,
                f"products read each other in a cycle: {told} -> {products[0]}", mend="remove one of the input ports",
            )  # fmt: skip

    def _transforms(self, circular: bool) -> Iterator[Finding]:
        from hanse.spec.checks.transforms import transform_findings
        from hanse.spec.order import cycles

        for id, files in self.project.products.items():
            if files.build is not None and id not in self.broken:
                yield from transform_findings(self.project, files, self.nearest)
        if not circular:
            yield from cycles(self.project)


def _cycles(edges: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """One cycle through each group of nodes that reach each other, each node in at most one."""
    done: set[str] = set()
    for start in sorted(edges):
        if start in done:
            continue
        came: dict[str, str] = {}
        queue = [start]
        for at in queue:
            for following in sorted(edges.get(at, ())):
                if following == start:
                    path = [at]
                    while path[-1] != start:
                        path.append(came[path[-1]])
                    done.update(path)
                    yield path[::-1]
                    break
                if following not in came:
                    came[following] = at
                    queue.append(following)
            else:
                continue
            break
        done.add(start)
