"""The composition root: reads settings and environment once, puts the parts together, starts and stops them."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from hanse.node.node import Node
    from hanse.node.settings import Settings
    from hanse.protocols.http.call import Api
    from hanse.protocols.http.listen import Listener
    from hanse.protocols.http.server import App

THREADS = 16
LOG_BYTES = 4 * 1024 * 1024
IN_PROCESS = "http://in-process"


def clock() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def settings_of(root: Path) -> Settings:
    """The operator's settings of the project in `root`."""
    from hanse.node.settings import load

    return load(root, os.environ)


class Running:
    """An open node with its HTTP surface, on the loop that `start` ran on."""

    def __init__(self, node: Node, api: Api, app: App) -> None:
        self.node = node
        self.api = api
        self.app = app

    @classmethod
    async def start(cls, root: Path, *, homes: Sequence[Path] = (), address: str | None = None) -> Self:
        """Open the project's homes (or `homes`), take their locks and write `address` into them."""
        from hanse.node.node import Node
        from hanse.node.settings import load
        from hanse.protocols.http.call import Api
        from hanse.protocols.http.identity import Identities
        from hanse.protocols.http.metrics import Metrics
        from hanse.protocols.http.server import application
        from hanse.protocols.http.types import Cursors

        settings = load(root, os.environ)
        (root / ".hanse").mkdir(exist_ok=True)
        node = await asyncio.to_thread(Node.open, settings, clock, homes=homes, address=address)
        if address is not None:
            node.scheduler.start(asyncio.get_running_loop())
        api = Api(
            node=node,
            identities=Identities(node, clock),
            cursors=Cursors(secrets.token_bytes(32)),
            metrics=Metrics(),
            clock=clock,
            threads=ThreadPoolExecutor(THREADS, "walk"),
            address=address or IN_PROCESS,
            started_at=clock(),
        )
        return cls(node, api, application(api))

    async def stop(self) -> None:
        """Finish or cancel what runs, then close the node and let go of the locks."""
        self.api.stopping = True
        for threads in (self.api.threads, self.api.plans):
            await asyncio.to_thread(threads.shutdown, wait=True, cancel_futures=True)
        await self.node.close()


class Serving:
    """A node that serves in a thread of its own, for the demo and for tests."""

    def __init__(self, root: Path, sock: socket.socket, *, homes: Sequence[Path] = ()) -> None:
        self._root, self._socket, self._homes = root, sock, homes
        self.port: int = sock.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.ended = threading.Event()
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._server: Listener | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="node")

    @classmethod
    def on_free_port(cls, root: Path, host: str, first: int) -> Self:
        """Serve at `first`, or at the next free block of three."""
        from hanse.protocols.http.listen import bound, free_port

        return cls(root, bound(host, free_port(host, first), tls=False))

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            self._thread.join()
            raise self._failed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._thread.join()

    def stop(self) -> None:
        """Ask the server to end; it finishes what was begun."""
        if self._server is not None:
            self._server.should_exit = True

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failed = error
        finally:
            self._socket.close()
            self.ended.set()
            self._ready.set()

    async def _serve(self) -> None:
        from hanse.protocols.http.listen import Listener

        log_to_file(self._root)
        running = await Running.start(self._root, homes=self._homes, address=self.address)
        try:
            self._server = Listener(running.app, on_stop=running.api.stop_taking)
            serving = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))
            while not self._server.started and not serving.done():
                await asyncio.sleep(0.005)
            self._ready.set()
            await serving
        finally:
            await running.stop()


def serve(
    root: Path,
    *,
    homes: Sequence[Path] = (),
    host: str | None = None,
    port: int | None = None,
    ready: Callable[[str, list[str]], None],
) -> None:
    """Serve until SIGTERM or Ctrl C; `ready` hears of the address and the domains. Off loopback TLS is demanded."""
    from hanse.node.settings import load
    from hanse.protocols.http.listen import Listener, bound

    settings = load(root, os.environ)
    log(logging.StreamHandler(sys.stderr), access=not sys.stderr.isatty())
    host, port = host or settings.host, settings.port if port is None else port
    tls = settings.certificate is not None and settings.key is not None
    sock = bound(host, port, tls=tls)
    name = f"[{host}]" if ":" in host else host
    address = f"{'https' if tls else 'http'}://{name}:{sock.getsockname()[1]}"

    async def run() -> None:
        running = await Running.start(root, homes=homes, address=address)
        try:
            ready(address, sorted(running.node.homes))
            server = Listener(
                running.app,
                certificate=settings.certificate,
                key=settings.key,
                on_stop=running.api.stop_taking,
            )
            await server.serve(sockets=[sock])
        finally:
            await running.stop()

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        pass
    finally:
        sock.close()


def log(handler: logging.Handler, *, access: bool) -> None:
    """Send the node's log to `handler`; `access` adds a line a request, never with its token or query string."""
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    for name in ("hanse", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO if name == "hanse" else logging.WARNING)
        logger.propagate = False
    logging.getLogger("hanse.access").setLevel(logging.INFO if access else logging.WARNING)


def log_to_file(root: Path) -> None:
    """Send the node's log to `.hanse/node.log`: the terminal belongs to the one who called."""
    from logging.handlers import RotatingFileHandler

    folder = root / ".hanse"
    folder.mkdir(exist_ok=True)
    log(RotatingFileHandler(folder / "node.log", maxBytes=LOG_BYTES, backupCount=1, delay=True), access=False)


class InProcess:
    """A node in this process, on a loop of its own thread, for one call of the command line."""

    def __init__(self, root: Path) -> None:
        log_to_file(root)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="node", daemon=True)
        self._thread.start()
        try:
            self._running = asyncio.run_coroutine_threadsafe(Running.start(root), self.loop).result()
        except BaseException:
            self._end()
            raise

    @property
    def app(self) -> App:
        return self._running.app

    def close(self) -> None:
        """Close the node and let go of the homes."""
        try:
            asyncio.run_coroutine_threadsafe(self._running.stop(), self.loop).result(60)
        finally:
            self._end()

    def _end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()
