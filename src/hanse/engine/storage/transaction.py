"""A transaction of PyIceberg that works its metadata out once, not at each of its dozens of looks."""

from __future__ import annotations

from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import TableUpdate


class OnceRead(Transaction):  # type: ignore[misc,unused-ignore]
    """Remembers the metadata of the same base under the same updates: PyIceberg copies it deeply each time."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self._known: tuple[TableMetadata, tuple[TableUpdate, ...], TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        known, base, updates = self._known, self._table.metadata, self._updates
        if known is None or known[0] is not base or known[1] is not updates:
            known = self._known = base, updates, super().table_metadata
        return known[2]
