"""Sign-ins that wait for their person: device codes (RFC 8628) and authorization codes with PKCE (RFC 7636).

They live in memory for minutes; a node that is started anew has forgotten them, and the sign-in is begun again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hanse.errors import HanseError, Kind, code
from hanse.governance.identity import SCOPES

WAITS = timedelta(minutes=10)
LIFETIME = timedelta(hours=8)  # of the token that a sign-in gives
INTERVAL = 2  # seconds between two questions of a device
_MOST = 1000  # that wait at once; the oldest gives way
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 §6.1: no vowels, so no words; nothing that looks like a digit

Issue = Callable[[str, Iterable[str], timedelta], str]


class SignInError(HanseError):
    """Why no token is given; `error` is the word of RFC 6749 §5.2 or RFC 8628 §3.5."""

    kind = Kind.DENIED
    error = "invalid_grant"

    def as_problem(self) -> dict[str, Any]:
        return {**super().as_problem(), "error": self.error, "error_description": self.message}


class SignInPending(SignInError):
    kind = Kind.UNAVAILABLE
    error = "authorization_pending"
    code = code(
        "identity.sign-in-pending",
        Kind.UNAVAILABLE,
        "The sign-in waits for its person",
        "A device gets its token when the person whose it is has allowed it elsewhere.",
        "Enter its code on the page that the sign-in named; or, where you are signed in: hanse login --approve CODE.",
    )


class SignInTooOften(SignInPending):
    error = "slow_down"
    code = code(
        "identity.sign-in-too-often",
        Kind.UNAVAILABLE,
        "The device asks too often",
        "A waiting device asks every few seconds, not more often.",
        "Ask again after the interval that the sign-in named.",
    )


class SignInRefused(SignInError):
    error = "access_denied"
    code = code(
        "identity.sign-in-refused",
        Kind.DENIED,
        "The sign-in was refused",
        "The person who was asked said no.",
        "Begin again: hanse login.",
    )


class SignInUnknown(SignInError):
    error = "expired_token"
    code = code(
        "identity.sign-in-unknown",
        Kind.DENIED,
        "There is no such sign-in, or it has ended",
        "A sign-in waits for ten minutes, is used once, and is forgotten when the node is started anew.",
        "Begin again: hanse login.",
    )


@dataclass(slots=True)
class Device:
    """A device that waits: it asks with `device_code`, its person says `user_code`."""

    device_code: str
    user_code: str
    scopes: tuple[str, ...]
    ends: datetime
    asked: datetime | None = None
    person: str | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class _Granted:
    person: str
    scopes: tuple[str, ...]
    challenge: str
    redirect: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """What a sign-in gives."""

    access_token: str
    person: str
    scopes: tuple[str, ...]
    ends: datetime


class SignIns:
    """The sign-ins of a node. `issue` signs a token of a person with scopes for a time."""

    def __init__(self, clock: Callable[[], datetime], issue: Issue) -> None:
        self._clock = clock
        self._issue = issue
        self._lock = threading.Lock()
        self._devices: dict[str, Device] = {}  # by user code
        self._granted: dict[str, _Granted] = {}  # by the code's digest

    def device(self, scopes: Iterable[str]) -> Device:
        """Begin the sign-in of a device that wants `scopes`."""
        with self._lock:
            self._forget()
            spelled = "".join(secrets.choice(_LETTERS) for _ in range(8))
            made = Device(
                secrets.token_urlsafe(32), f"{spelled[:4]}-{spelled[4:]}", known_scopes(scopes), self._clock() + WAITS
            )
            self._devices[made.user_code] = made
            return made

    def waiting(self, user_code: str) -> Device:
        """The device that waits under `user_code`, however it was typed; raise `SignInUnknown`."""
        letters = "".join(letter for letter in user_code.upper() if letter.isalpha())
        with self._lock:
            self._forget()
            found = self._devices.get(f"{letters[:4]}-{letters[4:]}")
            if found is None or found.person is not None or found.refused:
                raise SignInUnknown("no sign-in waits under this code", mend="look at the code again, or hanse login")
            return found

    def decide(self, user_code: str, person: str, scopes: Iterable[str], *, allow: bool) -> Device:
        """Let `person` allow or refuse a device; it gets no scope that `scopes` (the person's now) lacks."""
        device = self.waiting(user_code)
        with self._lock:
            if allow:
                device.scopes = tuple(scope for scope in device.scopes if scope in frozenset(scopes))
                device.person = person
            else:
                device.refused = True
        return device

    def device_token(self, device_code: str) -> Token:
        """The token of a device whose person has allowed it, once; raise a `SignInError`."""
        now = self._clock()
        with self._lock:
            self._forget()
            found = next((d for d in self._devices.values() if hmac.compare_digest(d.device_code, device_code)), None)
            if found is None:
                raise SignInUnknown("the sign-in has ended", mend="hanse login")
            if found.refused:
                del self._devices[found.user_code]
                raise SignInRefused("the sign-in was refused", mend="hanse login")
            if found.person is None:
                often = found.asked is not None and now - found.asked < timedelta(seconds=INTERVAL * 0.5)
                found.asked = now
                raise (SignInTooOften if often else SignInPending)("the sign-in waits for its person")
            del self._devices[found.user_code]
        return self._token(found.person, found.scopes)

    def authorize(self, person: str, scopes: Iterable[str], challenge: str, redirect: str) -> str:
        """A code for `person` that only who knows the verifier behind `challenge` (S256) can exchange."""
        made = secrets.token_urlsafe(32)
        with self._lock:
            self._forget()
            self._granted[_digest(made)] = _Granted(
                person, known_scopes(scopes), challenge, redirect, self._clock() + timedelta(minutes=1)
            )
        return made

    def exchange(self, made: str, verifier: str, redirect: str) -> Token:
        """The token behind a code, once; raise `SignInUnknown`."""
        with self._lock:
            self._forget()
            found = self._granted.pop(_digest(made), None)
        hashed = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if found is None or found.redirect != redirect or not hmac.compare_digest(hashed, found.challenge):
            raise SignInUnknown("the code is not one of this sign-in", mend="hanse login")
        return self._token(found.person, found.scopes)

    def _token(self, person: str, scopes: tuple[str, ...]) -> Token:
        return Token(self._issue(person, scopes, LIFETIME), person, scopes, self._clock() + LIFETIME)

    def _forget(self) -> None:
        now = self._clock()
        for held in (self._devices, self._granted):
            for key in [key for key, one in held.items() if one.ends <= now]:
                del held[key]
            while len(held) >= _MOST:
                del held[next(iter(held))]


def known_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Those of `scopes` that exist, in their order."""
    wanted = frozenset(scopes)
    return tuple(scope for scope in SCOPES if scope in wanted)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
