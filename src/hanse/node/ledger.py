"""Reading a home's audit: entries joined with how they ended, and each chain as it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hanse.governance.chain import ChainEntry, Head
from hanse.node.home import tables
from hanse.node.home.audit_writer import CHAIN_BEGUN
from hanse.node.home.codec import instant, moment

if TYPE_CHECKING:
    from hanse.node.home.home import Home

_PAGE = 500
_ENTRY = tables.AUDIT_ENTRY.c


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did: the entry as opened and, once known, how it ended."""

    domain: str
    id: str  # of the entry
    entry: Mapping[str, Any]
    closed: Mapping[str, Any] | None

    @property
    def at(self) -> str:
        return str(self.entry.get("at") or self.entry.get("written") or "")

    @property
    def principal(self) -> str:
        return str(self.entry.get("principal", ""))

    @property
    def products(self) -> tuple[str, ...]:
        """The products it was about, as `domain/name`."""
        named = [str(self.entry["product"])] if self.entry.get("product") else []
        named += [product_of(table.get("table", "")) for table in self.entry.get("tables", ())]
        return tuple(dict.fromkeys(filter(None, named)))


def product_of(table: str) -> str:
    """`sales/orders` of `sales.orders_v1.lines`; empty when it is no such name."""
    parts = table.split(".")
    return f"{parts[0]}/{parts[1].rpartition('_v')[0]}" if len(parts) == 3 and "_v" in parts[1] else ""


def acts(home: Home, since: datetime | None = None, principal: str | None = None) -> Iterator[Act]:
    """Every act of the home from `since` on, newest first; only those of `principal`, if given."""
    closings: dict[str, Mapping[str, Any]] = {}
    for id, said in _newest_first(home, since, principal):
        if said.get("act") == "closed":
            closings[str(said.get("opened"))] = said
        elif said.get("act") != CHAIN_BEGUN and (principal is None or said.get("principal") == principal):
            yield Act(home.domain, id, said, closings.pop(id, None))


def _newest_first(home: Home, since: datetime | None, principal: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    wanted = sa.select(_ENTRY.id, _ENTRY.body, _ENTRY.at, _ENTRY.chain, _ENTRY.number)
    wanted = wanted.order_by(_ENTRY.at.desc(), _ENTRY.chain.desc(), _ENTRY.number.desc())
    if since is not None:
        wanted = wanted.where(_ENTRY.at >= instant(since))
    if principal is not None:
        mark = json.dumps({"principal": principal}, separators=(",", ":"), ensure_ascii=False)[1:-1]
        wanted = wanted.where(sa.or_(_ENTRY.body.contains(mark, autoescape=True), _ENTRY.body.contains('"opened":')))
    after: tuple[str, str, int] | None = None
    while True:
        page = wanted
        if after is not None:
            page = page.where(sa.tuple_(_ENTRY.at, _ENTRY.chain, _ENTRY.number) < sa.tuple_(*map(sa.literal, after)))
        with home.store.database.read() as connection:
            rows = connection.execute(page.limit(_PAGE)).all()
        for row in rows:
            yield row.id, json.loads(row.body)
        if len(rows) < _PAGE:
            return
        after = (rows[-1].at, rows[-1].chain, rows[-1].number)


def chains(home: Home) -> Iterator[tuple[str, list[ChainEntry], list[Head]]]:
    """Each chain of the home: its entries and signed heads, by number."""
    head = tables.AUDIT_HEAD.c
    with home.store.database.read() as connection:
        named = {row[0] for row in connection.execute(sa.select(_ENTRY.chain).distinct())}
        named |= {row[0] for row in connection.execute(sa.select(head.chain).distinct())}
    for chain in sorted(named):
        with home.store.database.read() as connection:
            entries = connection.execute(
                sa.select(_ENTRY.number, _ENTRY.body, _ENTRY.link).where(_ENTRY.chain == chain).order_by(_ENTRY.number)
            ).all()
            heads = connection.execute(
                sa.select(head.count, head.last, head.at, head.signature)
                .where(head.chain == chain)
                .order_by(head.count)
            ).all()
        yield (
            chain,
            [ChainEntry(row.number, _read(row.body), row.link) for row in entries],
            [Head(chain, row[0], row.last, moment(row.at), row.signature) for row in heads],
        )


def _read(body: str) -> Mapping[str, Any]:
    """An entry; a damaged one becomes one that no link fits."""
    try:
        said = json.loads(body)
    except ValueError:
        return {"damaged": True}
    return said if isinstance(said, dict) else {"damaged": True}
