"""Who follows which product of a home."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hanse.names import ProductId
from hanse.node.home import tables
from hanse.node.home.codec import instant
from hanse.node.home.rows import once
from hanse.node.home.store import Store

_FOLLOW = tables.FOLLOW.c


class Follows:
    """Followers of one home's products, by the ids of principals."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, whom: str) -> frozenset[ProductId]:
        """The products that `whom` follows."""
        with self._store.database.read() as connection:
            found = connection.scalars(sa.select(_FOLLOW.product).where(_FOLLOW.whom == whom)).all()
        return frozenset(ProductId(self._store.domain, name) for name in found)

    def add(self, connection: Connection, whom: str, product: ProductId) -> None:
        """Let `whom` follow `product`; once is enough."""
        key = {"whom": whom, "product": product.name}
        once(connection, tables.FOLLOW, key, {"since": instant(self._store.clock())})

    def remove(self, connection: Connection, whom: str, product: ProductId) -> None:
        """Let `whom` no longer follow `product`."""
        mine = sa.and_(_FOLLOW.whom == whom, _FOLLOW.product == product.name)
        connection.execute(sa.delete(tables.FOLLOW).where(mine))
