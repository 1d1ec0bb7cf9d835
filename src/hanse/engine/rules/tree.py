"""Look into a contract as it was written, where the model has no word for what is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def at(tree: Any, pointer: str) -> Mapping[str, Any]:
    """The mapping at `pointer` of a parsed tree; an empty one where there is none."""
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(tree, Mapping):
            tree = tree.get(step)
        elif isinstance(tree, Sequence) and not isinstance(tree, str) and step.isdigit() and int(step) < len(tree):
            tree = tree[int(step)]
        else:
            return {}
    return tree if isinstance(tree, Mapping) else {}
