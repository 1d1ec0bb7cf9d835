"""Every item of http.json against a node that serves."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.demo import Demo
from tests.protocols.conftest import Caller, token_of

CORPUS = json.loads((Path(__file__).parents[1] / "attacks" / "http.json").read_text())
NOT_APPLICABLE = {
    "http-p-010": "no page renders a description yet; JSON and YAML carry it as data (test_text_is_data)",
    "http-p-011": "no page renders a tag yet; JSON and YAML carry it as data (test_text_is_data)",
    "http-p-012": "no page renders a description yet, so no link is made of one",
    "http-p-013": "see test_a_sign_in_brings_its_code_to_this_machine_only",
    "http-p-016": "no node speaks to peers yet; the route is not there (test_no_route_takes_an_address)",
}
SIGNING_IN = {"/sign-in", "/sign-in/device", "/sign-in/token"}
"""What a person without a token must reach to get one."""
PLACES = {
    "products": "/api/v1/products",
    "query": "/api/v1/query",
    "grants": "/api/v1/access/grants",
    "search": "/api/v1/products",
    "audit": "/api/v1/audit",
}


def _target(text: str) -> str:
    filled = re.sub(r"<<(\w+)>>", lambda match: PLACES[match[1]], text)
    return filled.replace("sales/orders", "operations/flights")


def _raw(demo: Demo, request: bytes) -> bytes:
    where = urlsplit(demo.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as one:
        one.sendall(request)
        answer = b""
        while piece := one.recv(65536):
            answer += piece
        return answer


@pytest.mark.parametrize("item", CORPUS["items"], ids=lambda item: item["id"])
def test_an_attack_gets_the_stated_reply(item: dict[str, Any], demo: Demo, caller: Caller) -> None:
    if item["id"] in NOT_APPLICABLE:
        pytest.skip(f"not applicable: {NOT_APPLICABLE[item['id']]}")
    request = item["request"]
    if "raw" in request:
        return _smuggled(demo)
    if "gen" in request:
        return _slow(demo, caller)
    # the path must arrive as it is written, so it is not given to a client that tidies it
    body = b'{"sql": "' + b"x" * 20_000_000 + b'"}' if "body_gen" in request else request.get("body", "").encode()
    target = _target(request["target"])
    method = request.get("method", "GET")
    headers = {"Host": "x", "Authorization": f"Bearer {token_of(demo.folder, 'stranger')}", "Connection": "close"}
    headers |= request.get("headers", {})
    if body:
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    answer = _sent(demo, f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode(), body)
    top, _, text = answer.partition(b"\r\n\r\n")
    status = int(top.split(b" ", 2)[1])
    _judge(item["id"], item["expect"], status, top.decode("latin-1"), text.decode("utf-8", "replace"))
    assert b"CANARY" not in answer
    assert caller().get("/health").text == "ok\n"
    return None


def _sent(demo: Demo, head: bytes, body: bytes) -> bytes:
    where = urlsplit(demo.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as one:
        one.sendall(head)
        with contextlib.suppress(OSError):  # refused by its declared length, before it was all sent
            one.sendall(body)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := one.recv(65536):
                answer += piece
        return answer


def _judge(id: str, expect: str, status: int, head: str, body: str) -> None:
    match expect:
        case "400" | "413" | "404" | "403":
            assert status == int(expect)
            assert json.loads(body)["status"] == status
        case "400 with position":
            assert status == 400
            assert "line 1 column" in json.loads(body)["detail"]
        case "clamped or 400":
            assert status in (200, 400)
        case "no suggestion":
            assert status == 200
            assert json.loads(body)["nearest"] == [] or "hr" not in body
        case "403 or empty":
            assert status == 403 or json.loads(body)["grants"] == []
        case "one response, no injected header":
            assert "x-y" not in head.lower()
            assert "HTTP/1.1" not in body
        case _:
            raise AssertionError(f"{id}: nobody judges {expect!r}")


def _smuggled(demo: Demo) -> None:
    token = token_of(demo.folder, "stranger")
    request = (
        f"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 4\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    answer = _raw(demo, request.encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1, "the connection was not closed"


def _slow(demo: Demo, caller: Caller) -> None:
    where = urlsplit(demo.url)
    slow = [socket.create_connection((where.hostname, where.port), timeout=15) for _ in range(50)]
    began = time.monotonic()
    for one in slow:
        one.sendall(b"GET /health HTTP/1.1\r\nX: ")
    assert caller().get("/health").text == "ok\n"
    for one in slow:
        assert one.recv(1) == b""
        one.close()
    assert time.monotonic() - began < 13


def test_text_is_data(caller: Caller) -> None:
    answer = caller("consumer").get("/api/v1/products/operations/flights")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_nothing_redirects(caller: Caller) -> None:
    assert caller().get("/login", params={"next": "https://evil.example/"}).status_code == 404
    assert caller("consumer").get("/api/v1/products/").status_code == 404


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "http://evil.example/",
        "//evil.example/",
        "http://127.0.0.1@evil.example/",
        "http://127.0.0.1:" + "0" * 200 + "@evil.example/",
        "http://evil.example\\@127.0.0.1/",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1/\r\nSet-Cookie: a=b",
        "javascript://127.0.0.1/%0aalert(1)",
    ],
)
def test_a_sign_in_brings_its_code_to_this_machine_only(elsewhere: str, demo: Demo, caller: Caller) -> None:
    asked = {"redirect_uri": elsewhere, "code_challenge": "x" * 43, "state": "s", "scope": "read"}
    assert caller().get("/sign-in", params=asked).status_code == 400
    form = {**asked, "token": token_of(demo.folder, "consumer"), "act": "allow"}
    answer = caller().post("/sign-in", data=form)
    assert (answer.status_code, answer.headers.get("location")) == (400, None)
    assert caller().get("/sign-in", params={**asked, "redirect_uri": "http://127.0.0.1:4000/"}).status_code == 200


def test_no_route_takes_an_address(caller: Caller) -> None:
    answer = caller("owner_operations").post("/api/v1/peers", json={"url": "http://127.0.0.1:1/"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:1"},
    ],
)
def test_a_foreign_page_changes_nothing(headers: dict[str, str], caller: Caller) -> None:
    answer = caller("owner_operations", **headers).post("/api/v1/access/grants", json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "http.foreign-origin")


def test_an_own_page_may_ask(demo: Demo, caller: Caller) -> None:
    answer = caller("consumer", origin=demo.url).post("/api/v1/query", json={"sql": "select 1"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nowhere"), ("GET", "/api/v1/runs/run-0"), ("PUT", "/api/v1/query"), ("DELETE", "/api/v1/products")],
)
def test_every_refusal_is_a_problem(method: str, path: str, caller: Caller) -> None:
    answer = caller("consumer").request(method, path)
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    assert told["code"]
    assert told["detail"]
    if answer.status_code == 405:
        assert answer.headers["allow"]


def test_unknown_and_undiscoverable_products_look_alike_on_every_route(caller: Caller) -> None:
    from hanse.protocols.http.routes import documented

    client = caller("stranger")
    bodies: dict[str, set[str]] = {}
    for name in ("operations/zzzzzzzz", "yyyyyyyy/xxxxxxxx"):  # far from every name, so that none is near
        for route in documented():
            if "{product}" not in route.path:
                continue
            domain, product = name.split("/")
            path = route.path.format(domain=domain, product=product, table="flights")
            answer = client.request(route.method, path)
            assert answer.status_code == 404, path
            bodies.setdefault(route.path, set()).add(answer.text.replace(name, "…"))
    assert bodies
    assert all(len(found) == 1 for found in bodies.values())


def test_every_route_but_the_open_ones_needs_a_token(caller: Caller) -> None:
    from hanse.protocols.http.routes import documented

    client, without = caller(), set()
    for route in documented():
        path = re.sub(r"{\w+}", "x", route.path)
        answer = client.request(route.method, path)
        if answer.status_code != 401:
            without.add(route.path)
        else:
            assert answer.headers["www-authenticate"] == 'Bearer realm="hanse"'
    assert without == {"/health", "/ready", "/.well-known/hanse", *SIGNING_IN}


def test_the_document_of_routes_names_them_all(caller: Caller) -> None:
    from hanse.protocols.http.routes import documented

    paths = caller().get("/api/v1/openapi.json").json()["paths"]
    for route in documented():
        told = paths[route.path][route.method.lower()]
        assert told["summary"] == route.what
        assert f"Action: {route.action}." in told["description"]


def test_an_httpx_client_of_two_tokens_is_nobody(demo: Demo) -> None:
    token = token_of(demo.folder, "consumer")
    headers = [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {token}")]
    answer = httpx.get(f"{demo.url}/api/v1/products", headers=headers, trust_env=False)
    assert answer.status_code == 401
