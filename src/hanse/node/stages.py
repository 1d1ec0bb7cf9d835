"""What waits for publication, seen as if it were published: only for those who may publish it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hanse.engine.snapshot import LineSnapshot
from hanse.governance.decision import ColumnFacts, TableFacts
from hanse.governance.grants import level
from hanse.names import PortLine, ProductId, Version
from hanse.node.facts import facts_of_line
from hanse.spec.model import Contract

if TYPE_CHECKING:
    from hanse.node.home.home import Home


@dataclass(frozen=True, slots=True)
class StagedLine:
    """A port line as it would be served."""

    contract: Contract
    version: Version
    snapshot: LineSnapshot


@dataclass(frozen=True, slots=True)
class Staged:
    """A product as it would be read after the next publication; `sequence` is that of the current one."""

    lines: Mapping[PortLine, Any]
    default_major: int
    main: Mapping[int, str]
    sequence: int
    facts: tuple[TableFacts, ...]


def staged(home: Home, product: ProductId) -> Staged | None:
    """The stages of `product` laid over what is published; None when nothing waits."""
    from hanse.spec.project import project

    waiting = home.store.stages(product)
    if not waiting:
        return None
    published = home.published().get(product)
    lines: dict[PortLine, Any] = dict(published.lines) if published else {}
    main = dict(published.main) if published else {}
    facts = {one.id: one for one in home.facts(product)} if published else {}
    for line, stage in sorted(waiting.items()):
        read, _ = project(home.store.texts(stage.bundle) or {})
        files = read.products.get(product)
        contract = files.contracts.get(line) if files else None
        if files is None or contract is None or contract.version is None:
            continue
        lines[line] = StagedLine(contract, contract.version, stage.snapshot)
        names = [table.name for table in contract.tables]
        if names:
            main.setdefault(line.major, product.name if product.name in names else names[0])
        domain = read.domains.get(product.domain)
        team = published.domain_team if published else domain.team if domain else ""
        order = home.policies().classifications
        for one in facts_of_line(files.product, line, contract, team):
            facts[one.id] = _not_lowered(one, facts.get(one.id), order)
    if not lines:
        return None
    first = published.default_major if published else min(line.major for line in lines)
    return Staged(lines, first, main, published.sequence if published else 0, tuple(facts.values()))


def _not_lowered(waiting: TableFacts, published: TableFacts | None, order: Sequence[str]) -> TableFacts:
    """`waiting` with no column less strict than it is published: only a publication lowers one, on record."""
    if published is None:
        return waiting
    known = {column.path: column for column in published.columns}
    columns = tuple(
        column if (was := known.get(column.path)) is None else _stricter(column, was, order)
        for column in waiting.columns
    )
    return replace(waiting, columns=columns, tags=waiting.tags | published.tags)


def _stricter(column: ColumnFacts, was: ColumnFacts, order: Sequence[str]) -> ColumnFacts:
    classes = (column.classification, was.classification)
    return replace(column, classification=max(classes, key=lambda one: level(one, order)), tags=column.tags | was.tags)
