"""Tables of other contracts in a test: read as the product that is tested, decided and recorded."""

from __future__ import annotations

import posixpath
import re
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
from hanse.spec.model import Contract, Project

if TYPE_CHECKING:
    from hanse.node.home import Home
    from hanse.node.node import Node

_PINNED = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)_v([0-9]+)", re.ASCII)


class Others:
    """Tables of other contracts, read as the product that is tested: decided, recorded, or not run with the reason."""

    def __init__(self, node: Node, project: Project, product: ProductId) -> None:
        self._node = node
        self._project = project
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
            found[id, name] = self._one(contract, id, name, columns)
        return found

    def _one(self, contract: Contract, named: str, table: str, columns: set[str]) -> Relation | Missing:
        at = self._line(contract, named)
        home = self._node.find(at[0].domain) if at is not None else None
        published = home.published().get(at[0]) if home is not None and at is not None else None
        if at is None or home is None or published is None:
            return Missing(f"{named} is not published here", absent=False)
        product, major = at
        facts = next((f for f in home.facts(product) if f.id.major == major and f.id.table == table), None)
        state = next((state for line, state in published.lines.items() if line.major == major), None)
        snapshot = state.snapshot.tables.get(table) if state is not None else None
        if facts is None or snapshot is None:
            return Missing(f"{named} is not published here", absent=False)
        principal = self._node.product_principal(self._product)
        request = Request(principal, self._node.clock(), protocol="test")
        decision = decide(request, facts, home.grants(product), home.policies())
        if not decision.allowed and not decision.discoverable:
            # told in the same words as what does not exist
            return Missing(f"{named} is not published here", absent=False)
        if (reason := _refused(decision, columns, product, self._product)) is not None:
            return Missing(reason, absent=False)
        self._record(home, principal, facts, snapshot, decision, columns)
        return relation(snapshot, home.warehouse)

    def _line(self, contract: Contract, named: str) -> tuple[ProductId, int] | None:
        """The product and major that `named` means: a pinned address, a contract's id, or its file beside this one."""
        if (pinned := _PINNED.fullmatch(named)) is not None:
            return ProductId(pinned[1], pinned[2]), int(pinned[3])
        path = posixpath.normpath(posixpath.join(posixpath.dirname(contract.place.file), named))
        for product, files in self._project.products.items():
            for line, other in files.contracts.items():
                if named == other.id or path == other.place.file:
                    return product, line.major
        return None

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
    """Why a rule cannot look at `columns` whole, or None."""
    if not decision.allowed:
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
