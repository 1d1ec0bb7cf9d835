"""The HTTP surface of a node: routes behind one guard that knows who asks before it reads anything."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as PlainRoute

from hanse import __version__
from hanse.governance.identity import TokenRefused
from hanse.protocols.http.call import Api, Call, Gone, Passed, Receive, Send
from hanse.protocols.http.errors import (
    BadRequest,
    ForeignOrigin,
    HttpError,
    NoSuchPath,
    StoppingError,
    WrongMethod,
    problem,
    shown,
)
from hanse.protocols.http.routes import Route, documented

LOG = logging.getLogger("hanse.http")
ACCESS = logging.getLogger("hanse.access")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FETCHED_ELSEWHERE = frozenset({b"cross-site", b"same-site"})
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]

App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def application(api: Api) -> App:
    """The ASGI app of `api`; the hot routes are matched first and skip the framework's layers."""
    app = FastAPI(
        title="hanse",
        version=__version__,
        description="A data mesh node. Every call names its bearer; every answer depends only on what they may see.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    routes = documented()
    for route in sorted(routes, key=lambda one: "{" in one.path):
        if route.hot:
            app.router.routes.insert(0, PlainRoute(route.path, _endpoint(api, route), methods=[route.method]))
        else:
            app.add_api_route(
                route.path,
                _endpoint(api, route),
                methods=[route.method],
                name=f"{route.method} {route.path}",
                summary=route.what,
                response_class=Response,
                openapi_extra=_described(route),
            )
    hot = [route for route in routes if route.hot]
    plain_openapi = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain_openapi()
        for route in hot:
            told = {"summary": route.what, "responses": {"200": {"description": "The answer."}}, **_described(route)}
            document["paths"].setdefault(route.path, {})[route.method.lower()] = told
        return document

    app.openapi = openapi  # type: ignore[method-assign]

    @app.exception_handler(HTTPException)
    async def _refused(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            allow = (error.headers or {}).get("Allow", "")
            return problem(WrongMethod(f"{request.method} is not taken here", mend=f"use {allow}"), {"allow": allow})
        if error.status_code == 404:
            return problem(NoSuchPath("nothing is here"))
        return problem(BadRequest("the request cannot be read"))

    return _Guard(app, api, {route.path: route for route in hot}).__call__


def _described(route: Route) -> dict[str, Any]:
    words: dict[str, Any] = {"description": f"Action: {route.action}."}
    if route.scope is not None:
        words["security"] = [{"bearer": [route.scope]}]
    if route.parameters:
        words["parameters"] = [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in route.parameters
        ]
    if route.method == "POST":
        members: dict[str, Any] = {name: {} for name in route.body}
        schema = {"type": "object", "properties": members, "additionalProperties": False}
        words["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return words


def _endpoint(api: Api, route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await answered(api, route, request.scope, request.receive)

    return endpoint


async def answered(api: Api, route: Route, scope: MutableMapping[str, Any], receive: Receive) -> Response:
    """Authenticate, then let the route answer; whatever it raises becomes a problem."""
    scope["hanse.route"] = route
    try:
        principal = None
        if route.scope is not None:
            principal = api.identities.principal(scope["headers"], route.scope)
            scope["hanse.principal"] = principal.id
        return await route.handler(Call(api, route, scope, receive, principal))
    except TokenRefused as error:
        api.metrics.refused.inc()
        LOG.info("token refused on %s %s: %s", route.method, route.path, error.message)
        return problem(error)
    except Gone:
        return Response(status_code=499)
    except Exception as error:
        return problem(error)


class _Guard:
    """What holds for every request before any route sees it; counts and logs it, never with its token."""

    def __init__(self, app: App, api: Api, hot: dict[str, Route]) -> None:
        self._app = app
        self._api = api
        self._hot = hot

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        since = time.perf_counter()
        status = 0  # until the head has left

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = list(message.get("headers", ()))
                said = {name for name, _ in own}
                message = {**message, "headers": [*own, *(one for one in _HEADERS if one[0] not in said)]}
            await send(message)

        metrics = self._api.metrics
        metrics.open.inc()
        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                close = {"connection": "close"} if isinstance(refusal, BadRequest | StoppingError) else {}
                await problem(refusal, close)(scope, receive, sending)
                return
            route = self._hot.get(scope["path"])
            if route is not None and scope["method"] == route.method:
                response = await answered(self._api, route, scope, receive)
                await response(scope, receive, sending)
            else:
                await self._app(scope, receive, sending)
        except Exception as error:
            # the head has left already, so that closing early is all that can be said
            LOG.error("an answer broke off: %s", shown(error))
            if status == 0:
                await problem(error)(scope, receive, sending)
        finally:
            metrics.open.dec()
            seconds = time.perf_counter() - since
            found = scope.get("hanse.route")
            path = found.path if found is not None else "none"
            metrics.requests.labels(path, scope["method"] if found is not None else "none", str(status)).inc()
            metrics.seconds.labels(path).observe(seconds)
            if ACCESS.isEnabledFor(logging.INFO):
                # json.dumps keeps what a caller wrote on one line
                told = {
                    "who": scope.get("hanse.principal"), "method": scope["method"], "path": scope["path"],
                    "status": status, "ms": round(seconds * 1000, 1),
                }  # fmt: skip
                ACCESS.info(json.dumps(told))

    def _refusal(self, scope: MutableMapping[str, Any]) -> HttpError | None:
        length = coded = origin = site = host = None
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value
            elif name == b"transfer-encoding":
                coded = value
            elif name == b"origin":
                origin = value
            elif name == b"sec-fetch-site":
                site = value
            elif name == b"host":
                host = value
        if length is not None and coded is not None:
            return BadRequest("the request has both Content-Length and Transfer-Encoding")
        if scope["method"] not in _SAFE:
            own = f"{scope.get('scheme', 'http')}://".encode() + (host or b"")
            if (origin is not None and origin != own) or site in _FETCHED_ELSEWHERE:
                return ForeignOrigin("a page of another origin may not change anything here")
        if self._api.stopping and scope["path"] not in ("/health", "/ready", "/metrics"):
            return StoppingError("the node is stopping")
        return None


__all__ = ["App", "Passed", "application"]
