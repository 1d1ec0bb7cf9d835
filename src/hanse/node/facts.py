"""What decisions need to know of published tables, from their descriptors."""

from __future__ import annotations

from hanse.governance.columns import column_facts
from hanse.governance.decision import TableFacts
from hanse.names import PortLine, TableId
from hanse.spec.model import Contract, Product


def facts_of_line(
    product: Product, line: PortLine, contract: Contract, owner_team: str, status: str | None = None
) -> tuple[TableFacts, ...]:
    """The facts of every table of a port line; `status` is the published one where it differs from the file's."""
    return tuple(
        TableFacts(
            TableId(product.id, line.major, table.name),
            column_facts(table),
            product.access.value,
            status or product.status,
            owner_team,
            frozenset({*product.tags, *contract.tags, *table.tags}),
            contract.version_text,
        )
        for table in contract.tables
    )


def ending(status: str, contract: Contract) -> dict[str, str] | None:
    """What readers of a deprecated product or port line are told: its sunset and successor; None when it is neither.

    Both are custom properties of the contract: a day, and the address to go to.
    """
    if "deprecated" not in (status, contract.status):
        return None
    said = {word: str(contract.custom[word]) for word in ("sunset", "successor") if contract.custom.get(word)}
    return {"status": "deprecated", **said}
