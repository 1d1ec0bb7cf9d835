"""A transport that calls an ASGI app on a loop of another thread, streaming both ways in bounded memory."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

from .transport import BrokenError, Response

App = Callable[..., Awaitable[None]]
_QUEUED = 16  # chunks of a reply that wait for their reader


class AsgiTransport:
    """Hands requests to `app`, which runs on `loop`; the caller's thread never runs the loop."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        parts = urlsplit(url)
        raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        raw.append((b"host", parts.netloc.encode()))
        if body is not None:
            raw.append((b"content-length", str(len(body)).encode()))
        exchange = _Exchange(body or b"")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": parts.scheme,
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": raw,
            "client": ("127.0.0.1", 0),
            "server": (parts.hostname, parts.port or 80),
        }
        asyncio.run_coroutine_threadsafe(exchange.run(self._app, scope, self._loop), self._loop)
        start = exchange.out.get()
        if start is None or isinstance(start, BaseException):
            raise BrokenError("the node failed") from start
        return _Answer(exchange, start)

    def close(self) -> None:
        """Nothing is held."""


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


class _Answer:
    def __init__(self, exchange: _Exchange, start: Mapping[str, Any]) -> None:
        self._exchange = exchange
        self.status = int(start["status"])
        self.headers: Mapping[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start.get("headers", ())
        }

    def chunks(self) -> Iterator[bytes]:
        while (item := self._exchange.out.get()) is not None:
            if isinstance(item, BaseException):
                raise BrokenError("the node stopped it") from item
            yield item

    def close(self) -> None:
        self._exchange.leave()
