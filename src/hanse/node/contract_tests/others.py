"""Tables of other contracts in a test: read as the product that is tested, decided and recorded."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.engine.rules.model import Missing, Relation
from hanse.engine.snapshot import TableSnapshot
from hanse.engine.storage.scan import scan_sql
from hanse.governance.decide import decide
from hanse.governance.decision import Decision, Principal, Request, TableFacts
from hanse.names import ProductId
from hanse.node.contract_tests.samples import is_clear
from hanse.spec.model import Contract

if TYPE_CHECKING:
    from hanse.node.home import Home
    from hanse.node.node import Node


class Others:
    """Tables of other contracts, read as the product that is tested: decided, recorded, or not run with the reason."""

    def __init__(self, node: Node, product: ProductId) -> None:
        self._node = node
        self._product = product
        self._entries: list[tuple[Home, str]] = []

    def __enter__(self) -> Others:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        outcome = "answered" if error is None else str(getattr(error, "code", "hanse.failed"))
        for home, entry in self._entries:
            home.audit.closed(entry, {"outcome": outcome, "rows": 0, "bytes": 0})

    def of(self, contract: Contract) -> dict[tuple[str, str], Relation | Missing]:
        """What each relationship of `contract` to another contract refers to."""
        found: dict[tuple[str, str], Relation | Missing] = {}
        used: dict[tuple[str, str], set[str]] = {}
        for table in contract.tables:
            for relationship in table.relationships:
                if relationship.to_contract is not None:
                    key = (relationship.to_contract, relationship.to_table)
                    used.setdefault(key, set()).update(relationship.to_columns)
        for (id, name), columns in used.items():
            found[id, name] = self._one(id, name, columns)
        return found

    def _one(self, contract_id: str, table: str, columns: set[str]) -> Relation | Missing:
        principal = self._node.product_principal(self._product)
        for home in self._node.homes.values():
            for product, published in home.published().items():
                for line, state in published.lines.items():
                    if state.contract.id != contract_id:
                        continue
                    facts = next(
                        (f for f in home.facts(product) if f.id.major == line.major and f.id.table == table), None
                    )
                    snapshot = state.snapshot.tables.get(table)
                    if facts is None or snapshot is None:
                        return Missing(f"{product}@{line.major} publishes no table {table}", absent=False)
                    request = Request(principal, self._node.clock(), protocol="test")
                    decision = decide(request, facts, home.grants(product), home.policies())
                    if (reason := _refused(decision, columns, product, self._product)) is not None:
                        return Missing(reason, absent=False)
                    self._record(home, principal, facts, snapshot, decision, columns)
                    return relation(snapshot, home.warehouse)
        return Missing(f"the contract {contract_id} is not published here", absent=False)

    def _record(
        self,
        home: Home,
        principal: Principal,
        facts: TableFacts,
        snapshot: TableSnapshot,
        decision: Decision,
        columns: set[str],
    ) -> None:
        entry = {
            "act": "test",
            "at": self._node.clock().isoformat(),
            "principal": principal.id,
            "teams": sorted(principal.teams),
            "on_behalf_of": None,
            "purpose": None,
            "protocol": "test",
            "decision": "allowed",
            "tables": [
                {
                    "table": str(facts.id),
                    "version": facts.version,
                    "snapshot": snapshot.snapshot_id,
                    "scanned": sum(file.size for file in snapshot.files),
                    "columns": sorted(columns),
                    "rules": [],
                    "because": decision.because,
                    "grants": sorted(decision.grants),
                }
            ],
        }
        self._entries.append((home, home.audit.open_sync(entry)))


def _refused(decision: Decision, columns: Collection[str], product: ProductId, reader: ProductId) -> str | None:
    """Why a rule cannot look at `columns` whole, or None. What may not be discovered is as if it were not there."""
    if not decision.allowed:
        if not decision.discoverable:
            return "what it refers to is not published here"
        ask = decision.mend or f"hanse access request {product} --for product:{reader}"
        return f"no grant: {reader} may not read {product} ({ask})"
    if decision.rows:
        return f"{reader} sees only some rows of {product}, so what is missing cannot be told"
    masked = [c for c in columns if not is_clear(decision, c)]
    if masked:
        return f"{reader} does not see {', '.join(sorted(masked))} of {product} as it is"
    return None


def relation(snapshot: TableSnapshot | None, warehouse: Path) -> Relation | Missing:
    if snapshot is None:
        return Missing("it was not built")
    files = tuple(str(warehouse / file.path) for file in snapshot.files)
    return Relation(f"({scan_sql(snapshot, warehouse)})", f"snapshot {snapshot.snapshot_id}", files=files)
