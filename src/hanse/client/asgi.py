"""A transport that calls an ASGI app on a loop of another thread, streaming both ways in bounded memory."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import httpx

App = Callable[..., Awaitable[None]]
_QUEUED = 16  # chunks of a reply that wait for their reader


class AsgiTransport(httpx.BaseTransport):
    """Hands requests to `app`, which runs on `loop`; the caller's thread never runs the loop."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _Exchange(request.read())
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.split(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("127.0.0.1", 0),
            "server": (request.url.host, request.url.port or 80),
        }
        asyncio.run_coroutine_threadsafe(exchange.run(self._app, scope, self._loop), self._loop)
        start = exchange.out.get()
        if isinstance(start, BaseException):
            raise httpx.RemoteProtocolError("the node failed") from start
        return httpx.Response(start["status"], headers=start.get("headers", []), stream=_Body(exchange))


class _Exchange:
    def __init__(self, body: bytes) -> None:
        self.body = body
        self.out: queue.Queue[Any] = queue.Queue(_QUEUED)
        self.gone = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def run(self, app: App, scope: MutableMapping[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": self.body, "more_body": False}
            await self.gone.wait()
            return {"type": "http.disconnect"}

        try:
            await app(scope, receive, self._send)
            await self._put(None)
        except Exception as error:
            await self._put(error)

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            await self._put(message)
        elif message.get("body"):
            await self._put(bytes(message["body"]))

    async def _put(self, item: Any) -> None:
        while not self.gone.is_set():
            try:
                return self.out.put_nowait(item)
            except queue.Full:
                await asyncio.sleep(0.002)
        return None

    def leave(self) -> None:
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.gone.set)


class _Body(httpx.SyncByteStream):
    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        while (item := self._exchange.out.get()) is not None:
            if isinstance(item, BaseException):
                raise httpx.RemoteProtocolError("the answer broke off") from item
            yield item

    def close(self) -> None:
        self._exchange.leave()
