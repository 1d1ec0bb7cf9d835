"""The runs of a home with their logs: what a schedule lets wait, what goes on, and the last that ended."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from hanse.names import ProductId
from hanse.node.home import tables
from hanse.node.home.codec import instant, moment, text
from hanse.node.home.store import Store

if TYPE_CHECKING:
    from hanse.node.runs import Run

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
SCHEDULE, INPUT, PERSON = "schedule", "input", "person"
REFRESH = "refresh"  # the verb of a scheduled run
KEPT = 100  # runs of a product whose logs stay, and so many that people began
_MOST_EVENTS = 10_000  # of one run
_FEW_EVENTS = 1_000  # of a run that somebody began: they saw it all
_RUN = tables.RUN.c
_SCHEDULED = _RUN.because != PERSON


@dataclass(frozen=True, slots=True)
class NotedRun:
    """A run as it stands. `because` is schedule, input or person; `merged` counts further reasons it stands for.

    `product` is None for what somebody did with several at once.
    """

    id: str
    verb: str
    by: str
    product: ProductId | None
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

    def queue(self, product: ProductId, because: str, due_at: datetime) -> NotedRun:
        """Let a run of `product` wait; one that waits already stands for this reason too."""
        now = instant(self._clock())
        with self._database.write() as connection:
            of = sa.and_(_RUN.product == product.name, _RUN.state == WAITING, _SCHEDULED)
            merged = sa.update(tables.RUN).where(of).values(queued_at=now, merged=_RUN.merged + 1)
            if connection.execute(merged).rowcount == 0:
                values = {"id": f"run-{secrets.token_hex(6)}", "product": product.name, "because": because}
                values |= {"verb": REFRESH, "by": f"product:{product}"}
                values |= {"state": WAITING, "due_at": instant(due_at), "queued_at": now}
                connection.execute(sa.insert(tables.RUN).values(**values, merged=0, starts=0))
                self._forget(connection, sa.and_(_RUN.product == product.name, _SCHEDULED))
            self.news = True
            return self._read(connection.execute(sa.select(tables.RUN).where(of)).one())

    def keep(self, run: Run, product: ProductId | None) -> None:
        """Note a run that somebody began and that has ended; of its result only what became of products.

        What a test showed its caller of rows is no other's to see.
        """
        at = instant(run.started_at)
        values: dict[str, Any] = {
            "id": run.id,
            "verb": run.verb,
            "by": run.by,
            "product": product.name if product else "",
        }
        values |= {"because": PERSON, "state": run.state, "due_at": at, "queued_at": at, "started_at": at}
        values |= {"ended_at": instant(run.ended_at or self._clock()), "merged": 0, "starts": 1}
        values |= {"result": text(_summary(run.result)), "error": None}
        if run.error is not None:
            values["error"] = text(run.error.as_problem())
        with self._database.write() as connection:
            connection.execute(sa.insert(tables.RUN).values(**values))
            self._forget(connection, _RUN.because == PERSON)
            number = connection.scalar(sa.select(_RUN.number).where(_RUN.id == run.id))
            events = [
                {"run": number, "number": one.number, "at": instant(one.at), "kind": one.event.kind}
                | {"text": one.event.text, "data": "{}"}
                for one in run.events[-_FEW_EVENTS:]
            ]
            if events:
                connection.execute(sa.insert(tables.RUN_EVENT), events)

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

    def recover(self, going: Collection[str] = ()) -> list[NotedRun]:
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

    def waiting(self) -> list[NotedRun]:
        """The runs that wait, the first first."""
        return self._found(sa.select(tables.RUN).where(_RUN.state == WAITING).order_by(_RUN.number))

    def latest(self) -> dict[ProductId, NotedRun]:
        """The newest scheduled run of each product."""
        newest = sa.select(sa.func.max(_RUN.number)).where(_SCHEDULED).group_by(_RUN.product)
        found = self._found(sa.select(tables.RUN).where(_RUN.number.in_(newest)))
        return {run.product: run for run in found if run.product is not None}

    def newest(self, most: int, products: Collection[ProductId] | None = None) -> list[NotedRun]:
        """The newest runs first, of `products` (None: all)."""
        wanted = sa.select(tables.RUN).order_by(_RUN.number.desc()).limit(most)
        if products is not None:
            wanted = wanted.where(_RUN.product.in_([one.name for one in products]))
        return self._found(wanted)

    def get(self, id: str) -> NotedRun | None:
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

    def _found(self, wanted: sa.Select[Any]) -> list[NotedRun]:
        with self._database.read() as connection:
            return [self._read(row) for row in connection.execute(wanted).all()]

    def _forget(self, connection: Connection, which: sa.ColumnElement[bool]) -> None:
        of = sa.select(_RUN.number).where(which).order_by(_RUN.number.desc())
        old = [row.number for row in connection.execute(of.offset(KEPT))]
        if old:
            connection.execute(sa.delete(tables.RUN_EVENT).where(tables.RUN_EVENT.c.run.in_(old)))
            connection.execute(sa.delete(tables.RUN).where(_RUN.number.in_(old)))

    def _read(self, row: Row[Any]) -> NotedRun:
        return NotedRun(
            row.id,
            row.verb,
            row.by,
            ProductId(self._domain, row.product) if row.product else None,
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


def _summary(result: Any) -> dict[str, Any]:
    """Whether all went well, and what became of each product."""
    whole = result if isinstance(result, Mapping) else {}
    products = [
        {name: one[name] for name in ("product", "state", "sequence") if name in one}
        for one in whole.get("products", ())
        if isinstance(one, Mapping)
    ]
    return {"ok": bool(whole.get("ok", True)), "products": products}
