"""The audit of a home: one hash chain for this process, entries durable in groups, heads signed."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hanse.errors import HanseError, Kind, code
from hanse.governance.chain import GENESIS, canonical, link, sign_head
from hanse.node.home import tables
from hanse.node.home.codec import instant
from hanse.node.home.database import Database, StoreDown
from hanse.node.home.rows import put

HEAD_SECONDS = 10.0
CHAIN_BEGUN = "chain-begun"
_LAST_CHAIN, _PROBE = "audit-chain", "audit-probe"  # keys of the table meta
_MOST_AT_ONCE = 256
_MOST_WAITING = 10_000


class AuditDown(HanseError):
    kind = Kind.UNAVAILABLE
    code = code(
        "audit.down",
        Kind.UNAVAILABLE,
        "The audit cannot be written",
        "No governed byte leaves before its entry is durable, so nothing is answered until entries can be written.",
        "Free the disk or start the database of the home, then ask again.",
    )


@dataclass(slots=True)
class _Waiting:
    entry: dict[str, Any] | None  # None: only asks that all before it be written
    done: Future[str] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A transaction with a pen: what it changes and what the audit says of it are one."""

    connection: Connection
    append: Callable[[Mapping[str, Any]], str]


class AuditWriter:
    """Appends entries in one thread; `opened` returns when its entry is on disk."""

    def __init__(self, database: Database, key: bytes, clock: Callable[[], datetime]) -> None:
        self._database, self._key, self._clock = database, key, clock
        self.chain = f"{instant(clock()).replace(':', '').replace('.', '')[:17]}-{secrets.token_hex(4)}"
        self._count, self._last, self._sworn = 0, GENESIS, 0
        self._lock = threading.Lock()
        self._unsure = False  # whether the last transaction came through, where its commit failed
        self._down = False  # whether the last entries could not be written
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._write, name="audit", daemon=True)
        self._thread.start()

    async def opened(self, entry: Mapping[str, Any]) -> str:
        """Write the entry that precedes an answer; return its id when it is durable. Raises `AuditDown`."""
        return await asyncio.wrap_future(self._queued(entry))

    def open_sync(self, entry: Mapping[str, Any]) -> str:
        """`opened`, for callers in threads."""
        return self._queued(entry).result()

    def closed(self, entry_id: str, facts: Mapping[str, Any]) -> None:
        """Write what came of an opened entry; nobody waits for it."""
        with contextlib.suppress(AuditDown):
            self._queued({"act": "closed", "opened": entry_id, **facts})

    def flush(self) -> None:
        """Return when all that was handed over before is written, so that who asks next finds it."""
        with contextlib.suppress(AuditDown):
            self._queued(None).result()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Recorded]:
        """A write transaction of the home that appends its own entries: both are durable, or neither.

        The chain's lock is taken before the database's, as everywhere here; the chain moves on after the commit.
        """
        with self._lock, self._certain():
            with self._database.write() as connection:
                count, last = self._begun(connection)

                def append(entry: Mapping[str, Any]) -> str:
                    nonlocal count, last
                    count += 1
                    id, row, last = self._row({**entry}, count, last)
                    connection.execute(sa.insert(tables.AUDIT_ENTRY), [row])
                    return id

                yield Recorded(connection, append)
            self._count, self._last = count, last

    def sign(self) -> None:
        """Sign the head of the chain, if it grew since the last time."""
        with self._lock:
            if self._count == self._sworn:
                return
            head = sign_head(self._key, chain=self.chain, count=self._count, last=self._last, at=self._clock())
            with self._database.write() as connection:
                connection.execute(
                    sa.insert(tables.AUDIT_HEAD).values(
                        chain=head.chain,
                        count=head.count,
                        last=head.last,
                        at=instant(head.at),
                        signature=head.signature,
                    )
                )
            self._sworn = self._count

    def takes(self) -> bool:
        """Whether entries can be written: after a failure it is tried on the disk, so that it is known to be mended."""
        if self._down:
            with contextlib.suppress(StoreDown, sa.exc.SQLAlchemyError), self._database.write() as connection:
                put(connection, tables.META, {"key": _PROBE}, {"value": instant(self._clock())})
                self._down = False
        return not self._down

    def close(self) -> None:
        """Write what waits, sign the head, end the thread."""
        self._closing = True
        self._queue.put(None)
        self._thread.join()
        with contextlib.suppress(StoreDown, sa.exc.SQLAlchemyError):
            self.sign()

    def _queued(self, entry: Mapping[str, Any] | None) -> Future[str]:
        waiting = _Waiting(None if entry is None else dict(entry))
        if self._closing or self._queue.qsize() >= _MOST_WAITING:
            raise AuditDown("the audit takes no entry now", mend="ask again in a moment")
        # who stops waiting does not take its entry back: a future that could be cancelled would end the writer
        waiting.done.set_running_or_notify_cancel()
        self._queue.put(waiting)
        return waiting.done

    @contextlib.contextmanager
    def _certain(self) -> Iterator[None]:
        """A transaction that raised may be durable all the same: the next one looks where the chain stands."""
        try:
            yield
        except BaseException:
            self._unsure = True
            raise

    def _begun(self, connection: Connection) -> tuple[int, str]:
        """Where the chain stands: its count and last link.

        Before a chain's first entry, the one is written that holds it to the chain before: none can vanish whole.
        """
        entry = tables.AUDIT_ENTRY.c
        if self._unsure:
            own = sa.select(entry.number, entry.link).where(entry.chain == self.chain).order_by(entry.number.desc())
            stands = connection.execute(own.limit(1)).one_or_none()
            self._count, self._last = (0, GENESIS) if stands is None else (stands.number, stands.link)
            self._unsure = False
        if self._count:
            return self._count, self._last
        newest = sa.select(entry.chain, entry.number, entry.link).order_by(entry.at.desc(), entry.number.desc())
        # which chain was the last is written down: clocks may go back
        last_chain = connection.scalar(sa.select(tables.META.c.value).where(tables.META.c.key == _LAST_CHAIN))
        if last_chain is not None:
            newest = newest.where(entry.chain == last_chain).order_by(None).order_by(entry.number.desc())
        before = connection.execute(newest.limit(1)).one_or_none()
        after = None if last_chain is None else {"chain": last_chain, "number": 0, "link": ""}  # were it removed whole
        if before is not None:
            after = {"chain": before.chain, "number": before.number, "link": before.link}
        _, row, last = self._row({"act": CHAIN_BEGUN, "after": after}, 1, GENESIS)
        connection.execute(sa.insert(tables.AUDIT_ENTRY), [row])
        put(connection, tables.META, {"key": _LAST_CHAIN}, {"value": self.chain})
        return 1, last

    def _row(self, entry: dict[str, Any], number: int, last: str) -> tuple[str, dict[str, Any], str]:
        id = f"{self.chain}/{number}"
        at = instant(self._clock())
        said = {"id": id, **entry, "written": at}
        mark = link(last, said)
        body = canonical(said).decode("utf-8", "surrogatepass")
        return id, {"chain": self.chain, "number": number, "id": id, "at": at, "body": body, "link": mark}, mark

    def _write(self) -> None:
        signed_at = time.monotonic()
        while True:
            batch = self._batch()
            if batch is None:
                return
            if batch:
                self._commit(batch)
            if time.monotonic() - signed_at >= HEAD_SECONDS:
                with contextlib.suppress(StoreDown, sa.exc.SQLAlchemyError):
                    self.sign()
                signed_at = time.monotonic()

    def _batch(self) -> list[_Waiting] | None:
        """What waits, at most so many at once; an empty list after a while of silence, None at the end."""
        try:
            first = self._queue.get(timeout=HEAD_SECONDS)
        except Empty:
            return []
        if first is None:
            return None
        batch = [first]
        while len(batch) < _MOST_AT_ONCE:
            try:
                more = self._queue.get_nowait()
            except Empty:
                break
            if more is None:
                self._queue.put(None)
                break
            batch.append(more)
        return batch

    def _commit(self, batch: list[_Waiting]) -> None:
        with self._lock:
            count, last = self._count, self._last
            rows: list[dict[str, Any]] = []
            ids: list[str] = []
            try:
                if any(waiting.entry is not None for waiting in batch):
                    with self._certain(), self._database.write() as connection:
                        count, last = self._begun(connection)
                        for waiting in batch:
                            if waiting.entry is not None:
                                count += 1
                                id, row, last = self._row(waiting.entry, count, last)
                                rows.append(row)
                                ids.append(id)
                            else:
                                ids.append("")
                        connection.execute(sa.insert(tables.AUDIT_ENTRY), rows)
                else:
                    ids = [""] * len(batch)
                self._down = False
            except Exception as error:  # whatever keeps entries from the disk stops the answers that wait for them
                self._down = True
                for waiting in batch:
                    down = AuditDown("the audit cannot be written", mend="look at the home's disk")
                    down.__cause__ = error
                    waiting.done.set_exception(down)
                return
            self._count, self._last = count, last
        for waiting, id in zip(batch, ids, strict=True):
            waiting.done.set_result(id)
