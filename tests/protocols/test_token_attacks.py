"""Every item of tokens.json against a node that serves, signed with its issuer's key or another."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey, RSAKey

from hanse.governance.keys import new_key, public_pem
from hanse.node.people import ISSUER, audience
from tests.demo import Demo

CORPUS = json.loads((Path(__file__).parents[1] / "attacks" / "tokens.json").read_text())


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _claims(told: dict[str, Any]) -> dict[str, Any]:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER, "sub": "consumer", "aud": audience("flights"), "scope": "read",
        "iat": now - 700, "nbf": now - 700, "exp": now + 600, "jti": secrets.token_hex(8),
    }  # fmt: skip
    for name, value in told.items():
        if isinstance(value, str) and value.startswith("now"):
            value = now + int(value[3:])
        claims[name] = value
    return claims


def made(recipe: dict[str, Any], demo: Demo) -> str | None:
    """The Authorization header that `recipe` tells; None for none."""
    if "http" in recipe:
        return None if recipe["http"] == "none" else str(recipe["http"])
    trusted = (demo.folder / ".hanse" / "issuer").read_bytes()
    claims, kind = _claims(recipe.get("claims", {})), recipe.get("alg", "EdDSA")
    if kind in ("none", "HS512"):
        # made by hand: libraries refuse to write such a token
        signed = ".".join(_b64(json.dumps(part).encode()) for part in ({"alg": kind, "typ": "at+jwt"}, claims))
        mark = b"" if kind == "none" else hmac.digest(public_pem(trusted), signed.encode(), "sha512")
        return f"Bearer {signed}.{_b64(mark)}"
    key: Any
    if kind == "RS256":
        key = RSAKey.generate_key(2048)
    else:
        key = OKPKey.import_key(new_key() if recipe.get("key") == "attacker" else trusted)
        kind = "Ed25519"
    token = jwt.encode({"alg": kind, "typ": "at+jwt"}, claims, key, algorithms=[kind])
    if recipe.get("mutate") == "flip":
        head, payload, signature = token.split(".")
        raw = bytearray(base64.urlsafe_b64decode(payload + "=="))
        raw[10] ^= 1
        token = f"{head}.{_b64(bytes(raw))}.{signature}"
    return f"Bearer {token}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("item", CORPUS["items"], ids=lambda item: item["id"])
def test_a_token_gets_the_stated_reply(item: dict[str, Any], demo: Demo) -> None:
    recipe, expect = item["recipe"], item["expect"]
    header = made(recipe, demo)
    headers = {} if header is None else {"authorization": header}
    headers |= recipe.get("http_headers", {})
    began = time.monotonic()
    answer = httpx.post(
        f"{demo.url}/api/v1/query", headers=headers, json={"sql": "select 1 as one"}, trust_env=False, timeout=10
    )
    took = time.monotonic() - began
    assert answer.status_code == expect["status"], answer.text
    if answer.status_code == 200:
        assert answer.json()["rows"] == [[1]]
        return
    assert took < 0.25
    assert "rows" not in answer.text
    if header is not None:
        assert header.split(".")[1] not in answer.text or header == "Bearer a.b.c"
    told = answer.headers.get("www-authenticate", "")
    if "error" in expect:
        assert f'error="{expect["error"]}"' in told
    elif answer.status_code == 401:
        assert told == 'Bearer realm="hanse"', "without a token there is no error code"


def test_a_token_of_reading_publishes_nothing(demo: Demo) -> None:
    token = demo.hanse("token", "owner_operations", "--scope", "read").stdout.strip()
    for path in ("plan", "build", "publish", "access/grants"):
        answer = httpx.post(
            f"{demo.url}/api/v1/{path}", headers={"authorization": f"Bearer {token}"}, json={}, trust_env=False
        )
        assert answer.status_code == 403
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_a_token_ends_while_it_is_remembered(demo: Demo) -> None:
    trusted = OKPKey.import_key((demo.folder / ".hanse" / "issuer").read_bytes())
    claims = _claims({"exp": "now-26"})
    token = jwt.encode({"alg": "Ed25519", "typ": "at+jwt"}, claims, trusted, algorithms=["Ed25519"])
    with httpx.Client(base_url=demo.url, headers={"authorization": f"Bearer {token}"}, trust_env=False) as client:
        assert client.get("/api/v1/products").status_code == 200
        time.sleep(max(0.0, claims["exp"] + 30.5 - time.time()))
        assert client.get("/api/v1/products").status_code == 401
