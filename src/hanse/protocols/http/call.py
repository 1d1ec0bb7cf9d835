"""One call: who asks, what was sent, and the node that is asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from starlette.responses import Response

from hanse.governance.decision import Principal
from hanse.governance.decision import Request as Ask
from hanse.node.runs import TooManyRuns
from hanse.protocols.http.errors import NotSupportedBody, TooLarge, TooSlow
from hanse.protocols.http.identity import Identities
from hanse.protocols.http.metrics import Metrics
from hanse.protocols.http.streams import Streams
from hanse.protocols.http.types import Cursors, Members, read_json

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from hanse.node.node import Node
    from hanse.protocols.http.routes import Route

P = ParamSpec("P")
T = TypeVar("T")
BODY_SECONDS = 30.0
PLANS = 2  # at once
PLANS_OF_ONE = 4  # that one principal may have, running or waiting
_PURPOSE = b"hanse-purpose"

Receive = Callable[[], Awaitable["MutableMapping[str, Any]"]]
Send = Callable[["MutableMapping[str, Any]"], Awaitable[None]]


class Gone(Exception):
    """The caller went away; nobody is left to tell anything."""


@dataclass(slots=True)
class Api:
    """What every call shares: the node, its identities, cursors, counters and the threads that walk."""

    node: Node
    identities: Identities
    cursors: Cursors
    metrics: Metrics
    clock: Callable[[], datetime]
    threads: ThreadPoolExecutor
    address: str
    started_at: datetime
    stopping: bool = False
    # plans run whatever their sender wrote: apart, so that they hold up nobody else
    plans: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(PLANS, "plan"))
    planning: Counter[str] = field(default_factory=Counter)
    streams: Streams = field(default_factory=Streams)

    def stop_taking(self) -> None:
        """Refuse what is new from now on; what was begun goes on."""
        self.stopping = True


class Call:
    """One request, authenticated; its body is read only when a route asks for it."""

    def __init__(
        self, api: Api, route: Route, scope: MutableMapping[str, Any], receive: Receive, principal: Principal | None
    ) -> None:
        self.api = api
        self.node = api.node
        self.route = route
        self.scope = scope
        self._receive = receive
        self._principal = principal
        self._left = False

    @property
    def principal(self) -> Principal:
        """Who asks; a public route has nobody."""
        assert self._principal is not None, "a public route asks for nobody"
        return self._principal

    def identify_again(self) -> None:
        """Take the bearer for who they are by now; raise `TokenRefused` when their token ended meanwhile."""
        assert self.route.scope is not None, "a public route asks for nobody"
        self._principal = self.api.identities.principal(self.scope["headers"], self.route.scope)

    def ask(self, purpose: str | None = None) -> Ask:
        """The act of asking, as the steps take it; the purpose is stated by the body, else by its header."""
        stated = purpose or self.header(_PURPOSE)
        return Ask(self.principal, self.api.clock(), "http", stated)

    def header(self, name: bytes) -> str | None:
        """The header called `name` (lower case), if it was sent."""
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == name), None)

    @cached_property
    def params(self) -> dict[str, str]:
        """The query string, the last of equal names."""
        from urllib.parse import parse_qsl

        raw = self.scope.get("query_string", b"").decode("latin-1")
        return dict(parse_qsl(raw, keep_blank_values=True, max_num_fields=100))

    @property
    def path(self) -> dict[str, str]:
        """The parameters of the path."""
        found: dict[str, str] = self.scope.get("path_params", {})
        return found

    async def members(self) -> Members:
        """The body's members; raise when it is too large, too slow, or no JSON object."""
        kind = self.header(b"content-type")
        raw = await self.raw()
        if raw and kind is not None and not kind.lower().startswith("application/json"):
            raise NotSupportedBody("the body must be application/json")
        return Members(read_json(raw))

    async def raw(self) -> bytes:
        """The body's bytes, at most what the route takes, within half a minute."""
        most = self.route.body_bytes
        declared = self.header(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > most:
            raise TooLarge(f"the body has {declared} bytes; this path reads at most {most}")
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    piece = message.get("body", b"")
                    size += len(piece)
                    if size > most:
                        raise TooLarge(f"the body exceeds {most} bytes, the most that this path reads")
                    pieces.append(piece)
                    if not message.get("more_body"):
                        return b"".join(pieces)
        except TimeoutError:
            raise TooSlow(f"the body did not arrive in {BODY_SECONDS:.0f} s") from None

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what blocks in one of the node's threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.api.threads, partial(function, *args, **kwargs))

    async def plan(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a plan in one of the node's few threads for plans; raise `TooManyRuns` when the caller has enough."""
        planning, who = self.api.planning, self.principal.id
        if planning[who] >= PLANS_OF_ONE:
            raise TooManyRuns(f"{PLANS_OF_ONE} plans of {who} go on already", mend="wait for one of them to end")
        planning[who] += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.api.plans, partial(function, *args, **kwargs))
        finally:
            planning[who] -= 1
            if not planning[who]:
                del planning[who]

    async def unless_gone(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work`, and cancel it when the caller goes away: raise `Gone`. The body must have been read."""
        task = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._left_us())
        try:
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            task.cancel()
            with contextlib.suppress(BaseException):
                await task
            raise Gone
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            leaving.cancel()

    async def _left_us(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def gone(self) -> None:
        """Return when the caller has gone away."""
        await self._left_us()


class Passed(Response):
    """A response that writes itself: `write(receive, send)`."""

    def __init__(self, write: Callable[[Receive, Send], Awaitable[None]]) -> None:
        super().__init__()
        self._write = write

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._write(receive, send)
