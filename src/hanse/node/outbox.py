"""The outbox of a home: what happened is handed on at least once, in order, also after a crash."""

from __future__ import annotations

import json
import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hanse.node.failpoints import NONE, Failpoints

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.home.values import HomeEvent

LOG = logging.getLogger("hanse.events")
Listener = Callable[[str, "HomeEvent"], None]  # the domain, and what happened there
_ONE_AT_A_TIME: weakref.WeakKeyDictionary[Home, threading.Lock] = weakref.WeakKeyDictionary()
_GUARD = threading.Lock()


def told(domain: str, event: HomeEvent) -> None:
    """Write the event into the log; the listener that is always there."""
    LOG.info(
        json.dumps(
            {"domain": domain, "number": event.number, "event": event.name, "product": event.product, **event.body}
        )
    )


def deliver(home: Home, listeners: Sequence[Listener] = (told,), failpoints: Failpoints = NONE) -> int:
    """Hand every event that was not yet delivered to all `listeners`, in order; return how many there were.

    An event counts as delivered when every listener took it; one that raises stops the delivery there, to be tried
    again with the next event or start. After a crash in between an event comes twice: its number tells.
    """
    with _GUARD:
        lock = _ONE_AT_A_TIME.setdefault(home, threading.Lock())
    count = 0
    with lock:
        while events := home.store.events(undelivered=True, most=200):
            for event in events:
                try:
                    for listener in listeners:
                        listener(home.domain, event)
                except Exception:
                    LOG.exception("event %s of %s was not delivered", event.number, home.domain)
                    return count
                failpoints.reach("P9")
                home.store.delivered(event.number)
                count += 1
    return count
