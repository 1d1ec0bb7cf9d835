"""The audit: who saw what, and proof that nothing was removed."""

from __future__ import annotations

from starlette.responses import Response

from hanse.names import ProductId
from hanse.node.steps import audit
from hanse.protocols.http.call import Call
from hanse.protocols.http.routes import route
from hanse.protocols.http.routes.products import document
from hanse.protocols.http.types import instant, limit_of


@route(
    "GET",
    "/audit",
    "audit",
    "What you did, and all that was done in the domains whose audit you may read; newest first.",
    parameters=("product", "principal", "since", "limit"),
)
async def entries(call: Call) -> Response:
    params = call.params
    product, by, since = params.get("product"), params.get("principal"), params.get("since")
    found = await call.work(
        audit.entries,
        call.node,
        call.principal,
        product=ProductId.parse(product) if product else None,
        by=by[:140] if by else None,
        since=instant("since", since, start=True) if since else None,
        limit=limit_of(params.get("limit"), 50),
    )
    return document({"schema": "hanse.audit/1", "entries": [entry.as_json() for entry in found]})


@route("GET", "/audit/verify", "audit", "Check every chain of the domains whose audit you may read.")
async def verify(call: Call) -> Response:
    proofs = [proof.as_json() for proof in await call.work(audit.verify, call.node, call.principal)]
    return document({"schema": "hanse.proof/1", "ok": all(one["ok"] for one in proofs), "homes": proofs})
