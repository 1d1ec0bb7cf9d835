"""Connections: bounded silence, no ambiguous requests, no clear text off loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from hanse.protocols.http import listen
from hanse.protocols.http.listen import AddressTaken, Listener, NotOffLoopback, bound, free_port


async def _app(scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"ok"})  # type: ignore[operator]


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(listen, "HEADER_SECONDS", 0.5)
    sock = bound("127.0.0.1", 0, tls=False)
    server = Listener(_app)  # type: ignore[arg-type]
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])))
    thread.start()
    yield sock.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def _says(port: int, raw: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
        one.sendall(raw)
        answer = b""
        while piece := one.recv(65536):
            answer += piece
        return answer


def _answer(one: socket.socket) -> bytes:
    answer = b""
    while not answer.endswith(b"\r\n\r\nok"):
        answer += one.recv(65536)
    return answer


def test_fifty_slow_heads_are_closed_and_others_are_answered(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(50)]
    for one in slow:
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    assert _says(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").endswith(b"ok")
    for one in slow:
        assert one.recv(1) == b"", "the connection is still open"
        one.close()


def test_a_second_head_may_not_be_slow_either(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert _answer(one).endswith(b"ok")
        one.sendall(b"GET / HT")
        assert one.recv(1) == b""


def test_an_idle_connection_is_kept_for_the_next_request(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
        for _ in range(2):
            one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert _answer(one).endswith(b"ok")
            time.sleep(0.8)


def test_what_is_not_http_is_told_as_a_problem(port: int) -> None:
    head, _, body = _says(port, b"GET / HTTP/1.1\r\nHost: x\r\nBad header\r\n\r\n").partition(b"\r\n\r\n")
    assert b" 400 " in head
    assert b"application/problem+json" in head
    start, end = body.index(b"{"), body.rindex(b"}")
    assert json.loads(body[start : end + 1])["code"] == "http.bad-request"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_nothing_listens_off_loopback_without_tls(host: str) -> None:
    with pytest.raises(NotOffLoopback):
        bound(host, 0, tls=False)


def test_a_taken_address_is_named_and_the_next_block_is_found() -> None:
    first = free_port("127.0.0.1", 20_470)
    with bound("127.0.0.1", first + 1, tls=False):
        with pytest.raises(AddressTaken, match=str(first + 1)):
            bound("127.0.0.1", first + 1, tls=False)
        assert free_port("127.0.0.1", first) >= first + 3
