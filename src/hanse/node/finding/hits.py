"""A product as a search shows it: how old, in which state, what one may do with it, which columns fit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hanse.governance.decide import decide
from hanse.names import ProductId
from hanse.node.finding.health import Health, health
from hanse.node.finding.reader import Reader
from hanse.node.finding.texts import column_matches

if TYPE_CHECKING:
    from hanse.node.catalog.catalog import CatalogHome


@dataclass(frozen=True, slots=True)
class Hit:
    """A product that was found. `columns` are those whose names fit; `may_read` and `until` are the reader's own."""

    product: ProductId
    title: str
    version: str
    status: str
    access: str
    owner: str
    purpose: str
    published_at: datetime
    health: Health
    may_read: bool
    until: datetime | None
    columns: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "product": str(self.product),
            "title": self.title,
            "version": self.version,
            "status": self.status,
            "state": self.health.state or None,
            "because": self.health.because or None,
            "access": self.access,
            "may_read": self.may_read,
            "until": None if self.until is None else self.until.isoformat(),
            "owner": self.owner,
            "purpose": self.purpose,
            "published_at": self.published_at.isoformat(),
            "columns": list(self.columns),
        }


def hit(reader: Reader, product: ProductId, asked: Collection[str]) -> Hit:
    """The product for a reader who may know of it."""
    published = reader.home(product).published()[product]
    described = published.product
    columns: dict[str, None] = {}
    decisions = []
    versions = []
    for line, table, facts in reader.lines(published):
        decisions.append(reader.decision(facts))
        versions.append((line.major != published.default_major, str(published.lines[line].version)))
        if asked:
            columns |= dict.fromkeys(column_matches(table, asked, reader.hidden(facts)))
    purpose = described.description.get("purpose") if described.description else ""
    return Hit(
        product=product,
        title=described.title,
        version=min(versions)[1],
        status=published.status,
        access=described.access.value,
        owner=published.domain_team,
        purpose=purpose if isinstance(purpose, str) else "",
        published_at=published.at,
        health=health(reader, published),
        may_read=any(decision.allowed for decision in decisions),
        until=reader.until(product, decisions),
        columns=tuple(columns),
    )


def catalogue(home: CatalogHome, asked: Collection[str]) -> Hit:
    """The mesh's catalogue, which everybody may read whom no forbid stops."""
    published = home.publication
    tables = [table for state in published.lines.values() for table in state.contract.tables]
    columns = dict.fromkeys(name for table in tables for name in column_matches(table, asked)) if asked else {}
    request = home.reader.request
    return Hit(
        product=published.product.id,
        title=published.product.title,
        version=str(next(iter(published.lines.values())).version),
        status=published.status,
        access=published.product.access.value,
        owner=published.domain_team,
        purpose=str(published.product.description["purpose"]),
        published_at=published.at,
        health=Health("", "", published.at),
        may_read=any(decide(request, facts, (), home.policies()).allowed for facts in home.facts(published.product.id)),
        until=None,
        columns=tuple(columns),
    )
