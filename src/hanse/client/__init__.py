"""Speaks `/api/v1` of a node; imports nothing of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hanse.client.errors import ClientError

if TYPE_CHECKING:
    from hanse.client.http import Client, Reply

__all__ = ["Client", "ClientError", "Reply"]


def __getattr__(name: str) -> Any:
    # httpx is imported by those who ask, not by those who only name the error
    if name in ("Client", "Reply"):
        from hanse.client import http

        return getattr(http, name)
    raise AttributeError(name)
