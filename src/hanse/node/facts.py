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
