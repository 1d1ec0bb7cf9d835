"""The catalogue's rows of what is published, each product's made once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hanse.governance.catalog import CATALOG, Row, catalog_rows, policy_rows
from hanse.governance.catalog_view import View
from hanse.governance.policies import Policies
from hanse.names import ProductId
from hanse.node.finding.links import Links
from hanse.node.finding.reader import Reader
from hanse.spec.model import BuildFile, Domain, ProductFiles, Project

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.home.values import Published

_MadeOf = tuple["Published", Policies, "Domain | None"]


@dataclass(slots=True)
class Rows:
    """The rows of every product by the table they are of; made anew when what is published of it, or governs it, is."""

    _made: dict[ProductId, tuple[_MadeOf, Mapping[str, list[Row]]]] = field(default_factory=dict)

    def of(self, name: str, reader: Reader, view: View) -> Iterator[Row]:
        """The rows of the table `name` that the reader may know of, by product."""
        for domain in sorted(reader.tables):
            home = reader.node.homes[domain]
            if name == "policies":
                if reader.tables[domain]:
                    own = domain in view.decides
                    yield from policy_rows(domain, home.policies(), reader.tables[domain], own=own)
            elif name == "grants":
                grants = view.grants([one for held in home.published() for one in home.grants(held)])
                yield from catalog_rows(_NOTHING, {}, grants)[name]
            else:
                for product in sorted({table.product for table in reader.tables[domain]}):
                    yield from view.rows(name, product, self._product(home, product))

    def _product(self, home: Home, product: ProductId) -> Mapping[str, list[Row]]:
        made_of = (home.published()[product], home.policies(), home.team)
        held = self._made.get(product)
        if held is None or any(one is not other for one, other in zip(held[0], made_of, strict=True)):
            held = self._made[product] = (made_of, _rows(home, product))
        return held[1]


_NOTHING = Project(None, {}, {}, {}, {}, {}, {})


def _rows(home: Home, product: ProductId) -> Mapping[str, list[Row]]:
    published, team = home.published()[product], home.team
    domains = {home.domain: team} if team is not None else {}
    whole = replace(_NOTHING, domains=domains, products={product: _files(home, published)})
    found = catalog_rows(whole, {home.domain: home.policies()})
    return {name: found[name] for name in CATALOG if name not in ("policies", "grants")}


def _files(home: Home, published: Published) -> ProductFiles:
    """The product as it was published; of its build file only whether there is one."""
    place = published.product.place
    folder = place.file.rpartition("/")[0]
    texts = home.store.texts(published.bundle) or {}
    beside = {path.removeprefix(f"{folder}/"): text for path, text in texts.items()}
    build = BuildFile((), (), frozenset(), {}, "", place) if "build.yaml" in beside else None
    contracts = {line: state.contract for line, state in published.lines.items()}
    return ProductFiles(replace(published.product, status=published.status), contracts, build, beside)


def view_of(reader: Reader) -> View:
    """What the reader may know of the mesh."""
    hidden = {
        facts.id: gone
        for domain, tables in reader.tables.items()
        if reader.may_hide(domain)
        for product in {table.product for table in tables}
        for facts in reader.node.homes[domain].facts(product)
        if facts.id in tables and (gone := reader.hidden(facts))
    }
    asking = [one for one in (reader.request.principal, reader.request.on_behalf_of) if one is not None]
    holds = [frozenset({one.id, *(f"team:{team}" for team in one.teams)}) for one in asking]
    return View(
        frozenset(table for tables in reader.tables.values() for table in tables),
        hidden,
        Links(reader).offers,
        frozenset.intersection(*holds),
        frozenset(domain for domain, tables in reader.tables.items() if tables and reader.decides(domain)),
    )
