"""Who reads a product: by the owner's audit of 30 days, the grants that hold, and the latest builds of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from hanse.governance.grants import is_live
from hanse.names import ProductId
from hanse.node import ledger
from hanse.node.planning.value import Consumer

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.node import Node

WINDOW = timedelta(days=30)
_MOST_ENTRIES = 200_000

Columns = Mapping[tuple[int, str], frozenset[str]]  # (major, table) → columns; an empty set is the whole table


@dataclass(slots=True)
class _Reader:
    reads: int = 0
    columns: dict[tuple[int, str], set[str]] = field(default_factory=dict)
    known: bool = False  # whether it is known which columns are read

    def add(self, table: tuple[int, str], columns: set[str]) -> None:
        self.columns.setdefault(table, set()).update(columns)
        self.known = True


def readers(node: Node, home: Home) -> Mapping[ProductId, Mapping[str, _Reader]]:
    """The readers of every product of a home, by principal (or grantee) id; the owner's own reads count, too."""
    found: dict[ProductId, dict[str, _Reader]] = {}

    def of(product: ProductId, who: str) -> _Reader:
        return found.setdefault(product, {}).setdefault(who, _Reader())

    since = node.clock() - WINDOW
    for act in islice(ledger.acts(home, since), _MOST_ENTRIES):
        if act.entry.get("decision") != "allowed":
            continue
        for table in act.entry.get("tables", ()):
            key = _table(str(table.get("table", "")))
            if key is not None:
                reader = of(key[0], act.principal)
                reader.reads += 1
                reader.add(key[1:], {str(column) for column in table.get("columns", ())})
    now = node.clock()
    for grant in home.agreements.grants():
        if is_live(grant, now):
            of(grant.product, grant.to)
    for other in node.homes.values():
        for id, published in other.published().items():
            for address, columns in _origins(published.lineage).items():
                key = _table(".".join(address))
                if key is not None and key[0].domain == home.domain and key[0] != id:
                    of(key[0], f"product:{id}").add(key[1:], columns)
    return found


def consumers(readers: Mapping[str, _Reader], changed: Columns, *, everything: bool = False) -> tuple[Consumer, ...]:
    """The readers as the plan tells them; `changed` columns touch whoever reads them, or might."""
    told = []
    for who, reader in sorted(readers.items()):
        touched = everything or any(
            not reader.known
            or (table in reader.columns and (not columns or not columns.isdisjoint(reader.columns[table])))
            for table, columns in changed.items()
        )
        names = tuple(sorted({name for columns in reader.columns.values() for name in columns}))
        told.append(Consumer(who, names if reader.known else None, reader.reads, touched))
    return tuple(told)


def unpinned(node: Node, home: Home, product: ProductId) -> tuple[str, ...]:
    """Who read `product` in 30 days by its unpinned address; reads of before that was recorded count as such."""
    found: set[str] = set()
    for act in islice(ledger.acts(home, node.clock() - WINDOW), _MOST_ENTRIES):
        for table in act.entry.get("tables", ()):
            key = _table(str(table.get("table", "")))
            name = str(table.get("called", product.sql))
            if key is not None and key[0] == product and name.split(".")[1:2] == [product.name]:
                found.add(act.principal)
    return tuple(sorted(found))


def _table(address: str) -> tuple[ProductId, int, str] | None:
    """`sales.orders_v1.lines` as its parts."""
    parts = address.split(".")
    if len(parts) != 3:
        return None
    product, _, major = parts[1].rpartition("_v")
    return (ProductId(parts[0], product), int(major), parts[2]) if product and major.isdigit() else None


def _origins(lineage: Mapping[str, object]) -> dict[tuple[str, ...], set[str]]:
    """The columns that a publication says it is made of, by the address of their table."""
    found: dict[tuple[str, ...], set[str]] = {}
    for made in lineage.values():
        if not isinstance(made, Mapping):
            continue
        for table in made.get("tables", ()):
            found.setdefault(tuple(table), set())
        for origins in made.get("columns", {}).values():
            for table, column in origins or ():
                found.setdefault(tuple(table), set()).add(column)
    return found
