"""hanse: a data mesh in one install. The names of the Python side live in `hanse.client` and are imported when used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hanse.client import Answer, Column, HanseError, Mesh, Product, connect

__all__ = ["Answer", "Column", "HanseError", "Mesh", "Product", "connect"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from hanse import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
