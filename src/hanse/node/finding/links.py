"""Which product is made from which, as far as a reader may know of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from hanse.names import ProductId, TableId

if TYPE_CHECKING:
    from hanse.node.finding.reader import Reader
    from hanse.node.home.values import Published

_PINNED = "_v"


@dataclass(frozen=True)
class Links:
    """The links between the products that a reader may know of, by the contracts that their input ports name."""

    reader: Reader

    @cached_property
    def offers(self) -> Mapping[str, ProductId]:
        """Contract id → the product that offers it, of the port lines of which a table may be known."""
        found: dict[str, ProductId] = {}
        for domain in self.reader.tables:
            found |= self._of(domain)[0]
        return found

    @cached_property
    def _readers(self) -> Mapping[ProductId, frozenset[ProductId]]:
        found: dict[ProductId, set[ProductId]] = {}
        for domain in self.reader.tables:
            for product, contracts in self._of(domain)[1].items():
                for contract in contracts:
                    if contract in self.offers:
                        found.setdefault(self.offers[contract], set()).add(product)
        return {product: frozenset(readers) for product, readers in found.items()}

    def up(self, product: ProductId) -> list[ProductId]:
        """What a product is made from."""
        contracts = self._of(product.domain)[1].get(product, ())
        return sorted({self.offers[one] for one in contracts if one in self.offers} - {product})

    def down(self, product: ProductId) -> list[ProductId]:
        """What is made from a product."""
        return sorted(self._readers.get(product, frozenset()) - {product})

    def columns(self, published: Published) -> Iterator[tuple[tuple[TableId, str], list[tuple[TableId, str]] | None]]:
        """Each column with those that it is made of; None where that cannot be told."""
        for _, table, facts in self.reader.lines(published):
            told = published.lineage.get(str(facts.id))
            hidden = self.reader.hidden(facts)
            for column in table.columns if told is not None else ():
                if (column.name,) not in hidden:
                    origins = (told or {}).get("columns", {}).get(column.name)
                    yield (facts.id, column.name), None if origins is None else sorted(set(self._known(origins)))

    def _known(self, origins: list[list[object]]) -> Iterator[tuple[TableId, str]]:
        for address, column in origins:
            table = self._table(tuple(map(str, address))) if isinstance(address, list) else None
            if table is None:
                continue  # a source of the product's own, or what the reader may not know of
            facts = next(one for one in self.reader.home(table.product).facts(table.product) if one.id == table)
            names = {one.path[0].lower(): one.path[0] for one in facts.columns if len(one.path) == 1}
            name = names.get(str(column).lower())
            if name is not None and (name,) not in self.reader.hidden(facts):
                yield table, name

    def _table(self, address: tuple[str, ...]) -> TableId | None:
        """The table at `domain, product_v1[, table]`, if it may be known of."""
        if len(address) not in (2, 3):
            return None
        stem, _, digits = address[1].rpartition(_PINNED)
        pinned = bool(stem) and digits.isdigit()
        product = ProductId(address[0], stem if pinned else address[1])
        published = self.reader.published(product)
        if published is None:
            return None
        major = int(digits) if pinned else published.default_major
        name = address[2] if len(address) == 3 else published.main.get(major)
        table = TableId(product, major, name) if name is not None else None
        return table if table is not None and self.reader.knows(table) else None

    def _of(self, domain: str) -> tuple[Mapping[str, ProductId], Mapping[ProductId, tuple[str, ...]]]:
        home = self.reader.node.homes.get(domain)
        if home is None:
            return {}, {}
        tables, published = self.reader.tables[domain], home.published()
        return self.reader.node.index.links(partial(_of, tables, published), tables, published)


def _of(
    tables: frozenset[TableId], published: Mapping[ProductId, Published]
) -> tuple[Mapping[str, ProductId], Mapping[ProductId, tuple[str, ...]]]:
    """What a domain's known products offer by contract, and the contracts that each of them reads."""
    offers: dict[str, ProductId] = {}
    needs: dict[ProductId, tuple[str, ...]] = {}
    for product in {table.product for table in tables}:
        one = published[product]
        needs[product] = tuple(port.contract_id for port in one.product.inputs if port.contract_id)
        for line, state in one.lines.items():
            if any(TableId(product, line.major, table.name) in tables for table in state.contract.tables):
                offers[state.contract.id] = product
    return offers, needs
