"""The listening side: uvicorn with bounds on how long a connection may say nothing."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from hanse.errors import HanseError, Kind, code
from hanse.protocols.http.server import App

HEADER_SECONDS = 10.0  # from a connection's first silence to the end of its request's head
KEPT_SECONDS = 30  # an idle connection is kept for the next request
DRAIN_SECONDS = 30  # what was begun may end, after that it is cancelled
MOST_CONNECTIONS = 4096
PORTS = 3  # HTTP, Flight SQL and PostgreSQL stand side by side


class NotOffLoopback(HanseError):
    kind = Kind.INVALID
    code = code(
        "serve.no-tls",
        Kind.INVALID,
        "A node listens off loopback with TLS only",
        "Tokens and data would cross the network in the clear.",
        "Name a certificate and key under `tls` in .hanse/node.yaml, or listen on 127.0.0.1.",
    )

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is not loopback, and no certificate is configured", mend="listen on 127.0.0.1")


class AddressTaken(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "serve.address-taken",
        Kind.CONFLICT,
        "The address is taken",
        "Another program listens there.",
        "Name another with --port, or stop the other program.",
    )

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"{host}:{port} is taken by another program", mend=f"--port {port + PORTS}")


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that waits for a request's head, but not for ever, and tells of bad ones as a problem."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        if self._late is None and (self.cycle is None or self.cycle.response_complete):
            self._arm()
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._disarm()

    def on_response_complete(self) -> None:
        self._disarm()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        body = json.dumps(
            {
                "type": "about:blank", "title": "Bad Request", "status": 400, "kind": "invalid",
                "code": "http.bad-request", "detail": "the request is not HTTP/1.1",
            }
        ).encode()  # fmt: skip
        headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            head = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _arm(self) -> None:
        self._late = self.loop.call_later(HEADER_SECONDS, self._too_late)

    def _disarm(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


class Listener(uvicorn.Server):
    """A server of one app on one socket; `on_stop` is called once when a signal asks it to end."""

    def __init__(
        self,
        app: App,
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                interface="asgi3",
                http=PatientProtocol,
                ws="none",
                lifespan="off",
                loop="asyncio",
                access_log=False,
                log_config=None,
                log_level="warning",
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEPT_SECONDS,
                timeout_graceful_shutdown=DRAIN_SECONDS,
                limit_concurrency=MOST_CONNECTIONS,
                h11_max_incomplete_event_size=64 * 1024,
                ssl_certfile=certificate,
                ssl_keyfile=key,
            )
        )
        self._on_stop = on_stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End by SIGTERM and SIGINT and return: uvicorn would raise them anew, before the homes are closed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        former = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for one, handler in former.items():
                signal.signal(one, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._on_stop is not None:
            self._on_stop()
        await super().shutdown(sockets)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bound(host: str, port: int, *, tls: bool) -> socket.socket:
    """A socket bound to `host:port`; raise `NotOffLoopback` without TLS elsewhere, `AddressTaken` when it is taken."""
    if not is_loopback(host) and not tls:
        raise NotOffLoopback(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named; head and body are two writes
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise AddressTaken(host, port) from None
    listening.listen(2048)
    listening.setblocking(False)
    return listening


def free_port(host: str, first: int, tries: int = 50) -> int:
    """The first port of a free block of three, beginning at `first`; raise `AddressTaken` when there is none."""
    for port in range(first, first + tries * PORTS, PORTS):
        if all(is_free(host, port + i) for i in range(PORTS)):
            return port
    raise AddressTaken(host, first)


def is_free(host: str, port: int) -> bool:
    """Whether nothing listens on `host:port`."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
