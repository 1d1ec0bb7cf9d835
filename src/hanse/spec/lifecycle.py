"""The life of a product or contract: which status may follow which."""

from __future__ import annotations

from collections.abc import Mapping

from hanse.spec.checks.identity import STATUSES

# A product may skip *draft*, but not *deprecated*: whoever reads it is told before it goes. Nothing returns from
# *retired*; its name gets a new major instead.
MOVES: Mapping[str, frozenset[str]] = {
    "proposed": frozenset({"draft", "active", "retired"}),
    "draft": frozenset({"active", "retired"}),
    "active": frozenset({"deprecated"}),
    "deprecated": frozenset({"active", "retired"}),
    "retired": frozenset(),
}
assert tuple(MOVES) == STATUSES


def may_move(old: str, new: str) -> bool:
    """Whether status `new` may follow `old`; staying is no move and always allowed."""
    return old == new or new in MOVES.get(old, frozenset())
