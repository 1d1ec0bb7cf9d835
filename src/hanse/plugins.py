"""Extension points: what varies is found through entry points, ours and yours by the same door."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def names(group: str) -> list[str]:
    """The names registered under `group`, sorted; nothing is imported."""
    return sorted(_points(group))


def load(group: str, name: str) -> Any:
    """The object registered as `name` under `group`; KeyError when there is none."""
    return _points(group)[name].load()
