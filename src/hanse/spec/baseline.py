"""baseline.yaml: failing rules that a team accepts for a while, at most as bad as they are.

accepted         a list of
    rule         the id of the rule, as `hanse test` tells it
    count        at most so many bad rows; for a rule that counts none, what it measured at the worst
    why          why this is accepted
    until        the last day on which it is
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from hanse.errors import Finding, Kind, Place, code
from hanse.spec.document import Document, load
from hanse.spec.pointer import pointer

FILE = "baseline.yaml"
BAD = code(
    "baseline.bad-value",
    Kind.INVALID,
    "baseline.yaml says something that it cannot say",
    "What is accepted is one rule, with a count, a reason and a last day: nothing is accepted for ever or unseen.",
    "Write it with `hanse test ID --baseline --why … --until DATE`, or as the message says.",
)
_KEYS = ("rule", "count", "why", "until")
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Accepted:
    """A failing rule that is accepted: at most `count` bad rows (or so bad a measure), through the day `until`."""

    rule: str
    count: float
    why: str
    until: date
    place: Place


def baseline(document: Document) -> tuple[tuple[Accepted, ...], list[Finding]]:
    """What a baseline.yaml accepts, and what is wrong with it; a wrong entry accepts nothing."""
    tree = document.tree
    listed = tree.get("accepted") if isinstance(tree, Mapping) else None
    if not isinstance(tree, Mapping) or set(tree) - {"accepted"} or not isinstance(listed, list):
        return (), [
            Finding.at(document.place(""), BAD, "baseline.yaml is a mapping with a list: accepted", mend="accepted: []")
        ]
    found: list[Accepted] = []
    findings: list[Finding] = []
    for i, entry in enumerate(listed[:_MOST]):
        place = document.place(pointer("accepted", str(i)))
        read, wrong = _entry(entry, place)
        if read is not None:
            found.append(read)
        findings += [Finding.at(place, BAD, f"accepted[{i}] {said}", mend=mend) for said, mend in wrong]
    return tuple(found), findings


def of_texts(files: Mapping[str, str], folder: str = "") -> tuple[Accepted, ...]:
    """What the baseline among `files` (by path below `folder`) accepts; nothing when there is none."""
    text = files.get(FILE)
    document = load(text, f"{folder}{FILE}")[0] if text is not None else None
    return baseline(document)[0] if document is not None else ()


def _entry(entry: Any, place: Place) -> tuple[Accepted | None, list[tuple[str, str]]]:
    if not isinstance(entry, Mapping):
        return None, [("is no mapping", "write rule, count, why and until")]
    wrong = [(f"has a key {str(key)[:40]!r} that is not known", "remove it") for key in entry if key not in _KEYS]
    rule, count, why = entry.get("rule"), entry.get("count"), entry.get("why")
    until = _day(entry.get("until"))
    if not isinstance(rule, str) or not rule:
        wrong.append(("names no rule", "write rule: with the id that hanse test tells"))
    if not isinstance(count, int | float) or isinstance(count, bool):
        wrong.append(("has no count", "write count: with how many bad rows are accepted"))
    if not isinstance(why, str) or not why.strip():
        wrong.append(("says no reason", "write why: with the reason"))
    if until is None:
        wrong.append(("has no last day", "write until: with a date like 2027-01-31"))
    if wrong:
        return None, wrong
    assert isinstance(rule, str)
    assert isinstance(count, int | float)
    assert isinstance(why, str)
    assert until is not None
    return Accepted(rule, count, why, until, place), []


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None
