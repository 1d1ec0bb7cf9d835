"""Operations: is it alive, is it ready, what does it count, what does it serve."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from hanse import __version__
from hanse.governance.decide import decide
from hanse.governance.decision import Action, Request, TableFacts
from hanse.governance.identity import public_jwk
from hanse.names import PortLine, ProductId
from hanse.node.freshness import of_report, shown
from hanse.node.home.audit_writer import AuditDown
from hanse.node.names import address_of
from hanse.node.permission import allowed
from hanse.node.scheduling.shown import as_json, upcoming
from hanse.node.steps import access
from hanse.protocols.http.call import Call
from hanse.protocols.http.errors import StoppingError
from hanse.protocols.http.metrics import CONTENT_TYPE
from hanse.protocols.http.routes import PUBLIC, route
from hanse.protocols.http.routes.products import document


@route("GET", "/health", PUBLIC, "Whether the process answers: one word.")
async def health(_: Call) -> Response:
    return Response("ok\n", 200, {"cache-control": "no-store"}, "text/plain")


@route("GET", "/ready", PUBLIC, "Whether the node takes calls and can write its audits.")
async def ready(call: Call) -> Response:
    if call.api.stopping:
        raise StoppingError("the node is stopping")
    homes = list(call.node.homes.values())
    if not all([await call.work(home.audit.takes) for home in homes]):
        raise AuditDown("the audit of a home cannot be written", mend="look at the disk of the node: hanse doctor")
    return document({"ready": True})


@route("GET", "/metrics", "discover", "Counters of this node in Prometheus' text format.")
async def metrics(call: Call) -> Response:
    return Response(call.api.metrics.text(), 200, {"cache-control": "no-store"}, CONTENT_TYPE)


@route("GET", "/.well-known/hanse", PUBLIC, "The node, its keys, its protocols and their addresses.")
async def node(call: Call) -> Response:
    served = call.node
    return document(
        {
            "schema": "hanse.node/1",
            "mesh": served.mesh,
            "version": __version__,
            "domains": sorted(served.homes),
            "keys": {name: public_jwk(home.key) for name, home in sorted(served.homes.items())},
            "protocols": {"http": f"{call.api.address}/api/v1"},
            "openapi": f"{call.api.address}/api/v1/openapi.json",
            "state": "stopping" if call.api.stopping else "ready",
        }
    )


@route("GET", "/status", "discover", "The products that you may discover, with their state and what waits.")
async def status(call: Call) -> Response:
    return document(await call.work(_status, call))


def _freshness(
    call: Call, ask: Request, facts: TableFacts, publication: Any, line: PortLine, owns: bool
) -> dict[str, Any] | None:
    """The service level on the age of data that is nearest to its goal, or farthest beyond it; None without one.

    Only for owners and for those who see the column that it is measured by, with every row.
    """
    if publication.report is None:
        return None
    home = call.node.homes[facts.product.domain]
    levels = [one for one in of_report(home.store, publication.report) if one.line == str(line)]
    if not owns:
        tables = [one for one in home.facts(facts.product) if one.id.major == line.major]
        decided = {one.id.table: decide(ask, one, home.grants(facts.product), home.policies()) for one in tables}
        levels = [one for name, said in decided.items() for one in shown(tuple(levels), name, str(line), said)]
    if not levels:
        return None
    return max((one.as_json(ask.at) for one in levels), key=_urgency)


def _run(known: dict[str, Any], call: Call, product: ProductId) -> dict[str, Any] | None:
    """The newest scheduled run of a product and when the next is due; None without any schedule."""
    home = call.node.homes[product.domain]
    if home.domain not in known:
        known[home.domain] = (home.run_log.latest(), upcoming(home, call.node.clock()))
    last, following = known[home.domain]
    if product not in last and product not in following:
        return None
    run, due = last.get(product), following.get(product)
    told = {} if run is None else as_json(run)
    return {
        "id": told.get("id"),
        "state": told.get("state"),
        "at": told.get("ended_at") or told.get("started_at") or told.get("queued_at"),
        "next": None if due is None else due.isoformat(),
        "after_inputs": product in following and due is None,
    }


def _urgency(level: dict[str, Any]) -> float:
    age = level["age_seconds"]
    return float("inf") if age is None else float(age) / max(float(level["goal_seconds"]), 1.0)


def _status(call: Call) -> dict[str, Any]:
    served, ask = call.node, call.ask()
    waiting = [one for one, may in access.listed(served, call.principal).requests if may]
    products: dict[str, dict[str, Any]] = {}
    scheduled: dict[str, Any] = {}
    for _, facts in served.names.visible(ask):
        real = served.homes[facts.product.domain]
        publication = real.published()[facts.product]
        if facts.id.major != publication.default_major or str(facts.product) in products:
            continue
        line = next(line for line in sorted(publication.lines) if line.major == facts.id.major)
        owns = allowed(served, real, call.principal, Action.PUBLISH, facts.product)[0]
        snapshot = publication.lines[line].snapshot
        products[str(facts.product)] = {
            "product": str(facts.product),
            "address": address_of(facts, publication),
            "version": str(publication.lines[line].version),
            "status": facts.status,
            "access": facts.access,
            "sequence": publication.sequence,
            "published_at": publication.at.isoformat(),
            "freshness": _freshness(call, ask, facts, publication, line, owns),
            # counts and what waits are the owner's to know
            "rows": sum(table.rows for table in snapshot.tables.values()) if owns else None,
            "staged": bool(real.store.stages(facts.product)) if owns else None,
            "waiting": sum(one.product == facts.product for one in waiting) if owns else None,
            "run": _run(scheduled, call, facts.product) if owns else None,
        }
    return {
        "schema": "hanse.status/1",
        "mesh": served.mesh,
        "address": call.api.address,
        "version": __version__,
        "domains": sorted(served.homes),
        "products": list(products.values()),
    }
