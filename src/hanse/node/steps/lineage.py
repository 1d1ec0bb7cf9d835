"""lineage: what a product is made from and what is made from it, of what the reader may know of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hanse.errors import HanseError, Kind, code
from hanse.governance.decision import Request
from hanse.names import ProductId, TableId
from hanse.node.catalog import PRODUCT
from hanse.node.finding.health import Health, health
from hanse.node.finding.links import Links
from hanse.node.finding.reader import Reader

if TYPE_CHECKING:
    from hanse.node.home.values import Published
    from hanse.node.node import Node

DEEPEST = 50
_MOST = 1000  # products in one answer


class LineageTooWide(HanseError):
    kind = Kind.INVALID
    code = code(
        "lineage.too-wide",
        Kind.INVALID,
        "The lineage holds too many products for one answer",
        "An answer tells every product it speaks of, so a part of a lineage never passes for the whole.",
        "Ask for fewer steps, or one direction: hanse lineage PRODUCT --up --depth 2",
    )


@dataclass(frozen=True, slots=True)
class Member:
    """A product of a lineage, and how many steps it is away: above 0 downstream, below 0 upstream."""

    product: ProductId
    title: str
    version: str
    status: str
    health: Health
    steps: int

    def as_json(self) -> dict[str, Any]:
        return {
            "product": str(self.product),
            "title": self.title,
            "version": self.version,
            "status": self.status,
            "steps": self.steps,
            **self.health.as_json(),
        }


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """A column, and those that it is made of; None where that cannot be told."""

    table: TableId
    column: str
    made_of: tuple[tuple[TableId, str], ...] | None

    def as_json(self) -> dict[str, Any]:
        origins = None if self.made_of is None else [{"table": str(t), "column": c} for t, c in self.made_of]
        return {"table": str(self.table), "column": self.column, "made_of": origins}


@dataclass(frozen=True, slots=True)
class Lineage:
    """Products and the links between them, from the source to what is made of it."""

    product: ProductId
    members: tuple[Member, ...]
    links: tuple[tuple[ProductId, ProductId], ...]
    columns: tuple[ColumnLine, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "hanse.lineage/1",
            "product": str(self.product),
            "from": [str(source) for source, made in self.links if made == self.product],
            "to": [str(made) for source, made in self.links if source == self.product],
            "products": [member.as_json() for member in self.members],
            "links": [{"from": str(source), "to": str(made)} for source, made in self.links],
            "columns": [line.as_json() for line in self.columns],
        }


def lineage(
    node: Node,
    request: Request,
    product: ProductId,
    *,
    up: int = 1,
    down: int = 1,
    columns: bool = False,
) -> Lineage | None:
    """What `product` is made from, `up` steps of it, and what is made from it; None when it may not be known of.

    A neighbour that the reader may not discover is left out, with all that is reached through it only. Raises
    `LineageTooWide`.
    """
    if product == PRODUCT and node.names.visible_catalogue(request):
        return _catalogue(node.catalog(request).publication)
    reader = Reader.of(node, request)
    if reader.published(product) is None:
        return None
    links = Links(reader)
    above = _reached(links.up, product, min(up, DEEPEST))
    below = _reached(links.down, product, min(down, DEEPEST))
    steps = {one: -far for one, far in above.items()} | {one: far for one, far in below.items() if one not in above}
    # each step that was taken, not what else there is between the same products
    taken = {(source, one) for one, far in above.items() if far < up for source in links.up(one)}
    taken |= {(one, made) for one, far in below.items() if far < down for made in links.down(one)}
    order = sorted(steps, key=lambda one: (steps[one], one))
    return Lineage(
        product,
        tuple(_member(reader, one, steps[one]) for one in order),
        tuple(sorted(taken)),
        tuple(_columns(reader, links, order)) if columns else (),
    )


def _catalogue(published: Published) -> Lineage:
    """The catalogue tells of all that is published, and is made from no product."""
    version = str(next(iter(published.lines.values())).version)
    told = Health("", "", published.at)
    return Lineage(PRODUCT, (Member(PRODUCT, published.product.title, version, published.status, told, 0),), ())


def _reached(step: Callable[[ProductId], list[ProductId]], start: ProductId, depth: int) -> dict[ProductId, int]:
    """Every product within `depth` steps, with how far it is; a circle ends where it began."""
    found, edge = {start: 0}, [start]
    for far in range(1, depth + 1):
        edge = [one for one in dict.fromkeys(next_ for one in edge for next_ in step(one)) if one not in found]
        found |= dict.fromkeys(edge, far)
        if len(found) > _MOST:
            raise LineageTooWide(
                f"more than {_MOST} products are within {far} steps of {start}", mend=f"ask for {far - 1} steps"
            )
    return found


def _member(reader: Reader, product: ProductId, steps: int) -> Member:
    published = reader.home(product).published()[product]
    lines = [line for line, _, _ in reader.lines(published)]
    line = next((one for one in lines if one.major == published.default_major), lines[0])
    version = str(published.lines[line].version)
    return Member(product, published.product.title, version, published.status, health(reader, published), steps)


def _columns(reader: Reader, links: Links, products: list[ProductId]) -> list[ColumnLine]:
    return [
        ColumnLine(table, column, None if origins is None else tuple(origins))
        for product in products
        for (table, column), origins in links.columns(reader.home(product).published()[product])
    ]
