"""A schema as another one plus a list of differences: what a version of a standard changed, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

GONE = object()

Difference = tuple[str, Any]


def differ(schema: dict[str, Any], differences: Iterable[Difference]) -> dict[str, Any]:
    """A copy of `schema` with each pointer set to its value, or removed when that is `GONE`.

    A part `@word` selects the branch of an `allOf` whose condition asks for the constant `word`.
    """
    # not deepcopy: parts that one object stands for in `schema` must change one by one
    changed: dict[str, Any] = json.loads(json.dumps(schema))
    for pointer, value in differences:
        at: Any = changed
        *parents, last = pointer.split("/")
        for part in parents:
            at = at[_key(at, part)]
        key = _key(at, last)
        if value is GONE:
            del at[key]
        else:
            at[key] = json.loads(json.dumps(value))
    return changed


def _key(at: Any, part: str) -> Any:
    if not isinstance(at, list):
        return part
    if not part.startswith("@"):
        return int(part)
    return next(i for i, branch in enumerate(at) if _asks_for(branch.get("if", {}), part[1:]))


def _asks_for(condition: Any, word: str) -> bool:
    if isinstance(condition, dict):
        return condition.get("const") == word or any(_asks_for(part, word) for part in condition.values())
    return isinstance(condition, list) and any(_asks_for(part, word) for part in condition)
