"""Tokens: the public corpus, and that nothing short of perfect is accepted."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from hanse.governance.identity import (
    ScopeMissing,
    TokenRefused,
    Verifier,
    issue,
    new_key,
    public_jwk,
    require_scope,
)
from hanse.governance.keys import private_key, public_pem

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ISSUER, AUDIENCE = "https://flights.example", "https://node.example"
CORPUS = json.loads((Path(__file__).parents[1] / "attacks" / "tokens.json").read_text())["items"]
HTTP_ONLY = {"tok-p-008", "tok-p-012"}  # the absence of a token and headers beside it: the door's tests


@cache
def key(name: str) -> bytes:
    return new_key()


def verifier() -> Verifier:
    return Verifier({ISSUER: [public_jwk(key("trusted"))]}, AUDIENCE)


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    usual = {"iss": ISSUER, "sub": "ada", "aud": AUDIENCE, "scope": "read", "iat": now - 900, "nbf": now - 900}
    return {**usual, "exp": now + 900, **changes}


def token(body: dict[str, Any], algorithm: str = "EdDSA", pem: bytes | None = None, **header: Any) -> str:
    """A token made by hand, so that the tests do not lean on the library under test."""
    pem = pem or key("trusted")
    signed = f"{encoded({'alg': algorithm, 'typ': 'at+jwt', **header})}.{encoded(body)}"
    if algorithm == "none":
        return signed + "."
    if algorithm == "HS512":
        code = hmac.HMAC(public_pem(pem), hashes.SHA512())
        code.update(signed.encode())
        return f"{signed}.{encoded(code.finalize())}"
    if algorithm == "RS256":
        rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return f"{signed}.{encoded(rsa_key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"
    return f"{signed}.{encoded(private_key(pem).sign(signed.encode()))}"


def built(recipe: dict[str, Any]) -> str:
    """The token that a corpus item asks for."""
    now = int(NOW.timestamp())
    changes = {
        name: now + int(value[3:]) if isinstance(value, str) and value.startswith("now") else value
        for name, value in recipe.get("claims", {}).items()
    }
    if text := recipe.get("http"):
        return str(text).removeprefix("Bearer ")
    made = token(claims(**changes), recipe.get("alg", "EdDSA"), key(recipe.get("key", "trusted")))
    if recipe.get("alg") == "HS512":
        made = token(claims(**changes), "HS512", key("trusted"))
    if recipe.get("mutate") == "flip":
        head, body, signature = made.split(".")
        raw = bytearray(base64.urlsafe_b64decode(body + "=="))
        raw[raw.index(b"ada")] ^= 1
        made = f"{head}.{encoded(bytes(raw))}.{signature}"
    return made


@pytest.mark.parametrize(
    "item", [item for item in CORPUS if item["id"] not in HTTP_ONLY], ids=lambda item: f"{item['id']} {item['why']}"
)
def test_each_token_of_the_public_corpus_gets_its_verdict(item: dict[str, Any]) -> None:
    made, expect = built(item["recipe"]), item["expect"]
    start = time.perf_counter()
    if expect["status"] == 200:
        assert verifier().verify(made, NOW).subject == "ada"
        return
    with pytest.raises(TokenRefused) as refusal:
        require_scope(verifier().verify(made, NOW), "read")
    assert time.perf_counter() - start < 0.25
    assert refusal.value.error == expect["error"]
    assert isinstance(refusal.value, ScopeMissing) is (expect["status"] == 403)
    shown = json.dumps(refusal.value.as_problem())
    assert not any(part in shown for part in made.split(".") if len(part) > 1)


def test_an_issued_token_is_verified_and_says_who_and_how_far() -> None:
    made = issue(
        key("trusted"), issuer=ISSUER, subject="ada", audience=AUDIENCE, scopes=["build", "read"], now=NOW,
        lifetime=timedelta(hours=8),
    )  # fmt: skip
    found = verifier().verify(made, NOW)
    assert (found.subject, found.issuer, found.scopes) == ("ada", ISSUER, {"read", "build"})
    assert found.expires_at == NOW + timedelta(hours=8)
    assert verifier().verify(made, NOW + timedelta(hours=8, seconds=29))
    for at in (NOW + timedelta(hours=8, seconds=30), NOW - timedelta(seconds=31)):
        with pytest.raises(TokenRefused):
            verifier().verify(made, at)


@pytest.mark.parametrize("lifetime", [timedelta(hours=24, seconds=1), timedelta(0), timedelta(hours=-1)])
def test_a_token_is_not_issued_for_longer_than_a_day(lifetime: timedelta) -> None:
    with pytest.raises(ValueError, match="24 hours"):
        issue(
            key("trusted"), issuer=ISSUER, subject="ada", audience=AUDIENCE, scopes=["read"], now=NOW,
            lifetime=lifetime,
        )  # fmt: skip


def test_an_unknown_scope_is_not_issued_and_not_believed() -> None:
    with pytest.raises(ValueError, match="scope"):
        issue(key("trusted"), issuer=ISSUER, subject="ada", audience=AUDIENCE, scopes=["root"], now=NOW)
    assert verifier().verify(token(claims(scope="read root")), NOW).scopes == {"read"}


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(NOW.timestamp()) + 90_000},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 10**30},
        {"iat": None},
        {"iat": int(NOW.timestamp()) + 3600},
        {"aud": None},
        {"aud": [AUDIENCE + "/x"]},
        {"sub": ""},
        {"sub": 7},
        {"iss": ["https://flights.example"]},
        {"nbf": "x"},
    ],
)
def test_a_claim_that_is_missing_or_odd_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        verifier().verify(token(claims(**changes)), NOW)


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"typ": None}, {"crit": ["exp"]}, {"b64": False, "crit": ["b64"]}])
def test_a_token_of_another_type_or_with_critical_words_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        verifier().verify(token(claims(), **header), NOW)


def test_keys_in_the_header_are_ignored() -> None:
    jwk = public_jwk(key("attacker"))
    for header in ({"jwk": jwk}, {"jku": "https://evil.example/keys"}, {"kid": jwk["kid"]}):
        with pytest.raises(TokenRefused):
            verifier().verify(token(claims(), pem=key("attacker"), **header), NOW)


def test_an_issuer_vouches_only_for_itself() -> None:
    both = Verifier({ISSUER: [public_jwk(key("trusted"))], "https://other": [public_jwk(key("attacker"))]}, AUDIENCE)
    assert both.verify(token(claims(iss="https://other"), pem=key("attacker")), NOW).issuer == "https://other"
    with pytest.raises(TokenRefused):
        both.verify(token(claims(), pem=key("attacker")), NOW)


def test_both_names_of_the_algorithm_are_read_and_several_audiences() -> None:
    assert verifier().verify(token(claims(), "Ed25519"), NOW)
    assert verifier().verify(token(claims(aud=["x", AUDIENCE])), NOW).audience == AUDIENCE


@pytest.mark.parametrize("text", ["", ".", "a", "a.b", "a.b.c.d", "ü.b.c", "x" * 100_000, "e30.e30.", "\x00.\x00.\x00"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenRefused):
        verifier().verify(text, NOW)


def test_a_deep_payload_is_refused() -> None:
    raw = encoded(b"[" * 3000)
    signed = f"{encoded({'alg': 'EdDSA', 'typ': 'at+jwt'})}.{raw}"
    with pytest.raises(TokenRefused):
        verifier().verify(f"{signed}.{encoded(private_key(key('trusted')).sign(signed.encode()))}", NOW)
