"""Access: requests, grants, and what becomes of them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from hanse.governance.decision import Grant
from hanse.names import ProductId
from hanse.node.steps import access
from hanse.protocols.http.call import Call
from hanse.protocols.http.errors import BadRequest
from hanse.protocols.http.routes import route
from hanse.protocols.http.routes.products import document
from hanse.protocols.http.types import Members

_TERMS = ("product", "to", "columns", "until", "purpose", "why")
_LONGEST = 2000


@route("GET", "/access", "read", "The requests and grants that you made, hold, or have to decide on.")
async def listing(call: Call) -> Response:
    return document((await call.work(access.listed, call.node, call.principal)).as_json())


@route("GET", "/access/requests", "read", "The requests that you made or have to decide on.")
async def requests(call: Call) -> Response:
    told = (await call.work(access.listed, call.node, call.principal)).as_json()
    return document({"schema": "hanse.requests/1", "requests": told["requests"]})


@route(
    "GET", "/access/grants", "read", "The grants that you hold, or that your domain gave.", parameters=("principal",)
)
async def grants(call: Call) -> Response:
    told = (await call.work(access.listed, call.node, call.principal)).as_json()
    whom = call.params.get("principal")
    named = (whom, f"person:{whom}")
    shown = [one for one in told["grants"] if whom is None or one["to"] in named]
    return document({"schema": "hanse.grants/1", "grants": shown})


@route("POST", "/access/requests", "request", "Ask the owner of a product for access.", body=_TERMS)
async def request(call: Call) -> Response:
    body = await call.members()
    terms = _terms(body)
    to = body.text("to", most=140)
    body.end()
    made = await call.work(access.request, call.node, call.principal, to=to, **terms)
    told = {"request": access.request_json(made), "decides": access.deciders(call.node, made.product)}
    return document({"schema": "hanse.request/1", **told}, 201)


@route(
    "POST",
    "/access/requests/{id}/approve",
    "approve",
    "Approve a request, whole or for less.",
    body=("note", "until", "columns"),
)
async def approve(call: Call) -> Response:
    body = await call.members()
    note, until, columns = body.text("note", most=_LONGEST), body.instant("until"), body.texts("columns") or None
    body.end()
    asked, given = await call.work(
        access.approve, call.node, call.principal, _id(call), note=note, until=until, columns=columns
    )
    told = access.grant_json(given, call.api.clock())
    return document({"schema": "hanse.grant/1", "request": access.request_json(asked), "grant": told}, 201)


@route("POST", "/access/requests/{id}/refuse", "approve", "Refuse a request with a reason.", body=("why",))
async def refuse(call: Call) -> Response:
    body = await call.members()
    why = body.needed("why", most=_LONGEST)
    body.end()
    asked = await call.work(access.refuse, call.node, call.principal, _id(call), why=why)
    return document({"schema": "hanse.request/1", "request": access.request_json(asked)})


@route("POST", "/access/grants", "administer", "Grant access to a product of your domain, unasked.", body=_TERMS)
async def grant(call: Call) -> Response:
    body = await call.members()
    terms = _terms(body)
    to = body.needed("to", most=140)
    body.end()
    return _granted(call, await call.work(access.grant, call.node, call.principal, to=to, **terms), 201)


@route(
    "POST", "/access/grants/{id}/revoke", "read", "End a grant now: an owner any, its holder their own.", body=("why",)
)
async def revoke(call: Call) -> Response:
    body = await call.members()
    why = body.needed("why", most=_LONGEST)
    body.end()
    return _granted(call, await call.work(access.revoke, call.node, call.principal, _id(call), why=why))


@route(
    "POST",
    "/access/grants/{id}/renew",
    "request",
    "Give a grant a later end as its owner; anybody else asks for it.",
    body=("until", "why"),
)
async def renew(call: Call) -> Response:
    body = await call.members()
    until, why = body.instant("until", required=True), body.needed("why", most=_LONGEST)
    body.end()
    assert until is not None
    made = await call.work(access.renew, call.node, call.principal, _id(call), until=until, why=why)
    if isinstance(made, Grant):
        return _granted(call, made)
    return document({"schema": "hanse.request/1", "request": access.request_json(made)}, 201)


def _terms(body: Members) -> dict[str, Any]:
    until = body.instant("until", required=True)
    return {
        "product": ProductId.parse(body.needed("product", most=140)),
        "columns": body.texts("columns") or None,
        "until": until,
        "purpose": body.text("purpose", most=255),
        "why": body.needed("why", most=_LONGEST),
    }


def _id(call: Call) -> str:
    id = call.path["id"]
    if len(id) > 100 or not id.replace("-", "").replace("_", "").isalnum():
        raise BadRequest("a request is called like r-sales-7, a grant like g-sales-3")
    return id


def _granted(call: Call, given: Grant, status: int = 200) -> Response:
    return document({"schema": "hanse.grant/1", "grant": access.grant_json(given, call.api.clock())}, status)
