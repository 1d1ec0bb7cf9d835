"""The door of a reading process: a proxy on loopback through which foreign libraries reach listed addresses only.

A library that speaks HTTP looks names up and follows redirects by itself. Given this door as its proxy it does
neither: each connection is made here, to an address that the operator's list was asked about.
"""

from __future__ import annotations

import base64
import secrets
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from hanse.engine.sources.egress import Egress
from hanse.engine.sources.errors import SourceUnreachable
from hanse.errors import HanseError

_HEAD = 64 * 1024
_CHUNK = 256 * 1024


@dataclass(slots=True)
class Door:
    """An open door: its address, the password for it, and what it refused."""

    port: int
    password: str
    refused: HanseError | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address as libraries take it, with the password."""
        return f"http://hanse:{self.password}@{self.address}"


@contextmanager
def opened(egress: Egress, seconds: float) -> Iterator[Door]:
    """A door that is open for the `with`. What it refused is raised instead of what the library made of it."""
    listener = socket.create_server(("127.0.0.1", 0))
    door = Door(listener.getsockname()[1], secrets.token_urlsafe(16))
    threading.Thread(target=_accept, args=(listener, door, egress, seconds), daemon=True).start()
    try:
        yield door
    except Exception:
        if door.refused is not None:
            raise door.refused from None
        raise
    finally:
        listener.close()


def _accept(listener: socket.socket, door: Door, egress: Egress, seconds: float) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, door, egress, seconds), daemon=True).start()


def _serve(client: socket.socket, door: Door, egress: Egress, seconds: float) -> None:
    with client:
        try:
            client.settimeout(seconds)
            head, rest = _head(client)
            first, *lines = head.decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ", 2)
            given = base64.b64encode(f"hanse:{door.password}".encode()).decode()
            if f"proxy-authorization: basic {given}".lower() not in (line.lower() for line in lines):
                client.sendall(b"HTTP/1.1 407 no\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
                return
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                with egress.connect(host, int(port), seconds) as server:
                    client.sendall(b"HTTP/1.1 200 ok\r\n\r\n")
                    _relay(client, server, rest)
                return
            address = urlsplit(target)
            path = target.partition("://")[2]
            path = "/" + path.partition("/")[2]
            # one request a connection: the next may be for another host
            kept = [line for line in lines if line and not line.lower().startswith(("proxy-", "connection:"))]
            request = "\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""])
            with egress.connect(address.hostname or "", address.port or 80, seconds) as server:
                _relay(client, server, request.encode("latin-1") + rest)
        except HanseError as error:
            listed = isinstance(error, SourceUnreachable)
            if door.refused is None or not listed:
                door.refused = error
            _sorry(client, "502 no" if listed else "403 no")  # libraries try again after the first, not the second
        except (OSError, ValueError):
            _sorry(client, "502 no")


def _sorry(client: socket.socket, status: str) -> None:
    try:
        client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    except OSError:
        return


def _head(client: socket.socket) -> tuple[bytes, bytes]:
    held = b""
    while b"\r\n\r\n" not in held:
        more = client.recv(_CHUNK)
        if not more or len(held) > _HEAD:
            raise ValueError("no request")
        held += more
    head, _, rest = held.partition(b"\r\n\r\n")
    return head, rest


def _relay(client: socket.socket, server: socket.socket, first: bytes) -> None:
    """Hand bytes both ways until one side is done; the library's own time-outs and the watch end what hangs."""
    server.settimeout(None)
    client.settimeout(None)
    server.sendall(first)
    while True:
        ready, _, _ = select.select([client, server], [], [])
        for one in ready:
            data = one.recv(_CHUNK)
            if not data:
                return
            (server if one is client else client).sendall(data)
