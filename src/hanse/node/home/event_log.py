"""The events of a home: its outbox, and what may be read again, in order."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hanse.names import ProductId
from hanse.node.home import tables
from hanse.node.home.codec import instant, moment, text
from hanse.node.home.database import Database
from hanse.node.home.rows import once, put
from hanse.node.home.values import HomeEvent

Clock = Callable[[], datetime]
_EVENT_CLOCK = "event-clock"  # key of the table meta: when the last event was
_NEVER = "2000-01-01T00:00:00.000000Z"


class EventLog:
    """What happened in one domain, and the small facts of its store that have no table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock

    def meta(self, key: str) -> str | None:
        with self.database.read() as connection:
            return connection.scalar(sa.select(tables.META.c.value).where(tables.META.c.key == key))

    def put_meta(self, connection: Connection, key: str, value: str) -> None:
        put(connection, tables.META, {"key": key}, {"value": value})

    def begin_events(self) -> None:
        """Make the row that tellers of events lock, once in the life of a store."""
        if self.last_event() is None:
            with self.database.write() as connection:
                last = connection.scalar(sa.select(sa.func.max(tables.EVENT.c.at)))
                once(connection, tables.META, {"key": _EVENT_CLOCK}, {"value": last or _NEVER})

    def tell(self, connection: Connection, name: str, product: ProductId | None, body: Mapping[str, Any]) -> None:
        """Put an event into the outbox, in the transaction of what it tells.

        Events of a home are at instants of their own, one after the other, also where a clock goes back.
        """
        at = self.clock()
        clock = tables.META.c.key == _EVENT_CLOCK
        # the row stays locked until the transaction ends: who tells next comes after
        connection.execute(sa.update(tables.META).where(clock).values(value=tables.META.c.value))
        last = connection.scalar(sa.select(tables.META.c.value).where(clock))
        if last is not None:
            at = max(at, moment(last) + timedelta(microseconds=1))
        self.put_meta(connection, _EVENT_CLOCK, instant(at))
        values = {"name": name, "product": product.name if product else None, "body": text(dict(body))}
        connection.execute(sa.insert(tables.EVENT).values(**values, at=instant(at), delivered=False))

    def events(self, after: int = 0, most: int = 1000, *, undelivered: bool = False) -> list[HomeEvent]:
        """Events in order, those with a number above `after`."""
        wanted = sa.select(tables.EVENT).where(tables.EVENT.c.number > after)
        if undelivered:
            wanted = wanted.where(tables.EVENT.c.delivered.is_(False))
        return self._events(wanted.order_by(tables.EVENT.c.number).limit(most))

    def events_of(
        self,
        names: Collection[str],
        products: Collection[ProductId] | None,
        after: str,
        most: int,
        *,
        newest: bool = False,
    ) -> list[HomeEvent]:
        """Events of those names and products (None: of any) later than the instant `after`, in order.

        The first `most`, or with `newest` the last.
        """
        event = tables.EVENT.c
        wanted = sa.select(tables.EVENT).where(event.name.in_(names), event.at > after)
        if products is not None:
            wanted = wanted.where(event.product.in_([one.name for one in products]))
        found = self._events(wanted.order_by(event.number.desc() if newest else event.number).limit(most))
        return found[::-1] if newest else found

    def last_event(self) -> str | None:
        """When the last event was."""
        return self.meta(_EVENT_CLOCK)

    def _events(self, wanted: sa.Select[Any]) -> list[HomeEvent]:
        with self.database.read() as connection:
            rows = connection.execute(wanted).all()
        return [HomeEvent(r.number, r.name, r.product, json.loads(r.body), moment(r.at)) for r in rows]

    def delivered(self, up_to: int) -> None:
        """Note that the events up to this number were handed on."""
        with self.database.write() as connection:
            connection.execute(
                sa.update(tables.EVENT)
                .where(tables.EVENT.c.number <= up_to, tables.EVENT.c.delivered.is_(False))
                .values(delivered=True)
            )
