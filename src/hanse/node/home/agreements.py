"""Requests and grants as the home keeps them; who may decide what lives in `steps/access.py`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from hanse.governance.decision import Grant
from hanse.names import ProductId
from hanse.node.home import tables
from hanse.node.home.codec import instant, moment, text
from hanse.node.home.store import Store
from hanse.node.home.values import AccessRequest


class Agreements:
    """Requests and grants of one domain. Ids name the home: `r-sales-7`, `g-sales-3`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def grants(self, product: ProductId | None = None) -> list[Grant]:
        """Every grant, ended and revoked ones too, oldest first."""
        wanted = sa.select(tables.GRANT).order_by(tables.GRANT.c.since, tables.GRANT.c.id)
        if product is not None:
            wanted = wanted.where(tables.GRANT.c.product == product.name)
        with self._store.database.read() as connection:
            return [self._grant(row) for row in connection.execute(wanted)]

    def grant(self, id: str) -> Grant | None:
        with self._store.database.read() as connection:
            row = connection.execute(sa.select(tables.GRANT).where(tables.GRANT.c.id == id)).one_or_none()
        return None if row is None else self._grant(row)

    def signature(self, id: str) -> str | None:
        with self._store.database.read() as connection:
            return connection.scalar(sa.select(tables.GRANT.c.signature).where(tables.GRANT.c.id == id))

    def next_grant_id(self, connection: Connection) -> str:
        return f"g-{self._store.domain}-{self._store.next_number(connection, 'grant')}"

    def put_grant(self, connection: Connection, grant: Grant, signature: str, request: str | None) -> None:
        connection.execute(
            sa.insert(tables.GRANT).values(
                id=grant.id,
                product=grant.product.name,
                whom=grant.to,
                columns=None if grant.columns is None else text(sorted(grant.columns)),
                ceiling=grant.ceiling,
                purposes=text(sorted(grant.purposes)),
                since=instant(grant.since),
                until=instant(grant.until),
                by=grant.by,
                why=grant.why,
                request=request,
                signature=signature,
            )
        )

    def change_grant(self, connection: Connection, grant: Grant, signature: str) -> None:
        """Keep a new end or a revocation; nothing else of a grant ever changes."""
        connection.execute(
            sa.update(tables.GRANT)
            .where(tables.GRANT.c.id == grant.id)
            .values(
                until=instant(grant.until),
                revoked_at=None if grant.revoked_at is None else instant(grant.revoked_at),
                signature=signature,
            )
        )

    def requests(self, status: str | None = None) -> list[AccessRequest]:
        wanted = sa.select(tables.REQUEST).order_by(tables.REQUEST.c.at, tables.REQUEST.c.id)
        if status is not None:
            wanted = wanted.where(tables.REQUEST.c.status == status)
        with self._store.database.read() as connection:
            return [self._request(row) for row in connection.execute(wanted)]

    def request(self, id: str) -> AccessRequest | None:
        with self._store.database.read() as connection:
            row = connection.execute(sa.select(tables.REQUEST).where(tables.REQUEST.c.id == id)).one_or_none()
        return None if row is None else self._request(row)

    def put_request(self, connection: Connection, **values: Any) -> str:
        """File a request; return its id."""
        id = f"r-{self._store.domain}-{self._store.next_number(connection, 'request')}"
        columns: tuple[str, ...] | None = values.pop("columns")
        until: datetime = values.pop("until")
        product: ProductId = values.pop("product")
        connection.execute(
            sa.insert(tables.REQUEST).values(
                id=id,
                product=product.name,
                columns=None if columns is None else text(list(columns)),
                until=instant(until),
                at=instant(self._store.clock()),
                status="waiting",
                **values,
            )
        )
        return id

    def decide_request(
        self, connection: Connection, id: str, status: str, by: str, note: str | None, grant: str | None
    ) -> bool:
        """Approve or refuse a request that waits; False when it no longer does."""
        done = connection.execute(
            sa.update(tables.REQUEST)
            .where(tables.REQUEST.c.id == id, tables.REQUEST.c.status == "waiting")
            .values(status=status, decided_by=by, decided_at=instant(self._store.clock()), note=note, grant=grant)
        )
        return done.rowcount == 1

    def _grant(self, row: Row[Any]) -> Grant:
        return Grant(
            row.id,
            ProductId(self._store.domain, row.product),
            row.whom,
            None if row.columns is None else frozenset(json.loads(row.columns)),
            row.ceiling,
            frozenset(json.loads(row.purposes)),
            moment(row.since),
            moment(row.until),
            None if row.revoked_at is None else moment(row.revoked_at),
            row.by,
            row.why,
        )

    def _request(self, row: Row[Any]) -> AccessRequest:
        return AccessRequest(
            row.id,
            ProductId(self._store.domain, row.product),
            row.whom,
            None if row.columns is None else tuple(json.loads(row.columns)),
            row.purpose,
            moment(row.until),
            row.why,
            row.by,
            moment(row.at),
            row.status,
            row.decided_by,
            None if row.decided_at is None else moment(row.decided_at),
            row.note,
            row.grant,
        )
