"""Frames between the node and its processes: a kind, a length, and that many bytes, over a unix socket."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from enum import IntEnum
from typing import Any

_HEAD = struct.Struct("!BI")
LARGEST = 1 << 30  # a frame above this is a fault of the sender


class Frame(IntEnum):
    """What a frame carries: requests and facts are JSON, SCHEMA and BATCH are one Arrow IPC message each."""

    READY = 1
    OPEN = 2
    RUN = 3
    SCHEMA = 4
    BATCH = 5
    END = 6
    ERROR = 7
    GATE = 8
    READ = 9


class Closed(Exception):
    """The other side is gone."""


def packed(kind: Frame, body: bytes | memoryview) -> bytes:
    """The bytes of a small frame."""
    return _HEAD.pack(kind, len(body)) + bytes(body)


def message(kind: Frame, value: Any) -> bytes:
    """The bytes of a JSON frame."""
    return packed(kind, json.dumps(value, separators=(",", ":"), allow_nan=True).encode())


def send(sock: socket.socket, kind: Frame, body: Any) -> None:
    """Send one frame; blocks while the other side does not read."""
    view = memoryview(body).cast("B")
    if len(view) < 65536:
        sock.sendall(packed(kind, view))
        return
    sock.sendall(_HEAD.pack(kind, len(view)))
    sock.sendall(view)


def receive(sock: socket.socket) -> tuple[Frame, bytearray]:
    """The next frame; raises `Closed` at the end."""
    head = _exactly(sock, _HEAD.size)
    kind, length = _HEAD.unpack(head)
    if length > LARGEST:
        raise Closed
    return Frame(kind), _exactly(sock, length)


def _exactly(sock: socket.socket, count: int) -> bytearray:
    body = bytearray(count)
    view = memoryview(body)
    while view:
        got = sock.recv_into(view)
        if not got:
            raise Closed
        view = view[got:]
    return body


async def receive_async(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> tuple[Frame, bytearray]:
    """The next frame, in the event loop; raises `Closed` at the end."""
    head = await _exactly_async(loop, sock, _HEAD.size)
    kind, length = _HEAD.unpack(head)
    if length > LARGEST:
        raise Closed
    try:
        return Frame(kind), await _exactly_async(loop, sock, length)
    except ValueError:
        raise Closed from None


async def _exactly_async(loop: asyncio.AbstractEventLoop, sock: socket.socket, count: int) -> bytearray:
    body = bytearray(count)
    view = memoryview(body)
    while view:
        try:
            got = await loop.sock_recv_into(sock, view)
        except OSError:
            raise Closed from None
        if not got:
            raise Closed
        view = view[got:]
    return body
