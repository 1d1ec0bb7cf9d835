"""The runs that homes keep, as somebody may look at them: those of domains in which they may publish."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hanse.governance.decide import SCOPES
from hanse.governance.decision import Action, Principal
from hanse.names import ProductId
from hanse.node.home.run_log import NotedRun
from hanse.node.permission import allowed
from hanse.node.runs import UnknownRun
from hanse.node.scheduling.accepted import schedules

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.node import Node

_LOOK_SECONDS = 0.2


def listed(node: Node, principal: Principal, most: int) -> list[dict[str, Any]]:
    """The newest runs that `principal` may see, without their logs."""
    found = {run.id: run for home in _own(node, principal, only_look=True) for run in home.run_log.newest(most)}
    return [as_json(run) for run in sorted(found.values(), key=lambda one: one.queued_at, reverse=True)[:most]]


def one(node: Node, principal: Principal, id: str, after: int = 0) -> dict[str, Any]:
    """A run with what it told after number `after`; raises `UnknownRun`."""
    home, run = _found(node, principal, id, only_look=True)
    return as_json(run) | {"events": home.run_log.events(id, after)}


async def waited(node: Node, principal: Principal, id: str, after: int, seconds: float) -> dict[str, Any]:
    """`one`, as soon as it tells something new or has ended, or when `seconds` are over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while True:
        run = await asyncio.to_thread(one, node, principal, id, after)
        if run["events"] or run["ended_at"] is not None or loop.time() >= until:
            return run
        await asyncio.sleep(_LOOK_SECONDS)


def cancel(node: Node, principal: Principal, id: str) -> dict[str, Any]:
    """Ask a run to end; raises `UnknownRun`."""
    home, run = _found(node, principal, id, only_look=False)
    node.scheduler.cancel(home, run)
    return one(node, principal, id)


def upcoming(home: Home, now: datetime) -> dict[ProductId, datetime | None]:
    """Every product of a home that has a schedule, and its next time; None where only inputs tell."""
    return {product: when.next(now) for product, _, when in schedules(home)}


def as_json(run: NotedRun) -> dict[str, Any]:
    """A run as the surface shows it."""
    return {
        "id": run.id,
        "verb": run.verb,
        "by": run.by,
        "product": None if run.product is None else str(run.product),
        "because": run.because,
        "state": run.state,
        "due_at": run.due_at.isoformat(),
        "queued_at": run.queued_at.isoformat(),
        "started_at": None if run.started_at is None else run.started_at.isoformat(),
        "ended_at": None if run.ended_at is None else run.ended_at.isoformat(),
        "merged": run.merged,
        "starts": run.starts,
        "sequence": run.sequence,
        "events": [],
        "result": run.result,
        "error": run.error,
        "problem": run.error,
    }


def _own(node: Node, principal: Principal, *, only_look: bool) -> Iterator[Home]:
    """The homes where `principal` may publish; to look, a token of any scope will do."""
    scopes = principal.scopes | {SCOPES[Action.PUBLISH]} if only_look else principal.scopes
    for home in node.homes.values():
        if allowed(node, home, replace(principal, scopes=scopes), Action.PUBLISH)[0]:
            yield home


def _found(node: Node, principal: Principal, id: str, *, only_look: bool) -> tuple[Home, NotedRun]:
    for home in _own(node, principal, only_look=only_look):
        if (run := home.run_log.get(id)) is not None:
            return home, run
    raise UnknownRun(id)
