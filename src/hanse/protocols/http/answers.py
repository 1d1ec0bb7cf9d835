"""An answer on its way out: headers that tell what shaped it, and a body that stops when the caller leaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from hanse.protocols.http.call import Api, Call, Passed, Receive, Send
from hanse.protocols.http.formats import Format, json_document, streamed

if TYPE_CHECKING:
    from hanse.engine.answer import Answer

_TOLD = ("publications", "policies", "deprecations", "freshness")  # facts that travel as headers, too
_HEADER_BYTES = 4096
_FLUSH = 64 * 1024


async def respond(
    call: Call, answer: Answer, format: Format, after: Callable[[Answer], Mapping[str, Any]] | None = None
) -> Response:
    """The response that carries `answer` in `format`; whole when it is small, streamed else.

    `after` adds members to a JSON document, once the answer has ended.
    """
    headers = {"cache-control": "no-store", "vary": "accept", **_headers(answer.facts)}
    if not format.streams:
        body = await call.unless_gone(json_document(answer, after))
        _count(call.api, answer)
        return Response(body, 200, headers, format.media)
    if answer.is_whole:
        pieces = [piece async for piece in streamed(answer, format)]
        _count(call.api, answer)
        return Response(b"".join(pieces), 200, headers, format.media)
    return _streaming(call, answer, format, headers)


def _count(api: Api, answer: Answer) -> None:
    api.metrics.queries.labels("answered").inc()
    api.metrics.rows.inc(answer.rows)


def _headers(facts: Mapping[str, Any]) -> dict[str, str]:
    headers = {"hanse-query-id": str(facts.get("id", ""))}
    for name in _TOLD:
        if value := facts.get(name):
            text = json.dumps(value, separators=(",", ":"), default=str)  # ASCII, on one line
            if len(text) <= _HEADER_BYTES:
                headers[f"hanse-{name}"] = text
    return headers


def _streaming(call: Call, answer: Answer, format: Format, headers: dict[str, str]) -> Response:
    async def write(_receive: Receive, send: Send) -> None:
        leaving = asyncio.ensure_future(call.gone())
        body = streamed(answer, format)
        started = False
        held: list[bytes] = []
        size = 0
        ended = False
        try:
            while not ended:
                step = asyncio.ensure_future(anext(body, None))
                await asyncio.wait({step, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if leaving.done():
                    step.cancel()
                    with contextlib.suppress(BaseException):
                        await step
                    call.api.metrics.queries.labels("cancelled").inc()
                    return
                piece = step.result()
                if piece is None:
                    ended = True
                else:
                    held.append(piece)
                    size += len(piece)
                if size < _FLUSH and not ended:
                    continue
                if not started:
                    started = True
                    raw = [(k.encode(), v.encode("latin-1", "replace")) for k, v in headers.items()]
                    raw.append((b"content-type", format.media.encode()))
                    await send({"type": "http.response.start", "status": 200, "headers": raw})
                await send({"type": "http.response.body", "body": b"".join(held), "more_body": not ended})
                held, size = [], 0
            _count(call.api, answer)
        finally:
            leaving.cancel()
            await answer.cancel()

    return Passed(write)
