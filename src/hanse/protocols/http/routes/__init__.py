"""Every route in one table: its method, path, the action it stands for, and what it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.responses import Response

    from hanse.protocols.http.call import Call

BASE = "/api/v1"
KIB = 1024
MIB = 1024 * KIB
# a token's scope for each action; the steps decide the action itself
SCOPES = {
    "discover": "read",
    "read": "read",
    "request": "read",
    "audit": "read",
    "approve": "administer",
    "publish": "build",
    "administer": "administer",
}
PUBLIC = "public"
ELSEWHERE = ("/.well-known", "/health", "/ready", "/metrics", "/sign-in")

Handler = Callable[["Call"], Awaitable["Response"]]


@dataclass(frozen=True, slots=True)
class Route:
    """One route; `action` is a word of `governance.decision.Action`, or `public` for what needs no token."""

    method: str
    path: str
    action: str
    what: str
    handler: Handler
    body_bytes: int = 256 * KIB
    parameters: tuple[str, ...] = ()  # of the query string
    body: tuple[str, ...] = ()  # members of the body
    hot: bool = False  # served without the framework's layers

    @property
    def scope(self) -> str | None:
        """The scope a token needs here; None when no token is needed."""
        return None if self.action == PUBLIC else SCOPES[self.action]


_ROUTES: list[Route] = []


def route(
    method: str,
    path: str,
    action: str,
    what: str,
    *,
    body_bytes: int = 256 * KIB,
    parameters: tuple[str, ...] = (),
    body: tuple[str, ...] = (),
    hot: bool = False,
) -> Callable[[Handler], Handler]:
    """Declare a route; a path lies under /api/v1 unless it begins with one of `ELSEWHERE`."""
    if action != PUBLIC and action not in SCOPES:
        raise ValueError(f"{method} {path} declares no action that anybody could be allowed")

    def declare(handler: Handler) -> Handler:
        full = path if path.startswith(ELSEWHERE) else BASE + path
        _ROUTES.append(Route(method, full, action, what, handler, body_bytes, parameters, body, hot))
        return handler

    return declare


def documented() -> list[Route]:
    """Every route, by path and method."""
    from hanse.protocols.http.routes import (  # noqa: F401  # each declares its own
        access,
        audit,
        connections,
        events,
        operations,
        products,
        query,
        rows,
        runs,
        sign_in,
        walk,
    )

    return sorted(_ROUTES, key=lambda one: (one.path, one.method))
