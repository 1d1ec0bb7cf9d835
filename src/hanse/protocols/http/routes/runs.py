"""Runs and events: progress, history, and what homes tell."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.responses import Response

from hanse.governance.decision import Action
from hanse.node.home.home import Home
from hanse.node.permission import require
from hanse.node.runs import Run
from hanse.node.scheduling import shown
from hanse.protocols.http.call import Call, Passed, Receive, Send
from hanse.protocols.http.errors import BadRequest, NoSuchPath, as_problem
from hanse.protocols.http.formats import negotiated
from hanse.protocols.http.routes import route
from hanse.protocols.http.routes.products import document
from hanse.protocols.http.types import limit_of, number_of

LONGEST_WAIT = 25
STREAM = "text/event-stream"
_SCHEMA = {"schema": "hanse.run/1"}
_LOOK_SECONDS = 1.0
_ALIVE_LOOKS = 15  # a comment after so many looks without news, so that dead connections are noticed


@route(
    "GET",
    "/runs",
    "read",
    "Your latest runs and the scheduled ones of products that you may publish, newest first.",
    parameters=("limit",),
)
async def runs(call: Call) -> Response:
    limit = limit_of(call.params.get("limit"), 20)
    own = [told(run) for run in call.node.runs.list(call.principal, limit)]
    by_themselves = [_SCHEMA | run for run in await call.work(shown.listed, call.node, call.principal, limit)]
    newest = sorted(own + by_themselves, key=lambda run: run["started_at"] or run["queued_at"], reverse=True)
    return document({"schema": "hanse.runs/1", "runs": newest[:limit]})


@route(
    "GET",
    "/runs/{id}",
    "read",
    "A run that you may see: its state, its events after a number, its result; waits `wait` seconds for news.",
    parameters=("after", "wait"),
)
async def run(call: Call) -> Response:
    after = number_of("after", call.params.get("after"))
    wait = min(number_of("wait", call.params.get("wait")), LONGEST_WAIT)
    node, principal, id = call.node, call.principal, call.path["id"]
    wait = 0 if call.api.stopping else wait
    if not node.runs.knows(id):
        return document(_SCHEMA | await call.unless_gone(shown.waited(node, principal, id, after, wait)))
    if wait:
        found = await call.unless_gone(node.runs.wait(id, principal, after, wait))
    else:
        found = node.runs.get(id, principal)
    return document(told(found, after))


@route("POST", "/runs/{id}/cancel", "read", "Ask a run to end; nothing half done is left.")
async def cancel(call: Call) -> Response:
    (await call.members()).end()
    node, principal, id = call.node, call.principal, call.path["id"]
    if not node.runs.knows(id):
        return document(_SCHEMA | await call.work(shown.cancel, node, principal, id))
    return document(told(node.runs.cancel(id, principal)))


def told(run: Run, after: int = 0) -> dict[str, Any]:
    """A run as JSON; its error as a problem."""
    problem = None if run.error is None else as_problem(run.error)
    return {**_SCHEMA, **run.as_json(after), "problem": problem}


@route(
    "GET",
    "/events",
    "audit",
    "What happened in a domain whose audit you may read, after a number; a stream that goes on by Accept.",
    parameters=("domain", "after", "limit"),
)
async def events(call: Call) -> Response:
    media = negotiated(call.header(b"accept"), ("application/json", STREAM))
    domain = call.params.get("domain")
    if not domain:
        raise BadRequest("say which domain: ?domain=…")
    home = call.node.find(domain)
    if home is None:
        raise NoSuchPath("nothing is here")
    require(call.node, home, call.principal, Action.AUDIT)
    last = call.header(b"last-event-id") or call.params.get("after")
    after = number_of("after", last)
    limit = limit_of(call.params.get("limit"), 1000)
    if media == STREAM:
        return _stream(call, home, after)
    found = await call.work(home.store.events, after, limit)
    return document({"schema": "hanse.events/1", "events": [_event(one) for one in found]})


def _event(one: Any) -> dict[str, Any]:
    return {
        "number": one.number,
        "name": one.name,
        "product": one.product,
        "at": one.at.isoformat(),
        "data": dict(one.body),
    }


def _stream(call: Call, home: Home, after: int) -> Response:
    async def write(_: Receive, send: Send) -> None:
        head = [(b"content-type", STREAM.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        leaving = asyncio.ensure_future(call.gone())
        seen, quiet = after, 0
        try:
            while not leaving.done() and not call.api.stopping:
                found = await call.work(home.store.events, seen, 100)
                text = "".join(
                    f"id: {one.number}\nevent: {one.name}\ndata: {json.dumps(_event(one), default=str)}\n\n"
                    for one in found
                )
                quiet = 0 if found else quiet + 1
                if not found and quiet % _ALIVE_LOOKS == 0:
                    text = ": alive\n\n"
                if text:
                    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
                if found:
                    seen = found[-1].number
                else:
                    await asyncio.wait({leaving}, timeout=_LOOK_SECONDS)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()

    return Passed(write)
