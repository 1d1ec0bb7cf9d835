"""What a set of access policies can tell apart, read off its Cedar JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a set of policies can tell apart. What it never mentions cannot change an answer, so it is not a key."""

    people: frozenset[tuple[str, str]]
    teams: frozenset[str]
    tags: frozenset[str] | None  # None: any
    resource: frozenset[str] | None  # None: the resource as a whole
    context: frozenset[str] | None


def mentions_of(tree: Mapping[str, Any]) -> Mentions:
    """The mentions of a policy set in Cedar's JSON form."""
    named = frozenset(literals(tree))
    attributes: dict[str, set[str] | None] = {"resource": set(), "context": set(), "principal": set()}
    _collect(tree, attributes)

    def seen(variable: str) -> frozenset[str] | None:
        found = attributes[variable]
        return None if found is None else frozenset(found)

    return Mentions(
        frozenset((type_, name) for type_, name in named if type_ in ("Person", "Product")),
        frozenset(name for type_, name in named if type_ == "Team"),
        seen("principal"),
        seen("resource"),
        seen("context"),
    )


def literals(tree: Any) -> Iterator[tuple[str, str]]:
    """Every entity that is named, as (type, id)."""
    if isinstance(tree, Mapping):
        if tree.keys() == {"type", "id"} and isinstance(tree["type"], str) and isinstance(tree["id"], str):
            yield tree["type"], tree["id"]
        else:
            for part in tree.values():
                yield from literals(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from literals(part)


def _collect(tree: Any, found: dict[str, set[str] | None]) -> None:
    """Gather the attributes read of each variable; a variable used in any other way counts as read whole."""
    if isinstance(tree, list):
        for part in tree:
            _collect(part, found)
    if not isinstance(tree, Mapping):
        return
    for key, part in tree.items():
        if key == "Var" and isinstance(part, str):
            # the principal as a whole is only compared or asked for membership, which literals and teams cover
            if part in ("resource", "context"):
                found[part] = None
        elif key in (".", "has", "hasTag", "getTag") and isinstance(part, Mapping):
            _collect_access(key, part, found)
        else:
            _collect(part, found)


def _collect_access(operator: str, part: Mapping[str, Any], found: dict[str, set[str] | None]) -> None:
    left = part.get("left")
    variable = left.get("Var") if isinstance(left, Mapping) else None
    if operator in (".", "has"):
        words = [part["attr"]] if isinstance(part.get("attr"), str) else None
    else:
        right = part.get("right")
        value = right.get("Value") if isinstance(right, Mapping) else None
        words = [value] if isinstance(value, str) else None
        _collect(right, found)
    if variable in found and (words is None or found[variable] is None):
        found[variable] = None
    elif variable in found:
        seen = found[variable]
        if seen is not None:
            seen.update(words or ())
    else:
        _collect(left, found)
        if operator in ("hasTag", "getTag"):
            found["principal"] = None
