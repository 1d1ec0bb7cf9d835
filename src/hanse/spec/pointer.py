"""JSON pointers (RFC 6901): made of a path, taken apart, followed through a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def pointer(*parts: str | int) -> str:
    """The pointer of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def parts_of(pointer: str) -> list[str]:
    """The path of a pointer; `parts_of(pointer(*path)) == path` for a path of texts."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def mapping_at(tree: Any, pointer: str) -> Mapping[str, Any]:
    """The mapping at `pointer` of a parsed tree; an empty one where there is none."""
    for part in parts_of(pointer):
        if isinstance(tree, Mapping):
            tree = tree.get(part)
        elif isinstance(tree, Sequence) and not isinstance(tree, str) and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            return {}
    return tree if isinstance(tree, Mapping) else {}
