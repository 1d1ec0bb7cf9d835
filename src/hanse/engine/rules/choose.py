"""Which checks `--only` means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hanse.engine.rules.model import Check


def chooser(only: Sequence[str], known: list[str]) -> Callable[[Check], bool]:
    """Whether a check is one that `only` names (all, when it names none); the names seen go to `known`."""
    wanted = {name.lower() for name in only}

    def chosen(check: Check) -> bool:
        names = [check.name, check.kind, check.id, ".".join(check.column or ()), check.rule_id or ""]
        known.extend(name for name in names[:2] if name)
        return not wanted or not wanted.isdisjoint(name.lower() for name in names)

    return chosen
