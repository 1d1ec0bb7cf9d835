"""What can still be judged of a document that its schema refuses: the same tree without the refused members."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from hanse.errors import Finding
from hanse.spec.pointer import parts_of, pointer
from hanse.spec.schema.causes import REQUIRED, TYPE, UNKNOWN_KEY
from hanse.spec.schema.check import NEWEST, validator

_ROUNDS = 3
_FILLED: Mapping[str, str] = {"id": "unknown", "version": "1.0.0", "name": "unknown", "status": "draft"}


def salvage(tree: Any, kind: str, findings: Iterable[Finding]) -> tuple[dict[str, Any], frozenset[str]] | None:
    """A tree that the newest schema accepts and the pointers that were changed in it, or None when too much is wrong.

    Lists keep their length, so every pointer into the result is one into the document.
    """
    if not isinstance(tree, dict):
        return None
    rest: dict[str, Any] = json.loads(json.dumps(tree))
    rest["apiVersion"] = NEWEST[kind]
    changed = {"/apiVersion"}
    pointers = [(finding.pointer, finding.code) for finding in findings]
    compiled = validator(kind, NEWEST[kind])
    for _ in range(_ROUNDS):
        for at, code in pointers:
            changed.add(_mended(rest, at, code))
        if compiled.is_valid(rest):
            return rest, frozenset(changed)
        # what leaving out one member broke around it
        pointers = [
            (
                "".join(f"/{part}" for part in (*error.instance_path, *_missing(error))),
                REQUIRED if _missing(error) else "",
            )
            for error in compiled.iter_errors(rest)
        ][:100]
    return None


def _missing(error: Any) -> tuple[str, ...]:
    return (error.kind.property,) if hasattr(error.kind, "property") else ()


def _mended(tree: dict[str, Any], at: str, code: str) -> str:
    """Make the member at the pointer `at` no longer wrong; the pointer of what was changed."""
    parts = parts_of(at)
    owner: Any = tree
    chain: list[tuple[dict[str, Any], str, int]] = []
    for depth, part in enumerate(parts):
        if isinstance(owner, dict):
            chain.append((owner, part, depth))
            owner = owner.get(part)
        elif isinstance(owner, list) and part.isdigit() and int(part) < len(owner):
            owner = owner[int(part)]
        else:
            break
    if not chain:
        return at
    owner, key, depth = chain[-1]
    if code == REQUIRED and key not in owner and key in _FILLED:
        owner[key] = _FILLED[key]
    elif code == TYPE and depth == len(parts) - 1 and key in _FILLED and isinstance(owner.get(key), (int, float)):
        owner[key] = str(owner[key])
    elif key in owner and (code != UNKNOWN_KEY or depth == len(parts) - 1):
        del owner[key]
        if len(chain) == 1 and key in _FILLED:
            owner[key] = _FILLED[key]
    elif len(chain) > 1:
        owner, key, depth = chain[-2]
        owner.pop(key, None)
    return pointer(*parts[: depth + 1])
