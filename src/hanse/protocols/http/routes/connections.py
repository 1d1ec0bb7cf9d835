"""Connections of domains: which there are, and whether they work."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from hanse.governance.decision import Principal
from hanse.node.node import Node
from hanse.node.steps import connections
from hanse.protocols.http.call import Call
from hanse.protocols.http.routes import route
from hanse.protocols.http.routes.products import document
from hanse.protocols.http.routes.walk import BUNDLE_BYTES, files_of, read


@route(
    "POST",
    "/connections",
    "publish",
    "The connections of the project's domains that you publish for: kind, host, which values are there; no value.",
    body_bytes=BUNDLE_BYTES,
    body=("files",),
)
async def list_(call: Call) -> Response:
    body = await call.members()
    files = files_of(body)
    body.end()
    return document(await call.work(_listed, call.node, call.principal, files))


def _listed(node: Node, principal: Principal, files: dict[str, str]) -> dict[str, Any]:
    found = connections.listed(node, read(files)[0], principal)
    return {"schema": "hanse.connections/1", "connections": [one.as_json() for one in found]}


@route(
    "POST",
    "/connections/test",
    "publish",
    "Connect to them (all, or `names`) and say what answered or what is wrong, one error each.",
    body_bytes=BUNDLE_BYTES,
    body=("files", "names"),
)
async def test(call: Call) -> Response:
    body = await call.members()
    files, names = files_of(body), body.texts("names")
    body.end()
    await call.node.engine.start()
    return document(await call.work(_tested, call.node, call.principal, files, tuple(names)))


def _tested(node: Node, principal: Principal, files: dict[str, str], names: tuple[str, ...]) -> dict[str, Any]:
    tried = connections.tested(node, read(files)[0], principal, names)
    return {
        "schema": "hanse.connections.test/1",
        "ok": all(one.error is None for one in tried),
        "connections": [one.as_json() for one in tried],
    }
