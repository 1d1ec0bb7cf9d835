"""Events: what happened, as each reader may know of it, and who follows what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from starlette.responses import Response

from hanse.governance.identity import TokenRefused
from hanse.names import ProductId
from hanse.node.news import following, view
from hanse.node.news.view import Said, Wanted
from hanse.protocols.http.call import Call, Passed, Receive, Send
from hanse.protocols.http.formats import negotiated
from hanse.protocols.http.routes import route
from hanse.protocols.http.routes.products import document
from hanse.protocols.http.streams import LOOK_SECONDS
from hanse.protocols.http.types import limit_of, product_of

STREAM = "text/event-stream"
_ALIVE_LOOKS = 15  # a comment at the first and after so many looks without news: dead connections are noticed
_AT_ONCE = 100
_TRUE = ("true", "1")


@route(
    "GET",
    "/events",
    "discover",
    "What happened, in order, after a cursor; as much as you may know of. A stream that goes on by Accept.",
    parameters=("domain", "product", "following", "after", "newest", "limit"),
)
async def events(call: Call) -> Response:
    media = negotiated(call.header(b"accept"), ("application/json", STREAM))
    params = call.params
    named = params.get("product")
    wanted = Wanted(
        params.get("domain"),
        ProductId.parse(named) if named else None,
        following=params.get("following") in _TRUE,
        newest=params.get("newest") in _TRUE and media != STREAM,
    )
    after = call.header(b"last-event-id") or params.get("after")
    if media == STREAM:
        return _stream(call, wanted, after)
    limit = limit_of(params.get("limit"), view.MOST)
    found: list[Said] = await call.work(view.events, call.node, call.ask(), wanted, after, limit)
    cursor = found[-1].cursor if found else after
    return document({"schema": "hanse.events/1", "events": [one.as_json() for one in found], "cursor": cursor})


@route("GET", "/following", "discover", "The products that you follow.")
async def followed(call: Call) -> Response:
    found = await call.work(following.followed, call.node, call.principal)
    return document({"schema": "hanse.following/1", "products": sorted(map(str, found))})


@route("POST", "/products/{domain}/{product}/follow", "discover", "Follow a product: its news are yours to read.")
async def follow(call: Call) -> Response:
    return await _change(call, follows=True)


@route("POST", "/products/{domain}/{product}/unfollow", "discover", "Follow a product no longer.")
async def unfollow(call: Call) -> Response:
    return await _change(call, follows=False)


async def _change(call: Call, *, follows: bool) -> Response:
    (await call.members()).end()
    product = product_of(call.path["domain"], call.path["product"])
    await call.work(following.follow if follows else following.unfollow, call.node, call.principal, product)
    return document({"schema": "hanse.follow/1", "product": str(product), "following": follows})


def _stream(call: Call, wanted: Wanted, after: str | None) -> Response:
    view.places_of(after)  # a bad cursor is told as a problem
    streams = call.api.streams
    streams.check(call.principal.id)

    async def write(_: Receive, send: Send) -> None:
        head = [(b"content-type", STREAM.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        leaving = asyncio.ensure_future(call.gone())
        place, quiet, seen = after, 0, None
        try:
            while not leaving.done() and not call.api.stopping:
                call.identify_again()
                now = await streams.marks(lambda: call.work(view.marks, call.node))
                found: list[Said] = []
                if now != seen:  # something happened since: perhaps something that this reader may know of
                    found = await call.work(view.events, call.node, call.ask(), wanted, place, _AT_ONCE)
                seen = None if len(found) == _AT_ONCE else now
                quiet = 0 if found else quiet + 1
                text = _lines(found) if found else ": alive\n\n" if quiet % _ALIVE_LOOKS == 1 else ""
                if text:
                    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
                if found:
                    place = found[-1].cursor
                if len(found) < _AT_ONCE:
                    await asyncio.wait({leaving}, timeout=LOOK_SECONDS)
        except TokenRefused:
            pass  # whoever has a token by then goes on from the last cursor
        finally:
            leaving.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def counted(receive: Receive, send: Send) -> None:
        with streams.held(call.principal.id):
            await write(receive, send)

    return Passed(counted)


def _lines(found: Sequence[Said]) -> str:
    return "".join(
        f"id: {one.cursor}\nevent: {one.name}\ndata: {json.dumps(one.as_json(), default=str)}\n\n" for one in found
    )
