"""Classification follows lineage: the least class of a derived column, and where a contract has it lower."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hanse.errors import Finding, Kind, Severity, code
from hanse.spec.lineage import Lineage
from hanse.spec.model import Table

CLASSIFICATION_LOWERED = code(
    "build.classification-lowered",
    Kind.INVALID,
    "A derived column is classified lower than what it is made of",
    "A classification follows its data: lowering it is a decision of the owner, and is recorded as one.",
    "Raise the column's classification, or let the owner record why the derived column says less.",
)

Classes = Callable[[tuple[str, ...]], Mapping[str, str | None] | None]  # table, as SQL names it → column → class


def inherited_classes(lineage: Lineage, classes: Classes, order: Sequence[str]) -> dict[str, str | None]:
    """The least class of each output column: the highest of the columns it is made of.

    A column of unknown lineage inherits the highest class of all inputs; an input column without a class counts as
    the strictest; None means that nothing is inherited (a count, a constant, a column made of sources only).
    """
    everything = [c for table in lineage.tables for c in _of_table(classes(table), order)]
    out: dict[str, str | None] = {}
    for column, origins in lineage.columns.items():
        if origins is None:
            out[column] = _highest(everything, order)
            continue
        found = []
        for table, name in origins:
            known = classes(table)
            if known is None:  # a source: it has no classes of its own
                continue
            by_lower = {key.lower(): value for key, value in known.items()}
            found.append(by_lower.get(name.lower()) or order[-1])
        out[column] = _highest(found, order)
    return out


def lowered(table: Table, lineage: Lineage, classes: Classes, order: Sequence[str]) -> list[Finding]:
    """A warning for each column of `table` whose class is below the one it inherits."""
    rank = {name: i for i, name in enumerate(order)}
    least = {name.lower(): class_ for name, class_ in inherited_classes(lineage, classes, order).items()}
    findings = []
    for column in table.columns:
        inherits = least.get(column.name.lower())
        if inherits is None or column.classification is None:  # unclassified counts as the strictest already
            continue
        if rank.get(column.classification, len(rank)) < rank.get(inherits, len(rank)):
            unknown = lineage.columns.get(column.name, frozenset()) is None
            why = "its lineage is unknown, so it inherits from all inputs" if unknown else "it is made of such columns"
            findings.append(
                Finding.at(
                    column.place,
                    CLASSIFICATION_LOWERED,
                    f"column {column.name!r} is {column.classification}, its inputs make it {inherits}",
                    why=why,
                    mend=f"classification: {inherits}, or let the owner record why it says less",
                    severity=Severity.WARNING,
                )
            )
    return findings


def _of_table(known: Mapping[str, str | None] | None, order: Sequence[str]) -> list[str]:
    return [] if known is None else [class_ or order[-1] for class_ in known.values()]


def _highest(classes: Sequence[str], order: Sequence[str]) -> str | None:
    rank = {name: i for i, name in enumerate(order)}
    return max(classes, key=lambda name: rank.get(name, len(rank)), default=None)
