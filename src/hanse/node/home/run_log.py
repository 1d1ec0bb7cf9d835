"""The runs that schedules began in a home, with their logs: what waits, what goes on, and the last that ended."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from hanse.names import ProductId
from hanse.node.home import tables
from hanse.node.home.codec import instant, moment, text
from hanse.node.home.store import Store

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
SCHEDULE, INPUT = "schedule", "input"
KEPT = 100  # runs of a product whose logs stay
_MOST_EVENTS = 10_000  # of one run
_RUN = tables.RUN.c


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """A run as it stands. `because` is schedule or input; `merged` counts the further reasons it stands for."""

    id: str
    product: ProductId
    because: str
    state: str
    due_at: datetime
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    merged: int
    starts: int
    sequence: int | None
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None

    @property
    def ended(self) -> bool:
        return self.state not in (WAITING, RUNNING)


class RunLog:
    """Runs of one home. Every change is durable when its call returns."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._database, self._domain, self._clock, self._store = store.database, store.domain, clock, store
        self.news = True  # whether something may wait that did not before

    def queue(self, product: ProductId, because: str, due_at: datetime) -> ScheduledRun:
        """Let a run of `product` wait; one that waits already stands for this reason too."""
        now = instant(self._clock())
        with self._database.write() as connection:
            of = sa.and_(_RUN.product == product.name, _RUN.state == WAITING)
            merged = sa.update(tables.RUN).where(of).values(queued_at=now, merged=_RUN.merged + 1)
            if connection.execute(merged).rowcount == 0:
                values = {"id": f"run-{secrets.token_hex(6)}", "product": product.name, "because": because}
                values |= {"state": WAITING, "due_at": instant(due_at), "queued_at": now}
                connection.execute(sa.insert(tables.RUN).values(**values, merged=0, starts=0))
                self._forget(connection, product)
            self.news = True
            return self._read(connection.execute(sa.select(tables.RUN).where(of)).one())

    def begin(self, id: str) -> bool:
        """Let a waiting run go on; False when it waits no longer."""
        values = {"state": RUNNING, "started_at": instant(self._clock()), "starts": _RUN.starts + 1}
        with self._database.write() as connection:
            waiting = sa.and_(_RUN.id == id, _RUN.state == WAITING)
            return connection.execute(sa.update(tables.RUN).where(waiting).values(**values)).rowcount == 1

    def tell(self, id: str, kind: str, words: str, data: Mapping[str, Any]) -> None:
        """Add a line to the log of a run, up to a bound."""
        with self._database.write() as connection:
            number = connection.scalar(sa.select(_RUN.number).where(_RUN.id == id))
            event = tables.RUN_EVENT.c
            last = connection.scalar(sa.select(sa.func.max(event.number)).where(event.run == number)) or 0
            if number is None or last >= _MOST_EVENTS:
                return
            values = {"run": number, "number": last + 1, "at": instant(self._clock()), "kind": kind}
            connection.execute(sa.insert(tables.RUN_EVENT).values(**values, text=words, data=text(dict(data))))

    def end(
        self, id: str, state: str, *, result: Mapping[str, Any] | None, error: Mapping[str, Any] | None, told: bool
    ) -> None:
        """Note how a run ended, once; with `told` the home tells that it failed, in the same transaction."""
        values: dict[str, Any] = {"state": state, "ended_at": instant(self._clock())}
        values |= {"result": None if result is None else text(result), "error": None if error is None else text(error)}
        sequences = [one["sequence"] for one in (result or {}).get("products", ()) if one.get("state") == "published"]
        with self._database.write() as connection:
            going = sa.and_(_RUN.id == id, _RUN.state.in_((WAITING, RUNNING)))
            row = connection.execute(sa.select(tables.RUN).where(going)).one_or_none()
            if row is None:
                return
            connection.execute(
                sa.update(tables.RUN).where(going).values(**values, sequence=sequences[0] if sequences else None)
            )
            if told:
                body = {"run": id, "because": row.because, "error": dict(error or {})}
                self._store.tell(connection, "run.failed", ProductId(self._domain, row.product), body)

    def recover(self, going: Collection[str] = ()) -> list[ScheduledRun]:
        """Let what is noted as running, and is not among `going`, wait again; return it."""
        with self._database.write() as connection:
            running = sa.and_(_RUN.state == RUNNING, _RUN.id.not_in(going))
            rows = connection.execute(sa.select(tables.RUN).where(running)).all()
            for row in rows:
                also = sa.select(_RUN.number).where(_RUN.product == row.product, _RUN.state == WAITING)
                # one that waits behind it does what both were to do
                state = CANCELLED if connection.execute(also).first() is not None else WAITING
                ended = {"ended_at": instant(self._clock())} if state == CANCELLED else {}
                connection.execute(sa.update(tables.RUN).where(_RUN.number == row.number).values(state=state, **ended))
        self.news = True
        return [self._read(row) for row in rows]

    def waiting(self) -> list[ScheduledRun]:
        """The runs that wait, the first first."""
        return self._found(sa.select(tables.RUN).where(_RUN.state == WAITING).order_by(_RUN.number))

    def latest(self) -> dict[ProductId, ScheduledRun]:
        """The newest run of each product."""
        newest = sa.select(sa.func.max(_RUN.number)).group_by(_RUN.product)
        found = self._found(sa.select(tables.RUN).where(_RUN.number.in_(newest)))
        return {run.product: run for run in found}

    def newest(self, most: int, products: Collection[ProductId] | None = None) -> list[ScheduledRun]:
        """The newest runs first, of `products` (None: all)."""
        wanted = sa.select(tables.RUN).order_by(_RUN.number.desc()).limit(most)
        if products is not None:
            wanted = wanted.where(_RUN.product.in_([one.name for one in products]))
        return self._found(wanted)

    def get(self, id: str) -> ScheduledRun | None:
        """A run, if it is kept."""
        found = self._found(sa.select(tables.RUN).where(_RUN.id == id))
        return found[0] if found else None

    def events(self, id: str, after: int = 0) -> list[dict[str, Any]]:
        """What a run told, in order, after number `after`."""
        event = tables.RUN_EVENT.c
        number = sa.select(_RUN.number).where(_RUN.id == id).scalar_subquery()
        wanted = sa.select(tables.RUN_EVENT).where(event.run == number, event.number > after).order_by(event.number)
        with self._database.read() as connection:
            rows = connection.execute(wanted).all()
        return [
            {"number": one.number, "at": moment(one.at).isoformat(), "kind": one.kind, "text": one.text}
            | {"data": json.loads(one.data)}
            for one in rows
        ]

    def _found(self, wanted: sa.Select[Any]) -> list[ScheduledRun]:
        with self._database.read() as connection:
            return [self._read(row) for row in connection.execute(wanted).all()]

    def _forget(self, connection: Connection, product: ProductId) -> None:
        of = sa.select(_RUN.number).where(_RUN.product == product.name).order_by(_RUN.number.desc())
        old = [row.number for row in connection.execute(of.offset(KEPT))]
        if old:
            connection.execute(sa.delete(tables.RUN_EVENT).where(tables.RUN_EVENT.c.run.in_(old)))
            connection.execute(sa.delete(tables.RUN).where(_RUN.number.in_(old)))

    def _read(self, row: Row[Any]) -> ScheduledRun:
        return ScheduledRun(
            row.id,
            ProductId(self._domain, row.product),
            row.because,
            row.state,
            moment(row.due_at),
            moment(row.queued_at),
            None if row.started_at is None else moment(row.started_at),
            None if row.ended_at is None else moment(row.ended_at),
            row.merged,
            row.starts,
            row.sequence,
            None if row.result is None else json.loads(row.result),
            None if row.error is None else json.loads(row.error),
        )
