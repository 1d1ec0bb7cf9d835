"""Masks: how strict each is, which types it fits, and the rules of masks.yaml.

A rule by classification says how a class looks to those who may not see it. A rule by tag or column singles columns
out: it holds also for readers of the class, unless a grant names the column or a policy of the domain permits it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from hanse.errors import Finding, Kind, Place, code
from hanse.governance.decision import (
    Bucket,
    Clear,
    ColumnFacts,
    ColumnPath,
    ColumnView,
    Constant,
    HashMask,
    Hidden,
    Last,
    Mask,
    Masked,
    Null,
    TableFacts,
    Truncate,
)
from hanse.names import is_name, nearest
from hanse.spec.pointer import pointer
from hanse.spec.types import Scalar, Type

BAD_MASK = code(
    "policy.bad-mask",
    Kind.INVALID,
    "A rule of masks.yaml cannot be read",
    "masks.yaml is a list of {name, classification | tag | column, mask}; a file with a fault masks everything.",
    "Mend the rule at the place named.",
)
FOREIGN_TABLE = code(
    "policy.foreign-table",
    Kind.INVALID,
    "A local policy speaks of another domain's table",
    "A domain decides on its own products only; the federation's policies stand in policies/ beside mesh.yaml.",
    "Name a table of the own domain, or move the policy to the federation.",
)

MARKS = frozenset({"[]", "{key}", "{value}"})
_DATES = frozenset({"date", "timestamp", "timestamptz"})
_NUMBERS = frozenset({"int32", "int64", "float32", "float64", "decimal"})
_WHOLE = {"int32": 31, "int64": 63}
_SELECTORS = ("classification", "tag", "column")
_WORDS = ("null", "hash", "hide", "constant", "last", "truncate", "bucket")
_PINNED = re.compile(r"(.+)_v(0|[1-9][0-9]*)\Z", re.ASCII)


def strictness(view: ColumnView) -> tuple[int, float]:
    """How much `view` hides; the order is hidden > null > constant > bucket, truncate > hash > last > clear."""
    match view:
        case Hidden():
            return (6, 0)
        case Masked(mask):
            return mask_strictness(mask)
        case _:
            return (0, 0)


def mask_strictness(mask: Mask) -> tuple[int, float]:
    """The rank of `mask`, and how coarse it is among masks of the same rank."""
    match mask:
        case Null():
            return (5, 0)
        case Constant():
            return (4, 0)
        case Bucket(width):
            return (3, width)
        case Truncate(to):
            # a year is coarser than a month than a day; numbers compare by their width
            return (3, {"day": 1.0, "month": 31.0, "year": 366.0}[to] if isinstance(to, str) else to)
        case HashMask():
            return (2, 0)
        case Last(count):
            return (1, -count)


def strictest(views: Iterable[ColumnView]) -> ColumnView:
    """The view that hides most; of equals the first, so that the order of rules decides the reason."""
    best: ColumnView = Clear()
    rank = (0, 0.0)
    for number, view in enumerate(views):
        other = strictness(view)
        if number == 0 or other > rank:
            best, rank = view, other
    return best


def fitted(mask: Mask, type_: Type) -> Mask:
    """`mask` where it can be applied to values of `type_`, else Null: what does not fit shows nothing."""
    if not isinstance(type_, Scalar):
        return Null()
    match mask:
        case Constant(value):
            fits = _is_value(value, type_.name)
        case Bucket():
            fits = type_.name in _NUMBERS
        case Truncate(to):
            fits = type_.name in (_DATES if isinstance(to, str) else _NUMBERS)
        case Last():
            fits = type_.name == "string"
        case _:
            fits = True
    return mask if fits else Null()


def _is_value(value: Any, type_: str) -> bool:
    if type_ in ("string", "boolean") or isinstance(value, bool):
        return isinstance(value, str if type_ == "string" else bool) and type_ in ("string", "boolean")
    if type_ in _WHOLE:
        return isinstance(value, int) and -(2 ** _WHOLE[type_]) <= value < 2 ** _WHOLE[type_]
    if type_ == "date" and isinstance(value, str):
        try:
            date.fromisoformat(value)
        except ValueError:
            return False
        return len(value) == 10
    return type_ in ("float32", "float64") and isinstance(value, int | float)


@dataclass(frozen=True, slots=True)
class Selector:
    """What a rule is about: exactly one of the three; a column as (domain, product, major, table, dotted path)."""

    classification: str | None = None
    tag: str | None = None
    column: tuple[str, str, int | None, str, str] | None = None


@dataclass(frozen=True, slots=True)
class MaskRule:
    """A rule of masks.yaml; `view` is what it makes of a column that may not be seen clear."""

    name: str
    selector: Selector
    view: ColumnView
    place: Place

    @property
    def singles(self) -> bool:
        """Whether the rule singles columns out: then not even a class that may be seen shows them."""
        return self.selector.classification is None

    def matches(self, table: TableFacts, path: ColumnPath, classification: str, tags: frozenset[str]) -> bool:
        """Whether the rule is about this column."""
        selector = self.selector
        if selector.classification is not None:
            return selector.classification == classification
        if selector.tag is not None:
            return selector.tag in tags
        if selector.column is None:
            return False
        domain, product, major, name, column = selector.column
        return (
            (domain, product, name) == (table.product.domain, table.product.name, table.id.table)
            and major in (None, table.id.major)
            and column in spellings(path)
        )


def spellings(path: ColumnPath) -> tuple[str, ...]:
    """How people write a path: dotted, with or without the marks of list elements and map parts."""
    dotted = ".".join(path)
    if len(path) == 1 or MARKS.isdisjoint(path[1:]):
        return (dotted,)
    return (dotted, ".".join(part for number, part in enumerate(path) if number == 0 or part not in MARKS))


def load(
    file: str, text: str, classifications: Sequence[str], domain: str | None
) -> tuple[tuple[MaskRule, ...], list[Finding]]:
    """The rules of one masks.yaml in order; `domain` is the folder of a local file, None for the federation's."""
    from hanse.spec.document import load as read

    document, findings = read(text, file)
    if document is None:
        return (), findings
    if document.tree is None:
        return (), findings
    if not isinstance(document.tree, list):
        told = Finding.at(document.place(""), BAD_MASK, "masks.yaml is no list", mend="begin each rule with a dash")
        return (), [*findings, told]
    rules: list[MaskRule] = []
    for number, entry in enumerate(document.tree):
        pointer = f"/{number}"
        try:
            rules.append(_rule(entry, classifications, domain, document.place(pointer)))
        except _Fault as fault:
            place = document.place(pointer + fault.pointer)
            findings.append(Finding.at(place, fault.code, fault.message, mend=fault.mend))
    names = [rule.name for rule in rules]
    for number, rule in enumerate(rules):
        if rule.name in names[:number]:
            findings.append(Finding.at(rule.place, BAD_MASK, f"two rules are called {rule.name!r}", mend="rename one"))
    return tuple(rules), findings


class _Fault(Exception):
    def __init__(self, message: str, pointer: str = "", mend: str = "", slug: str = BAD_MASK) -> None:
        super().__init__(message)
        self.message, self.pointer, self.mend, self.code = message, pointer, mend, slug


def _rule(entry: Any, classifications: Sequence[str], domain: str | None, place: Place) -> MaskRule:
    if not isinstance(entry, Mapping):
        raise _Fault("a rule is a mapping", mend="{name: …, classification: …, mask: …}")
    known = ("name", *_SELECTORS, "mask")
    for key in entry:
        if key not in known:
            close = nearest(str(key), known)
            mend = f"nearest: {', '.join(close)}" if close else f"one of: {', '.join(known)}"
            raise _Fault(f"{key!r} is no word of a rule", pointer(str(key)), mend)
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise _Fault("the rule has no name", mend="name: what people will read when it masks something")
    chosen = [key for key in _SELECTORS if key in entry]
    if len(chosen) != 1:
        raise _Fault(f"rule {name!r} wants exactly one of classification, tag, column")
    value = entry[chosen[0]]
    if not isinstance(value, str) or not value:
        raise _Fault(f"{chosen[0]} of rule {name!r} is no text", f"/{chosen[0]}")
    if chosen[0] == "classification":
        if value not in classifications:
            close = nearest(value, classifications) or list(classifications)
            raise _Fault(f"{value!r} is no classification", "/classification", f"nearest: {', '.join(close)}")
        selector = Selector(classification=value)
    elif chosen[0] == "tag":
        selector = Selector(tag=value)
    else:
        selector = Selector(column=_column(value, domain))
    if "mask" not in entry:
        raise _Fault(f"rule {name!r} has no mask", mend=f"mask: one of {', '.join(_WORDS)}")
    mask = _mask(entry["mask"])
    reason = f"{name} ({place.file}:{place.line})"
    return MaskRule(name, selector, Hidden(reason) if mask is None else Masked(mask, reason), place)


def _column(text: str, domain: str | None) -> tuple[str, str, int | None, str, str]:
    parts = text.split(".", 3)
    if len(parts) != 4 or not parts[3]:
        raise _Fault(f"{text!r} is no column", "/column", "domain.product.table.column")
    pinned = _PINNED.fullmatch(parts[1])
    product, major = (pinned[1], int(pinned[2])) if pinned else (parts[1], None)
    if not (is_name(parts[0]) and is_name(product) and is_name(parts[2])):
        raise _Fault(f"{text!r} is no column", "/column", "domain.product.table.column")
    if domain is not None and parts[0] != domain:
        raise _Fault(f"{text!r} is not in domain {domain}", "/column", f"{domain}.product.table.column", FOREIGN_TABLE)
    return parts[0], product, major, parts[2], parts[3]


def _mask(tree: Any) -> Mask | None:
    """The mask that `tree` says; None for `hide`."""
    if tree is None or tree == "null":
        return Null()
    if tree == "hash":
        return HashMask()
    if tree == "hide":
        return None
    if isinstance(tree, Mapping) and len(tree) == 1:
        word, value = next(iter(tree.items()))
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
        if word == "constant" and isinstance(value, str | int | float | bool):
            return Constant(value)
        if word == "last" and isinstance(number, int) and 0 <= number <= 1024:
            return Last(number)
        if word == "bucket" and number is not None and 0 < number < float("inf"):
            return Bucket(number)
        if word == "truncate" and value in ("year", "month", "day"):
            return Truncate(value)
        if word == "truncate" and number is not None and 0 < number < float("inf"):
            return Truncate(number)
        if word in _WORDS:
            raise _Fault(f"{word}: {str(value)[:40]} is no mask", "/mask", _EXAMPLES.get(str(word), f"mask: {word}"))
    word = next(iter(tree), "") if isinstance(tree, Mapping) else tree
    close = nearest(str(word), _WORDS)
    raise _Fault(
        f"{str(word)[:40]!r} is no mask",
        "/mask",
        _EXAMPLES.get(close[0], f"mask: {close[0]}") if close else f"mask: one of {', '.join(_WORDS)}",
    )


_EXAMPLES = {
    "constant": "mask: {constant: '***'}",
    "last": "mask: {last: 4}",
    "truncate": "mask: {truncate: year}, or month, day, or a number above 0",
    "bucket": "mask: {bucket: 10}",
}


def rule_for(
    rules: Iterable[MaskRule], table: TableFacts, column: ColumnFacts, level: str, tags: frozenset[str]
) -> tuple[ColumnView, bool]:
    """What the rules make of a column that may not be seen clear, fitted to its type; and whether one singles it out.

    Without any rule the column is null.
    """
    matching = [rule for rule in rules if rule.matches(table, column.path, level, tags)]
    fitting = [
        Masked(fitted(rule.view.mask, column.type), rule.view.rule) if isinstance(rule.view, Masked) else rule.view
        for rule in matching
    ]
    view = strictest(fitting) if fitting else Masked(Null(), f"no rule for {level} in masks.yaml: null")
    return view, any(rule.singles for rule in matching)
