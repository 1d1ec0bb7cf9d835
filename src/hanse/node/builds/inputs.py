"""The inputs of a transform: each resolved to a snapshot, under the decision of the product that reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hanse.engine.errors import PolicyFailed, UnknownTable
from hanse.engine.gate import Reference
from hanse.engine.relations.inputs import Input
from hanse.engine.snapshot import TableSnapshot
from hanse.errors import HanseError, Kind, code
from hanse.governance.decide import decide
from hanse.governance.decision import Clear, Decision, Request, TableFacts
from hanse.names import ProductId, TableId, nearest
from hanse.node.facts import facts_of_line
from hanse.node.names import Home, Names, NoAccess
from hanse.spec.lineage import table_of
from hanse.spec.model import ProductFiles, Project, Transform

if TYPE_CHECKING:
    from hanse.node.node import Node


class InputMissing(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "build.input-not-published",
        Kind.NOT_FOUND,
        "An input has no data yet",
        "A transform reads the published snapshot of its inputs, or what this same build made of them.",
        "Build both in one run, or publish the input first.",
    )


class InputRefused(HanseError):
    kind = Kind.DENIED
    code = code(
        "build.input-refused",
        Kind.DENIED,
        "A product may not read one of its inputs",
        "A transform reads as the product itself: its inputs need a grant of their owners, like any other reader.",
        "Ask for access for the product: hanse access request INPUT --for product:DOMAIN/PRODUCT",
    )


class GovernedInput(HanseError):
    kind = Kind.DENIED
    code = code(
        "build.governed-input",
        Kind.DENIED,
        "A product sees an input only masked or filtered",
        "Data made of masked or missing rows looks whole and is not; whoever builds on it accepts that in writing.",
        "Ask the owner for the column, stop using it, or list the address under `accept_governed` in build.yaml.",
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A table as this build knows it before any publication: its files, and its snapshot once it is made."""

    files: ProductFiles
    major: int
    team: str
    snapshot: TableSnapshot


@dataclass(slots=True)
class Inputs:
    """Resolves the inputs of one build's transforms: what this build made of them, else what is published."""

    node: Node
    project: Project
    candidates: Mapping[TableId, Candidate]  # what this build made so far
    names: Names

    def of(self, reference: Reference, reader: ProductId, transform: Transform) -> Input:
        """The table that `reference` names as the product `reader` sees it.

        Raises `InputMissing` or `InputRefused`; what the product may see of it is in the input's decision.
        """
        where = str(transform.place)
        request = Request(self.node.product_principal(reader), self.node.clock(), protocol="build")
        table = self.table_of(reference.parts)
        made = None if table is None else self.candidates.get(table)
        if table is not None and made is not None and reference.version is None and reference.timestamp is None:
            return self._candidate(reference, table, made, request, where)
        try:
            return self.names.found(reference, request).given
        except UnknownTable as error:
            if table is not None and table in self._promised():
                raise InputMissing(
                    f"{transform.file}: {reference.text} has no data yet, or {reader} may not know of it",
                    where=where,
                    mend=f"hanse build {table.product} {reader}, or hanse publish {table.product} first",
                ) from None
            raise InputMissing(
                f"{transform.file}: there is no table {reference.text!r}",
                where=where,
                mend=self._near(reference.parts) or error.mend,
            ) from None
        except NoAccess as error:
            raise InputRefused(f"{transform.file}: {error.message}", where=where, mend=_ask(reader, table)) from None

    def _candidate(self, reference: Reference, table: TableId, made: Candidate, request: Request, where: str) -> Input:
        home = self.node.find(table.product.domain)
        facts = _facts(made.files, table, made.team)
        assert home is not None
        assert facts is not None
        decision = decide(request, facts, home.grants(table.product), home.policies())
        if not decision.allowed:
            raise InputRefused(
                f"{request.principal.name} may not read {table.product}: {decision.because}",
                where=where,
                mend=_ask(request.principal.name, table),
            )
        reads = {
            name: self._raw(home, name)
            for rule in decision.rows
            for name in {tuple(part.lower() for part in parts) for parts in rule.reads}
        }
        return Input(
            reference.called, facts, made.snapshot, decision, home.warehouse, home.copies, home.mask_key, reads
        )

    def _raw(self, home: Home, name: tuple[str, ...]) -> Input:
        """A table of the same domain that a row policy reads, whole, under the home's own authority."""
        table = self.table_of(name)
        made = None if table is None or name[0] != home.domain else self.candidates.get(table)
        facts = None if made is None or table is None else _facts(made.files, table, made.team)
        if made is None or facts is None:
            raise PolicyFailed(".".join(name))
        own = Decision(facts.id, True, True, "", "read by a row policy of its own domain")
        return Input(name, facts, made.snapshot, own, home.warehouse, home.copies, home.mask_key)

    def table_of(self, address: tuple[str, ...]) -> TableId | None:
        """The table of the project that a transform calls `address` (`domain, product_vN[, table]`)."""
        return table_of(self.project, address)

    def _promised(self) -> set[TableId]:
        return {table for files in self.project.products.values() for table in files.tables}

    def _near(self, address: tuple[str, ...]) -> str:
        known = {
            f"{line.product.sql}_v{line.major}" for files in self.project.products.values() for line in files.contracts
        }
        near = nearest(".".join(address[:2]), known)
        return f"did you mean {', '.join(near)}?" if near else ""


def _ask(reader: object, table: TableId | None) -> str:
    what = "PRODUCT" if table is None else str(table.product)
    return f"hanse access request {what} --for product:{reader} --until DATE --purpose P --why …"


def _facts(files: ProductFiles, id: TableId, team: str) -> TableFacts | None:
    lines = ((line, contract) for line, contract in files.contracts.items() if line.major == id.major)
    found = (facts for line, contract in lines for facts in facts_of_line(files.product, line, contract, team))
    return next((facts for facts in found if facts.id == id), None)


def refuse_governed(given: Input, used: Collection[str] | None, transform: Transform, accepted: Iterable[str]) -> None:
    """Raise `GovernedInput` when a used column of `given` is not clear or rows are filtered, and nobody accepted it.

    `used` are lowered names of top-level columns; None means all of them.
    """
    address = ".".join(given.name)
    if given.decision.is_clear or address in accepted or str(given.facts.id) in accepted:
        return
    told = []
    if given.decision.rows:
        told.append("its rows are filtered by " + ", ".join(rule.name for rule in given.decision.rows))
    governed = sorted(
        {
            ".".join(path)
            for path, view in given.decision.columns.items()
            if not isinstance(view, Clear) and (used is None or path[0].lower() in used)
        }
    )
    if governed:
        told.append(f"column{'s' if len(governed) > 1 else ''} {', '.join(governed)} masked or hidden")
    if told:
        raise GovernedInput(
            f"{transform.file}: {address} is shown to the product with {' and '.join(told)}",
            where=str(transform.place),
            mend=f"ask the owner (hanse access request {given.facts.product} --column …),"
            f" or add accept_governed: [{address}] to build.yaml",
        )
