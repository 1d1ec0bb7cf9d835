"""Requests and grants as they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hanse.governance import grants as agreements
from hanse.governance.decision import Grant
from hanse.node.access.endings import ends_soon
from hanse.node.home.values import AccessRequest


@dataclass(frozen=True, slots=True)
class Listing:
    """What one principal may see of access: requests with whether they may decide, and grants with their state."""

    requests: tuple[tuple[AccessRequest, bool], ...]
    grants: tuple[Grant, ...]
    at: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "hanse.access/1",
            "requests": [{**request_json(one), "decidable": may} for one, may in self.requests],
            "grants": [grant_json(one, self.at) for one in self.grants],
        }


def request_json(one: AccessRequest) -> dict[str, Any]:
    """A request as JSON can say it."""
    return {
        "id": one.id,
        "product": str(one.product),
        "to": one.whom,
        "columns": None if one.columns is None else list(one.columns),
        "purpose": one.purpose,
        "until": one.until.isoformat(),
        "why": one.why,
        "by": one.by,
        "at": one.at.isoformat(),
        "state": one.status,
        "decided_by": one.decided_by,
        "decided_at": None if one.decided_at is None else one.decided_at.isoformat(),
        "note": one.note,
        "grant": one.grant,
    }


def grant_json(one: Grant, at: datetime) -> dict[str, Any]:
    """A grant as JSON can say it, with its state at `at`."""
    revoked = one.revoked_at is not None and one.revoked_at <= at
    return {
        "id": one.id,
        "product": str(one.product),
        "to": one.to,
        "columns": None if one.columns is None else sorted(one.columns),
        "ceiling": one.ceiling,
        "purposes": sorted(one.purposes),
        "since": one.since.isoformat(),
        "until": one.until.isoformat(),
        "revoked_at": None if one.revoked_at is None else one.revoked_at.isoformat(),
        "ends_soon": ends_soon(one, at),
        "state": "revoked" if revoked else "live" if agreements.is_live(one, at) else "ended",
        "by": one.by,
        "why": one.why,
    }
