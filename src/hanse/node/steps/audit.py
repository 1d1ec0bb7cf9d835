"""audit: who saw what, and proof that nothing was removed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hanse.governance.chain import verify_chain
from hanse.governance.decision import Action, Principal
from hanse.names import ProductId
from hanse.node import ledger
from hanse.node.catalog import DOMAIN
from hanse.node.home.database import StoreDown
from hanse.node.ledger import Act
from hanse.node.permission import NotPermitted, allowed

if TYPE_CHECKING:
    from hanse.node.home import Home
    from hanse.node.node import Node

MOST = 10_000
_SCANNED = 100_000  # entries looked at for one answer


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act as shown: what was done, under which rules, and how it ended.

    Whoever sees it only because it is their own act (`own`) is not told how large the data behind a policy is.
    """

    act: Act
    own: bool = False

    def as_json(self) -> dict[str, Any]:
        entry, closed = self.act.entry, self.act.closed or {}
        tables = entry.get("tables", [])
        if self.own:
            tables = [{key: said for key, said in one.items() if key != "scanned"} for one in tables]
        rules = [rule for table in tables for rule in table.get("rules", ())]
        if not tables and entry.get("because"):
            rules = [str(entry["because"])]
        elif not rules:
            rules = [str(table["because"]) for table in tables if table.get("because")]
        refused = entry.get("decision") == "refused"
        return {
            "id": entry.get("query") or self.act.id,
            "entry": self.act.id,
            "domain": self.act.domain,
            "at": self.act.at,
            "principal": self.act.principal,
            "teams": entry.get("teams", []),
            "on_behalf_of": entry.get("on_behalf_of"),
            "action": entry.get("act", ""),
            "purpose": entry.get("purpose"),
            "protocol": entry.get("protocol"),
            "products": list(self.act.products),
            "tables": tables,
            "rules": list(dict.fromkeys(rules)),
            "outcome": "refused" if refused else closed.get("outcome") or entry.get("outcome"),
            "rows": closed.get("rows"),
            "bytes": closed.get("bytes"),
            "seconds": closed.get("seconds"),
            "cpu_seconds": closed.get("cpu_seconds"),
            "relations": closed.get("relations"),
            "why": entry.get("why"),
        }


@dataclass(frozen=True, slots=True)
class HomeProof:
    """The audit of one home, checked: how many entries, and every fault in words."""

    domain: str
    entries: int
    chains: int
    faults: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "domain": self.domain,
            "ok": not self.faults,
            "entries": self.entries,
            "chains": self.chains,
            "faults": list(self.faults),
        }


def entries(
    node: Node,
    principal: Principal,
    *,
    product: ProductId | None = None,
    by: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
) -> list[AuditEntry]:
    """Acts newest first: of `principal` everywhere, and all of the domains whose audit it may read.

    `by` is a person's name, or a principal's id like `product:growth/basket`.
    """
    who = by if by is None or ":" in by else f"person:{by}"
    found: list[AuditEntry] = []
    for home in node.homes.values():
        if product is not None and product.domain not in (home.domain, DOMAIN):
            continue
        whole, _ = allowed(node, home, principal, Action.AUDIT, product)
        home.audit.flush()
        mine = None if whole else principal.id
        if mine is not None and who not in (None, mine):
            continue
        taken = 0
        for number, act in enumerate(ledger.acts(home, since, mine or who)):
            if number >= _SCANNED or taken >= min(limit, MOST):
                break
            if product is None or str(product) in act.products:
                found.append(AuditEntry(act, own=not whole))
                taken += 1
    found.sort(key=lambda one: (one.act.at, one.act.id), reverse=True)
    return found[: min(limit, MOST)]


def verify(node: Node, principal: Principal) -> list[HomeProof]:
    """Check every chain of the homes whose audit `principal` may read; raise `NotPermitted` when there is none."""
    proofs = []
    for home in node.homes.values():
        if not allowed(node, home, principal, Action.AUDIT)[0]:
            continue
        with suppress(StoreDown):  # what is there can be checked on a full disk too
            home.audit.sign()
        kept = [(len(entries), chain) for chain, entries, _ in ledger.chains(home)]
        proofs.append(HomeProof(home.domain, sum(n for n, _ in kept), len(kept), tuple(faults_of(home))))
    if not proofs:
        raise NotPermitted(
            f"{principal.id} may read the audit of no domain here", mend="ask an owner, a steward or an auditor"
        )
    return proofs


def faults_of(home: Home) -> list[str]:
    """Every fault of a home's chains in words: each is whole in itself, and holds to the one before it."""
    faults: list[str] = []
    links: dict[tuple[str, int], str] = {}
    after: list[tuple[str, Mapping[str, Any]]] = []
    for chain, kept, heads in ledger.chains(home):
        faults += [f"chain {chain}: {fault.message}" for fault in verify_chain(kept, heads, home.key)]
        links |= {(chain, one.number): one.link for one in kept}
        before = kept[0].entry.get("after") if kept else None
        if isinstance(before, dict):
            after.append((chain, before))
    for chain, before in after:
        if links.get((str(before.get("chain")), int(before.get("number") or 0))) != before.get("link"):
            faults.append(f"chain {chain}: the chain {before.get('chain')} before it was removed or changed")
    return faults
