"""A transaction of PyIceberg that works its metadata out once, not at each of its dozens of looks."""

from __future__ import annotations

from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import AssertRefSnapshotId, TableRequirement, TableUpdate


class OnceRead(Transaction):  # type: ignore[misc,unused-ignore]
    """Remembers the metadata of the same base under the same updates: PyIceberg copies it deeply each time."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self._moves = False
        self._known: tuple[TableMetadata, tuple[TableUpdate, ...], TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        known, base, updates = self._known, self._table.metadata, self._updates
        if known is None or known[0] is not base or known[1] is not updates:
            known = self._known = base, updates, super().table_metadata
        return known[2]

    def begin(self, updates: tuple[TableUpdate, ...]) -> None:
        """Begin the commit with `updates`.

        They may move a branch that later ones build on: what that branch was before is then nothing to ask for. Commits
        of a home take turns, so nobody else moves it meanwhile.
        """
        super()._stage(updates)
        self._moves = bool(updates)

    def _stage(self, updates: tuple[TableUpdate, ...], requirements: tuple[TableRequirement, ...] = ()) -> Transaction:
        if self._moves:
            requirements = tuple(one for one in requirements if not isinstance(one, AssertRefSnapshotId))
        return super()._stage(updates, requirements)
