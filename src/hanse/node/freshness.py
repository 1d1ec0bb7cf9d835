"""How old the data of a product is, by its own time column, against what its contract promises."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hanse.engine.rules import wire
from hanse.governance.decision import Clear, Decision
from hanse.names import ProductId
from hanse.node.home.codec import instant
from hanse.node.outbox import deliver

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.home.store import Store

LOG = logging.getLogger("hanse.freshness")
MET, MISSED = "met", "missed"
_KINDS = ("latency", "freshness")


@dataclass(frozen=True, slots=True)
class Freshness:
    """A service level on the age of data: the newest time that was published (None: no row has one), and the goal."""

    line: str
    table: str
    column: tuple[str, ...]
    level: str  # the check's id
    newest: datetime | None
    goal: timedelta

    def state(self, now: datetime) -> str:
        """`met`, or `missed` when the newest row is older than promised, or there is none."""
        return MET if self.newest is not None and now - self.newest <= self.goal else MISSED

    def as_json(self, now: datetime) -> dict[str, Any]:
        return {
            "line": self.line,
            "table": self.table,
            "column": ".".join(self.column),
            "newest": None if self.newest is None else self.newest.isoformat(),
            "age_seconds": None if self.newest is None else round((now - self.newest).total_seconds(), 3),
            "goal_seconds": self.goal.total_seconds(),
            "state": self.state(now),
        }


@lru_cache(maxsize=4096)
def of_report(store: Store, report: str) -> tuple[Freshness, ...]:
    """The service levels on the age of data that a publication's test measured; no data is read. Reports never change.

    `report` is the id of one, or of the list of those of several port lines.
    """
    whole = store.report(report)
    ids = [] if whole is not None else json.loads(store.blob(report) or b"[]")
    values = [whole] if whole is not None else [found for id in ids if (found := store.report(id)) is not None]
    return tuple(one for value in values for one in _of(value))


def _of(value: Mapping[str, Any]) -> Iterator[Freshness]:
    for result in wire.results([value]):
        if result["kind"] in _KINDS and result["threshold"] is not None and result["status"] in ("ok", "warn", "fail"):
            newest = None if result["value"] is None else datetime.fromtimestamp(result["value"], UTC)
            column = tuple(str(result["column"] or "").split("."))
            goal = timedelta(seconds=float(result["threshold"]))
            yield Freshness(str(value.get("line", "")), result["table"], column, result["id"], newest, goal)


def shown(levels: tuple[Freshness, ...], table: str, line: str, decision: Decision) -> list[Freshness]:
    """Those of a table whose reader sees the column as it is, and every row: a maximum tells of what it is made of."""
    if not decision.allowed or decision.rows:
        return []
    return [
        one
        for one in levels
        if one.table == table and one.line == line and isinstance(decision.columns.get(one.column), Clear)
    ]


def told(home: Home) -> int:
    """Compare every published product with its promises now; tell each change as an event. How many changed."""
    now, changed = home.clock(), 0
    for product, published in home.published().items():
        for one in of_report(home.store, published.report) if published.report else ():
            key = _key(product, one)
            before, state = home.store.meta(key), one.state(now)
            if before == state:
                continue
            with home.store.database.write() as connection:
                home.store.put_meta(connection, key, state)
                if before is not None or state == MISSED:  # a promise that was kept from the start is no news
                    body = {"sequence": published.sequence, "level": one.level, **one.as_json(now)}
                    home.store.tell(connection, f"product.service-level-{state}", product, {**body, "at": instant(now)})
                    changed += 1
    if changed:
        deliver(home)
    return changed


def _key(product: ProductId, one: Freshness) -> str:
    return "level-" + hashlib.sha256(f"{product}\n{one.line}\n{one.level}".encode()).hexdigest()[:48]


class Watch:
    """Tells at an interval what time alone brings about, in a thread of its own: old data, grants that end soon."""

    def __init__(
        self, homes: Mapping[str, Home], every: timedelta, tellers: Sequence[Callable[[Home], int]] = (told,)
    ) -> None:
        self._homes, self._every, self._tellers = homes, every, tellers
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="freshness", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End after what is being told."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every.total_seconds()):
            for home in self._homes.values():
                for tell in self._tellers:
                    try:
                        tell(home)
                    except Exception:  # told again at the next turn; the home is served all the same
                        LOG.exception("%s of %s failed", tell.__module__, home.domain)
