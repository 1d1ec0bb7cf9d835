"""Requests, read: bodies, parameters and cursors become values here, or a refusal with its place."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from hanse.names import ProductId, is_name
from hanse.protocols.http.errors import BadRequest, NoSuchPath

MAX_LIMIT = 10_000
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)


def read_json(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`, empty for no bytes; refuses duplicate keys, NaN and what is no object."""
    if not raw:
        return {}
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise BadRequest("the body is nested too deeply") from error
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object (line 1 column 1)")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise BadRequest("the body names a member twice")
    return value


def _no_constant(word: str) -> Any:
    raise BadRequest(f"the body holds {word}, which is not JSON")


class Members:
    """The members of a body, taken one by one; `end` refuses what nobody took."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._taken: set[str] = set()

    def _take(self, name: str) -> Any:
        self._taken.add(name)
        return self._values.get(name)

    def text(self, name: str, *, most: int = 1000, required: bool = False) -> str | None:
        value = self._take(name)
        if value is None:
            if required:
                raise BadRequest(f"the body lacks {name!r}")
            return None
        if not isinstance(value, str) or not value.strip() or len(value) > most:
            raise BadRequest(f"{name!r} must be a text of 1 to {most} characters")
        return value

    def needed(self, name: str, *, most: int = 1000) -> str:
        return self.text(name, most=most, required=True) or ""

    def flag(self, name: str) -> bool:
        value = self._take(name)
        if value is not None and not isinstance(value, bool):
            raise BadRequest(f"{name!r} must be true or false")
        return bool(value)

    def whole(self, name: str, *, most: int = 2**31) -> int | None:
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise BadRequest(f"{name!r} must be a whole number from 0 to {most}")
        return value

    def texts(self, name: str, *, most: int = 1000) -> tuple[str, ...]:
        value = self._take(name)
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > most or not all(isinstance(v, str) and v for v in value):
            raise BadRequest(f"{name!r} must be a list of at most {most} texts")
        return tuple(value)

    def products(self, name: str) -> tuple[ProductId, ...]:
        return tuple(ProductId.parse(text) for text in self.texts(name))

    def share(self, name: str) -> float | None:
        """A part of a whole in percent, above 0 and at most 100."""
        value = self._take(name)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100
        ):
            raise BadRequest(f"{name!r} must be a number of percent, above 0 and at most 100")
        return None if value is None else float(value)

    def instant(self, name: str, *, required: bool = False, start: bool = False) -> datetime | None:
        text = self.text(name, most=40, required=required)
        return None if text is None else instant(name, text, start=start)

    def files(self, name: str) -> dict[str, str] | None:
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            raise BadRequest(f"{name!r} must map paths to texts")
        for path in value:
            if not path or path.startswith("/") or "\\" in path or "\0" in path or ".." in path.split("/"):
                raise BadRequest(f"{path[:80]!r} is not a path below the project")
        return value

    def parameters(self, name: str) -> Sequence[Any] | Mapping[str, Any] | None:
        value = self._take(name)
        if value is not None and not isinstance(value, list | dict):
            raise BadRequest(f"{name!r} must be a list, or map names to values")
        if value is not None and len(value) > 1000:
            raise BadRequest(f"{name!r} holds more than 1000 values")
        return value

    def end(self) -> None:
        """Refuse members that nobody took: a misspelt limit must not be taken for none."""
        unknown = sorted(set(self._values) - self._taken)
        if unknown:
            raise BadRequest(
                f"the body has an unknown member {unknown[0][:80]!r}", mend=f"known: {', '.join(sorted(self._taken))}"
            )


def instant(name: str, text: str, *, start: bool = False) -> datetime:
    """A moment: an ISO date (its end in UTC, or its start) or an ISO date and time with its zone."""
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), time() if start else time(23, 59, 59), UTC)
        value = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{name!r} must be a date like 2026-12-31") from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def limit_of(text: str | None, default: int) -> int:
    """The `limit` parameter, clamped to 10 000."""
    if text is None:
        return default
    if not _DIGITS.fullmatch(text) or int(text) == 0:
        raise BadRequest("limit must be a whole number from 1")
    return min(int(text), MAX_LIMIT)


def number_of(name: str, text: str | None, default: int = 0) -> int:
    if text is None:
        return default
    if not _DIGITS.fullmatch(text):
        raise BadRequest(f"{name} must be a whole number")
    return int(text)


def product_of(domain: str, name: str) -> ProductId:
    """The product that a path names; a path that cannot name one is not there."""
    if not is_name(domain) or not is_name(name):
        raise NoSuchPath("nothing is here")
    return ProductId(domain, name)


class Cursors:
    """Cursors: opaque, signed, bound to the one who got them and to what was asked."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, position: Mapping[str, Any], binding: str) -> str:
        payload = json.dumps(position, separators=(",", ":"), sort_keys=True).encode()
        return base64.urlsafe_b64encode(self._sign(payload, binding) + payload).decode().rstrip("=")

    def open(self, text: str, binding: str) -> dict[str, Any]:
        """The position in `text`; anything forged, damaged or made for another is refused alike."""
        refused = BadRequest("the cursor is not one that was given to you for this question", mend="begin without it")
        if len(text) > 4096 or not text.isascii():
            raise refused
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise refused from None
        signature, payload = raw[:16], raw[16:]
        if not payload or not hmac.compare_digest(signature, self._sign(payload, binding)):
            raise refused
        value = json.loads(payload)
        return dict(value)

    def _sign(self, payload: bytes, binding: str) -> bytes:
        return hmac.new(self._key, b"hanse-cursor/1\0" + binding.encode() + b"\0" + payload, hashlib.sha256).digest()[
            :16
        ]
