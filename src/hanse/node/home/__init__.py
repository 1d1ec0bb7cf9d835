"""Domain homes: the folder in which everything a domain owns lives."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hanse.node.home.home import Home, NoHome
    from hanse.node.home.lock import HomeLocked
    from hanse.node.home.values import Publication, Published, PublishedLine, Stage

__all__ = ["Home", "HomeLocked", "NoHome", "Publication", "Published", "PublishedLine", "Stage"]

_MODULES = {"Home": "home", "NoHome": "home", "HomeLocked": "lock"}


def __getattr__(name: str) -> Any:
    # the command line looks at a home's lock before it knows whether it needs the store
    if name in __all__:
        return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'values')}"), name)
    raise AttributeError(name)
