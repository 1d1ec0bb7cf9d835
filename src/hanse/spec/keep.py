"""`keep` in build.yaml and domain.yaml: how many former publications of a product stay readable, and how long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

WORDS = ("days", "at_least")
_MOST = 1_000_000

Bad = Callable[[str, str, str], None]  # key, what is wrong, how to mend it


@dataclass(frozen=True, slots=True)
class Keep:
    """Former publications stay while they were current in the last `days` (None: always), and the newest `at_least`."""

    days: float | None = None
    at_least: int = 1


def keep(tree: Any, default: Keep = Keep(), bad: Bad = lambda _key, _message, _mend: None) -> Keep:
    """What a `keep` says, over `default` for what it leaves out; `bad` hears of each value that is none."""
    if not isinstance(tree, Mapping):
        if tree is not None:
            bad("", "keep is a mapping", "write keep: {days: 90, at_least: 3}")
        return default
    days, at_least = tree.get("days", default.days), tree.get("at_least", default.at_least)
    if "days" in tree and not _is_number(days, int | float, 0):
        bad("days", "days is a number of days", "write days: 90")
        days = default.days
    if "at_least" in tree and not _is_number(at_least, int, 1):
        bad("at_least", "at_least is a number of publications, 1 or more", "write at_least: 3")
        at_least = default.at_least
    return Keep(None if days is None else float(days), int(at_least))


def _is_number(value: Any, kind: Any, least: int) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and least <= value <= _MOST
