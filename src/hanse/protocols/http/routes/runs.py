"""Runs: progress and history."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from hanse.node.runs import Run
from hanse.node.scheduling import shown
from hanse.protocols.http.call import Call
from hanse.protocols.http.errors import as_problem
from hanse.protocols.http.routes import route
from hanse.protocols.http.routes.products import document
from hanse.protocols.http.types import limit_of, number_of

LONGEST_WAIT = 25
_SCHEMA = {"schema": "hanse.run/1"}


@route(
    "GET",
    "/runs",
    "read",
    "Your latest runs, and all those of domains in which you may publish, newest first.",
    parameters=("limit",),
)
async def runs(call: Call) -> Response:
    limit = limit_of(call.params.get("limit"), 20)
    found = {run["id"]: _SCHEMA | run for run in await call.work(shown.listed, call.node, call.principal, limit)}
    found |= {run.id: found.get(run.id, {}) | told(run) for run in call.node.runs.list(call.principal, limit)}
    newest = sorted(found.values(), key=lambda run: run["started_at"] or run["queued_at"], reverse=True)
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
