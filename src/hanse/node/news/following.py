"""Follow a product, and leave it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanse.governance.decision import Principal
from hanse.names import ProductId
from hanse.node.access.parties import home_of_published

if TYPE_CHECKING:
    from hanse.node.node import Node


def follow(node: Node, principal: Principal, product: ProductId) -> None:
    """Let `principal` follow a product that they may discover; once is enough. Raises `UnknownProduct`."""
    home = home_of_published(node, principal, product)
    if product in home.follows.of(principal.id):
        return
    with home.change() as change:
        home.follows.add(change.connection, principal.id, product)
        change.append(_entry(node, principal, product, "product.followed"))


def unfollow(node: Node, principal: Principal, product: ProductId) -> None:
    """Let `principal` no longer follow a product, also one that they may no longer discover.

    Whoever did not follow it is as before; raises `UnknownProduct` for one that they may not discover.
    """
    home = node.find(product.domain)
    if home is None or product not in home.follows.of(principal.id):
        home_of_published(node, principal, product)
        return
    with home.change() as change:
        home.follows.remove(change.connection, principal.id, product)
        change.append(_entry(node, principal, product, "product.unfollowed"))


def followed(node: Node, principal: Principal) -> frozenset[ProductId]:
    """The products that `principal` follows."""
    return frozenset(product for home in node.homes.values() for product in home.follows.of(principal.id))


def _entry(node: Node, principal: Principal, product: ProductId, act: str) -> dict[str, object]:
    return {
        "act": act,
        "at": node.clock().isoformat(),
        "principal": principal.id,
        "teams": sorted(principal.teams),
        "product": str(product),
        "outcome": "done",
    }
