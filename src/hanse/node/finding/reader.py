"""What one reader may know of: the tables, and which of their columns do not exist for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from hanse.governance.columns import can_hide
from hanse.governance.decide import decide
from hanse.governance.decision import Action, ColumnPath, Decision, Hidden, Request, TableFacts
from hanse.names import PortLine, ProductId, TableId
from hanse.node.access.parties import ALL_SCOPES
from hanse.node.permission import allowed
from hanse.spec.model import Table

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.home.values import Published
    from hanse.node.node import Node

_NONE: frozenset[ColumnPath] = frozenset()


@dataclass(frozen=True)
class Reader:
    """A request with what it may discover now."""

    node: Node
    request: Request
    tables: Mapping[str, frozenset[TableId]]  # by domain

    @classmethod
    def of(cls, node: Node, request: Request) -> Reader:
        return cls(node, request, node.names.discovered(request))

    @cached_property
    def products(self) -> frozenset[ProductId]:
        """The products of which a table may be known."""
        return frozenset(id.product for ids in self.tables.values() for id in ids)

    def knows(self, table: TableId) -> bool:
        return table in self.tables.get(table.product.domain, ())

    def published(self, product: ProductId) -> Published | None:
        """What is published of a product, if the reader may know of it."""
        home = self.node.find(product.domain)
        known = home is not None and any(self.knows(facts.id) for facts in home.facts(product))
        return home.published()[product] if home is not None and known else None

    def lines(self, published: Published) -> Iterator[tuple[PortLine, Table, TableFacts]]:
        """The tables of a product that may be known of, with their port lines."""
        facts = {one.id: one for one in self.home(published.product.id).facts(published.product.id)}
        for line, state in sorted(published.lines.items()):
            for table in state.contract.tables:
                id = TableId(published.product.id, line.major, table.name)
                if id in facts and self.knows(id):
                    yield line, table, facts[id]

    def decides(self, domain: str) -> bool:
        """Whether the reader is one of those who decide on access in a domain: its grants and policies are theirs."""
        home = self.node.homes[domain]
        asking = [one for one in (self.request.principal, self.request.on_behalf_of) if one is not None]
        return all(allowed(self.node, home, replace(one, scopes=ALL_SCOPES), Action.APPROVE)[0] for one in asking)

    def home(self, product: ProductId) -> Home:
        return self.node.homes[product.domain]

    def decision(self, facts: TableFacts) -> Decision:
        home = self.home(facts.product)
        return decide(self.request, facts, home.grants(facts.product), home.policies())

    def until(self, product: ProductId, decisions: Iterable[Decision]) -> datetime | None:
        """When the last of the grants ends that these decisions rest on."""
        held = {id for decision in decisions if decision.allowed for id in decision.grants}
        return max((grant.until for grant in self.home(product).grants(product) if grant.id in held), default=None)

    def may_hide(self, domain: str) -> bool:
        """Whether there may be columns in the domain that do not exist for the reader."""
        hides = any(isinstance(rule.view, Hidden) for rule in self.node.homes[domain].policies().masks)
        return hides or self.request.on_behalf_of is not None

    def hidden(self, facts: TableFacts) -> frozenset[ColumnPath]:
        """The columns of a table that do not exist for the reader."""
        if self.request.on_behalf_of is None and not can_hide(facts, self.home(facts.product).policies()):
            return _NONE
        views = self.decision(facts).columns
        return frozenset(path for path, view in views.items() if isinstance(view, Hidden))
