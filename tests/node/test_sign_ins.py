"""Sign-ins that wait for their person."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from hanse.node.sign_ins import (
    INTERVAL,
    WAITS,
    SignInPending,
    SignInRefused,
    SignIns,
    SignInTooOften,
    SignInUnknown,
)

HERE = "http://127.0.0.1:4000/"
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 25, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def on(self, by: timedelta) -> None:
        self.now += by


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sign_ins(clock: Clock) -> SignIns:
    def issue(person: str, scopes: Iterable[str], lifetime: timedelta) -> str:
        return f"{person}:{','.join(scopes)}"

    return SignIns(clock, issue)


def test_a_device_gets_its_token_once_when_its_person_allows_it(sign_ins: SignIns) -> None:
    device = sign_ins.device(["read", "build"])
    with pytest.raises(SignInPending):
        sign_ins.device_token(device.device_code)
    sign_ins.decide(device.user_code.lower().replace("-", " "), "mia", ["read", "build"], allow=True)
    assert sign_ins.device_token(device.device_code).access_token == "mia:read,build"
    with pytest.raises(SignInUnknown):
        sign_ins.device_token(device.device_code)


def test_a_device_gets_no_scope_that_its_person_lacks(sign_ins: SignIns) -> None:
    device = sign_ins.device(["read", "administer", "unknown"])
    sign_ins.decide(device.user_code, "mia", ["read"], allow=True)
    assert sign_ins.device_token(device.device_code).scopes == ("read",)


def test_a_refused_device_is_told_so(sign_ins: SignIns) -> None:
    device = sign_ins.device(["read"])
    sign_ins.decide(device.user_code, "mia", ["read"], allow=False)
    with pytest.raises(SignInRefused):
        sign_ins.device_token(device.device_code)


def test_a_code_is_decided_on_once(sign_ins: SignIns) -> None:
    device = sign_ins.device(["read"])
    sign_ins.decide(device.user_code, "mia", ["read"], allow=True)
    with pytest.raises(SignInUnknown):
        sign_ins.decide(device.user_code, "eve", ["read"], allow=True)


def test_a_device_that_asks_too_often_is_told_to_slow_down(sign_ins: SignIns, clock: Clock) -> None:
    device = sign_ins.device(["read"])
    with pytest.raises(SignInPending):
        sign_ins.device_token(device.device_code)
    with pytest.raises(SignInTooOften):
        sign_ins.device_token(device.device_code)
    clock.on(timedelta(seconds=INTERVAL))
    with pytest.raises(SignInPending) as caught:
        sign_ins.device_token(device.device_code)
    assert caught.value.as_problem()["error"] == "authorization_pending"


def test_what_nobody_allowed_in_time_has_ended(sign_ins: SignIns, clock: Clock) -> None:
    device = sign_ins.device(["read"])
    clock.on(WAITS)
    with pytest.raises(SignInUnknown):
        sign_ins.decide(device.user_code, "mia", ["read"], allow=True)
    with pytest.raises(SignInUnknown):
        sign_ins.device_token(device.device_code)


def test_a_flood_of_devices_is_bounded(sign_ins: SignIns) -> None:
    first = sign_ins.device(["read"])
    for _ in range(1000):
        last = sign_ins.device(["read"])
    with pytest.raises(SignInUnknown):
        sign_ins.waiting(first.user_code)
    assert sign_ins.waiting(last.user_code) is last


def test_a_code_is_worth_its_token_once_with_the_right_verifier(sign_ins: SignIns) -> None:
    made = sign_ins.authorize("mia", ["read"], CHALLENGE, HERE)
    assert sign_ins.exchange(made, VERIFIER, HERE).person == "mia"
    with pytest.raises(SignInUnknown):
        sign_ins.exchange(made, VERIFIER, HERE)


@pytest.mark.parametrize(("verifier", "redirect"), [("x" * 43, HERE), (VERIFIER, "http://127.0.0.1:4001/")])
def test_a_stolen_code_is_worth_nothing(sign_ins: SignIns, verifier: str, redirect: str) -> None:
    made = sign_ins.authorize("mia", ["read"], CHALLENGE, HERE)
    with pytest.raises(SignInUnknown):
        sign_ins.exchange(made, verifier, redirect)


def test_a_code_ends_after_a_minute(sign_ins: SignIns, clock: Clock) -> None:
    made = sign_ins.authorize("mia", ["read"], CHALLENGE, HERE)
    clock.on(timedelta(minutes=1))
    with pytest.raises(SignInUnknown):
        sign_ins.exchange(made, VERIFIER, HERE)
