"""Errors as problem details (RFC 9457): one table from the six kinds to HTTP."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from hanse.errors import FailedError, HanseError, Kind, code
from hanse.governance.identity import TokenRefused
from hanse.node.sign_ins import SignInError

LOG = logging.getLogger("hanse.http")
PROBLEM = "application/problem+json"
STATUS = {
    Kind.INVALID: 400,
    Kind.DENIED: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.UNAVAILABLE: 503,
    Kind.FAILED: 500,
}
RETRY_SECONDS = "2"
NO_TOKEN, INSUFFICIENT_SCOPE = "no_token", "insufficient_scope"


class HttpError(HanseError):
    """A refusal whose status HTTP itself names (404 of a path, 405, 406, 413, 415 …)."""

    status = 400

    def __init__(self, message: str, *, mend: str = "", why: str = "") -> None:
        super().__init__(message, mend=mend, why=why)


class BadRequest(HttpError):
    kind = Kind.INVALID
    code = code(
        "http.bad-request",
        Kind.INVALID,
        "The request cannot be read",
        "Bodies are JSON objects with the members that the path takes; parameters have the form that the path names.",
        "Compare the request with /api/v1/openapi.json.",
    )
    status = 400


class NoSuchPath(HttpError):
    kind = Kind.NOT_FOUND
    code = code(
        "http.not-found",
        Kind.NOT_FOUND,
        "Nothing is here",
        "No route has this path, or what it names is not there for you.",
        "See /api/v1/openapi.json for the paths.",
    )
    status = 404


class WrongMethod(HttpError):
    kind = Kind.INVALID
    code = code(
        "http.method-not-allowed",
        Kind.INVALID,
        "The path does not take this method",
        "Reading is GET, everything that changes something is POST.",
        "See the Allow header.",
    )
    status = 405


class NotAcceptable(HttpError):
    kind = Kind.INVALID
    code = code(
        "http.not-acceptable",
        Kind.INVALID,
        "The answer has no such format",
        "The Accept header names none of the formats that this path offers.",
        "Ask for one of the formats the message lists.",
    )
    status = 406


class TooLarge(HttpError):
    kind = Kind.INVALID
    code = code(
        "http.too-large",
        Kind.INVALID,
        "The request is too large",
        "Each path bounds the size of what it reads, so that nobody can fill a node's memory.",
        "Send less: the message names the limit.",
    )
    status = 413


class TooSlow(HttpError):
    kind = Kind.INVALID
    code = code(
        "http.too-slow",
        Kind.INVALID,
        "The request did not arrive in time",
        "A connection that sends nothing holds room that others need.",
        "Send the request again.",
    )
    status = 408


class ForeignOrigin(HttpError):
    kind = Kind.DENIED
    code = code(
        "http.foreign-origin",
        Kind.DENIED,
        "A page of another origin may not change anything here",
        "Browsers send the Origin of the page; only pages of this node may change its state.",
        "Call from a program, or from a page of this node.",
    )
    status = 403


class IdentityHeader(HttpError):
    kind = Kind.DENIED
    code = code(
        "http.identity-header",
        Kind.DENIED,
        "Identity comes from the token only",
        "A header that names a person beside the token would let a proxy or a caller speak for others.",
        "Leave the header out.",
    )
    status = 403


class NotSupportedBody(HttpError):
    kind = Kind.INVALID
    code = code(
        "http.unsupported-media-type",
        Kind.INVALID,
        "The body is not JSON",
        "Bodies are read as application/json only.",
        "Send content-type: application/json.",
    )
    status = 415


class StoppingError(HttpError):
    kind = Kind.UNAVAILABLE
    code = code(
        "http.stopping",
        Kind.UNAVAILABLE,
        "The node is stopping",
        "It finishes what it began and takes nothing new.",
        "Ask again in a moment.",
    )
    status = 503


def status_of(error: HanseError) -> int:
    """The HTTP status of `error`."""
    if isinstance(error, HttpError):
        return error.status
    if isinstance(error, SignInError):
        return 400  # RFC 6749 §5.2
    if isinstance(error, TokenRefused) and error.error != INSUFFICIENT_SCOPE:
        return 401
    return STATUS[error.kind]


def as_problem(error: HanseError) -> dict[str, Any]:
    """The members of the problem document of `error`."""
    status = status_of(error)
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "kind": error.kind.value,
        **error.as_problem(),
    }


def shown(error: Exception) -> HanseError:
    """`error` if it may be shown, else a fault with an id; the log holds the rest under that id."""
    if isinstance(error, HanseError):
        return error
    fault = secrets.token_hex(6)
    LOG.error("fault %s", fault, exc_info=error)
    return FailedError(f"a fault in hanse, id {fault}", mend=f"look for {fault} in the node's log and report it")


def problem(error: Exception, headers: Mapping[str, str] | None = None) -> Response:
    """The response that tells of `error`."""
    known = shown(error)
    body = as_problem(known)
    more = dict(headers or {})
    if body["status"] == 401 or getattr(known, "error", None) == "insufficient_scope":
        more["www-authenticate"] = challenge(known)
    elif body["status"] in (429, 503):
        more.setdefault("retry-after", RETRY_SECONDS)
    text = json.dumps(body, ensure_ascii=False, default=str)
    return Response(text, body["status"], {"cache-control": "no-store", **more}, PROBLEM)


def challenge(error: HanseError) -> str:
    """WWW-Authenticate of RFC 6750 §3: no error code when no token was sent."""
    word = getattr(error, "error", "")
    if not word or word == NO_TOKEN:
        return 'Bearer realm="hanse"'
    words = f'Bearer realm="hanse", error="{word}"'
    scope = getattr(error, "scope", None)
    return f'{words}, scope="{scope}"' if scope else words
