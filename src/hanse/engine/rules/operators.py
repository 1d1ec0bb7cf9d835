"""The eight operators of ODCS, and how a measured value is judged by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

Number = int | float | Decimal

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "mustBe": lambda value, goal: bool(value == goal),
    "mustNotBe": lambda value, goal: bool(value != goal),
    "mustBeGreaterThan": lambda value, goal: bool(value > goal),
    "mustBeGreaterOrEqualTo": lambda value, goal: bool(value >= goal),
    "mustBeLessThan": lambda value, goal: bool(value < goal),
    "mustBeLessOrEqualTo": lambda value, goal: bool(value <= goal),
    "mustBeBetween": lambda value, goal: bool(goal[0] <= value <= goal[1]),
    "mustNotBeBetween": lambda value, goal: not goal[0] <= value <= goal[1],
}

_WORDS = {
    "mustBe": "{0}",
    "mustNotBe": "not {0}",
    "mustBeGreaterThan": "more than {0}",
    "mustBeGreaterOrEqualTo": "at least {0}",
    "mustBeLessThan": "less than {0}",
    "mustBeLessOrEqualTo": "at most {0}",
    "mustBeBetween": "between {0} and {1}",
    "mustNotBeBetween": "not between {0} and {1}",
}

OPERATORS = tuple(_COMPARE)


def problem(operator: str | None, goal: Any) -> str | None:
    """Why `operator` with `goal` cannot judge anything, or None."""
    if operator is None:
        return "it has no operator (mustBe, mustBeLessThan …)"
    if operator not in _COMPARE:
        return f"{operator!r} is not an operator of the standard"
    if operator.endswith("Between"):
        if not (isinstance(goal, (list, tuple)) and len(goal) == 2 and all(_is_number(g) for g in goal)):
            return f"{operator} needs two numbers"
        if goal[0] > goal[1]:
            return f"{operator} has its larger number first"
        return None
    if operator in ("mustBe", "mustNotBe"):
        return None if _is_number(goal) or isinstance(goal, bool) else f"{operator} needs a number or true/false"
    return None if _is_number(goal) else f"{operator} needs a number"


def holds(value: Number | bool, operator: str, goal: Any) -> bool:
    """Whether `value` is as `operator` and `goal` promise; a boolean equals 1 or 0, as in SQL."""
    if isinstance(value, Decimal):
        # a decimal equals the number as it is written, not its nearest binary fraction
        goal = [_exact(g) for g in goal] if isinstance(goal, (list, tuple)) else _exact(goal)
    return _COMPARE[operator](value, goal)


def words(operator: str, goal: Any, unit: str = "") -> str:
    """What is promised, in words: `at most 5 %`."""
    parts = goal if isinstance(goal, (list, tuple)) else (goal,)
    text = _WORDS[operator].format(*(number(part) for part in parts))
    return f"{text} {unit}" if unit else text


def number(value: Any) -> str:
    """A number as people read it: thousands apart, no trailing zeros."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    if isinstance(value, (float, Decimal)):
        text = f"{value:,.6f}".rstrip("0").rstrip(".").replace(",", " ")
        return text if text not in ("0", "-0") or not value else f"{value:.3g}"
    return str(value)


def plain(value: Any) -> str:
    """A bound as it is written in the contract: a year has no thousands."""
    return number(value).replace(" ", "")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _exact(value: Any) -> Any:
    return Decimal(str(value)) if isinstance(value, float) else value
