"""The Python side of a mesh: connect, search, read products, ask in SQL. Imports nothing of the server."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    ConflictError,
    DeniedError,
    FailedError,
    HanseError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)

if TYPE_CHECKING:
    from .answer import Answer
    from .connection import connect
    from .http import Client, Reply
    from .mesh import Mesh
    from .product import Column, Product

# imported by those who ask, not by those who only name an error
_LATE = {
    "Answer": "answer",
    "Client": "http",
    "Column": "product",
    "Mesh": "mesh",
    "Product": "product",
    "Reply": "http",
    "aio": "aio",
    "connect": "connection",
}

__all__ = [
    "Answer",
    "Client",
    "Column",
    "ConflictError",
    "DeniedError",
    "FailedError",
    "HanseError",
    "InvalidError",
    "Mesh",
    "NotFoundError",
    "Product",
    "Reply",
    "UnavailableError",
    "connect",
]


def __getattr__(name: str) -> Any:
    module = _LATE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = import_module(f".{module}", __name__)
    return found if name == module and name == "aio" else getattr(found, name)
