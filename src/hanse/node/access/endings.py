"""Grants whose end comes near: their holders and owners are told once, a week before."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hanse.governance.decision import Grant
from hanse.governance.grants import is_live
from hanse.node.home.codec import instant
from hanse.node.outbox import deliver

if TYPE_CHECKING:
    from hanse.node.home.home import Home

BEFORE = timedelta(days=7)
_TOLD = "told-endings"  # grant → the end that was told of; a renewed grant is told of again


def ends_soon(grant: Grant, now: datetime) -> bool:
    """Whether a grant that holds now ends within a week; one that was given for less is no news."""
    return is_live(grant, now) and grant.until - now <= BEFORE and grant.until - grant.since > BEFORE


def told(home: Home) -> int:
    """Tell of each grant that ends soon, as an event; how many were told of now."""
    now = home.clock()
    soon = {one.id: one for one in home.agreements.grants() if ends_soon(one, now)}
    known: dict[str, str] = json.loads(home.store.meta(_TOLD) or "{}")
    news = [one for id, one in soon.items() if known.get(id) != instant(one.until)]
    if not news:
        return 0
    with home.store.database.write() as connection:
        home.store.put_meta(connection, _TOLD, json.dumps({id: instant(one.until) for id, one in soon.items()}))
        for one in news:
            body = {"grant": one.id, "to": one.to, "until": instant(one.until)}
            home.store.tell(connection, "access.ends-soon", one.product, body)
    deliver(home)
    return len(news)
