"""default: let the unpinned address of a product mean another major; a new major never moves it by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hanse.governance.decision import Principal
from hanse.names import ProductId
from hanse.node.planning.consumers import unpinned
from hanse.node.publications import NotPublished, again

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.home.values import Publication
    from hanse.node.node import Node


@dataclass(frozen=True, slots=True)
class DefaultMoved:
    """The publication that moved the unpinned address, and who read it unpinned in 30 days."""

    product: ProductId
    major: int
    sequence: int
    readers: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "hanse.default/1",
            "product": str(self.product),
            "major": self.major,
            "sequence": self.sequence,
            "readers": list(self.readers),
        }


def default(node: Node, product: ProductId, major: int, *, principal: Principal) -> DefaultMoved:
    """Move the unpinned address of `product` to `major`, which must be published. Raises `NotPublished`."""
    readers: tuple[str, ...] = ()

    def moved(home: Home, now: Publication) -> Publication:
        nonlocal readers
        majors = sorted({one.line.major for one in now.lines})
        if major not in majors:
            raise NotPublished(f"{product} has no major {major}", mend=f"one of: {', '.join(map(str, majors))}")
        if major == now.default_major:
            raise NotPublished(
                f"the unpinned address of {product} means major {major} already", mend=f"hanse show {product}"
            )
        readers = unpinned(node, home, product)
        return replace(now, kind="default", default_major=major, key=f"default-{now.sequence}-{major}")

    made = again(node, product, principal, act="product.default-moved", change=moved, facts={"major": major})
    return DefaultMoved(product, major, made.sequence, readers)
