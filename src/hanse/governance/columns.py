"""Columns by class: which classes a table has for some grants, and the view of each column from their verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from hanse.governance.cedar import Resource, Verdict
from hanse.governance.decision import (
    Clear,
    ColumnFacts,
    ColumnPath,
    ColumnView,
    Grant,
    Hidden,
    Masked,
    Null,
    TableFacts,
)
from hanse.governance.masks import rule_for, spellings
from hanse.governance.policies import Policies
from hanse.spec.model import Table
from hanse.spec.types import MapOf

Coverage = tuple[frozenset[str] | None, str | None]  # a grant's columns and ceiling


class Facts:
    """A table as a key: equal by its words and by the very same columns, which are too many to compare each time."""

    __slots__ = ("_words", "table")

    def __init__(self, table: TableFacts) -> None:
        self.table = table
        self._words = (table.id, table.access, table.status, table.owner_team, table.tags, table.version)

    def __hash__(self) -> int:
        return hash((self._words, id(self.table.columns)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Facts) and self.table.columns is other.table.columns and self._words == other._words


@dataclass(frozen=True, slots=True)
class Part:
    """A column: its number among the table's columns, its class, who covers it, and its view if not clear."""

    path: ColumnPath
    parent: int | None
    in_map: bool
    question: int  # which class
    grants: tuple[int, ...]  # which of the grants cover it
    otherwise: ColumnView
    is_container: bool


@dataclass(frozen=True, slots=True)
class Classes:
    """A table's columns and the distinct classes that Cedar is asked about."""

    resources: tuple[Resource, ...]
    parts: tuple[Part, ...]


@lru_cache(maxsize=1024)
def classes_of(facts: Facts, policies: Policies, coverage: tuple[Coverage, ...]) -> Classes:
    """Sort the columns of a table into classes, for grants of that coverage."""
    table = facts.table
    numbers = {column.path: number for number, column in enumerate(table.columns)}
    levels = _levels(table, numbers, policies)
    top_level = frozenset(path[0] for path in numbers if len(path) == 1)
    parents = {path[:-1] for path in numbers if len(path) > 1}
    tags: dict[ColumnPath, frozenset[str]] = {}
    questions: dict[Resource, int] = {}
    parts: list[Part] = []
    below = [_below(columns, numbers, top_level) for columns, _ in coverage]
    named_by = [_named(columns, numbers, top_level) for columns, _ in coverage]
    for column in table.columns:
        path = column.path
        tags[path] = column.tags | tags.get(path[:-1], frozenset())
        level = levels[path]
        classification = policies.classifications[level]
        covering = tuple(
            number
            for number, (columns, ceiling) in enumerate(coverage)
            if path in named_by[number]
            or path in below[number]
            or (columns is None and ceiling in policies.classifications and level <= policies.level(ceiling))
        )
        view, singled = rule_for(policies.masks, table, column, classification, tags[path])
        resource = Resource(
            table.product.domain,
            table.product.name,
            table.id.table,
            table.access,
            table.status,
            table.owner_team,
            table.tags | tags[path],
            classification,
            level,
            policies.is_sensitive(level),
            bool(covering),
            any(path in named or path in inner for named, inner in zip(named_by, below, strict=True)),
            singled,
        )
        question = questions.setdefault(resource, len(questions))
        parent = numbers.get(path[:-1])
        in_map = parent is not None and isinstance(table.columns[parent].type, MapOf)
        parts.append(Part(path, parent, in_map, question, covering, view, path in parents))
    return Classes(tuple(questions), tuple(parts))


def can_hide(facts: TableFacts, policies: Policies) -> bool:
    """Whether there is a column of the table that does not exist for some reader."""
    return any(isinstance(rule.view, Hidden) for rule in policies.masks) and _can_hide(Facts(facts), policies)


@lru_cache(maxsize=16384)
def _can_hide(facts: Facts, policies: Policies) -> bool:
    return any(isinstance(part.otherwise, Hidden) for part in classes_of(facts, policies, ()).parts)


def _levels(table: TableFacts, numbers: Mapping[ColumnPath, int], policies: Policies) -> Mapping[ColumnPath, int]:
    """The class of every path: its own, else that of what it is part of.

    An object without a class of its own has the mildest of its parts': it holds nothing but them. All else without
    a class counts as the strictest.
    """
    strictest = len(policies.classifications) - 1
    levels: dict[ColumnPath, int | None] = {}
    for column in table.columns:
        own = column.classification
        levels[column.path] = levels.get(column.path[:-1]) if own is None else policies.level(own)
    mildest: dict[ColumnPath, int] = {}
    for column in reversed(table.columns):
        path = column.path
        known = levels[path]
        found = known if known is not None else mildest.get(path, strictest)
        levels[path] = found
        if path[:-1] in numbers:
            mildest[path[:-1]] = min(found, mildest.get(path[:-1], found))
    return {path: strictest if level is None else level for path, level in levels.items()}


def _named(
    columns: frozenset[str] | None, paths: Mapping[ColumnPath, int], top_level: frozenset[str]
) -> frozenset[ColumnPath]:
    """The paths that a grant names, with all their parts; a dotted name that is a column's own means that one."""
    if columns is None:
        return frozenset()
    found: set[ColumnPath] = set()
    for path in paths:
        if path[:-1] in found or any(
            spelling in columns and (len(path) == 1 or spelling not in top_level) for spelling in spellings(path)
        ):
            found.add(path)
    return frozenset(found)


def _below(
    columns: frozenset[str] | None, paths: Mapping[ColumnPath, int], top_level: frozenset[str]
) -> frozenset[ColumnPath]:
    """What the named paths are part of: it is shown so far as it holds them."""
    return frozenset(path[:length] for path in _named(columns, paths, top_level) for length in range(1, len(path)))


def views_of(classes: Classes, verdicts: Sequence[Verdict], grants: Sequence[Grant]) -> Mapping[ColumnPath, ColumnView]:
    """The view of every column: a part is never clearer than its whole, and what has no part left is hidden."""
    clear = [Clear(str(verdict.by)) for verdict in verdicts]
    granted: dict[tuple[int, ...], Clear] = {}
    views: list[ColumnView] = []
    for part in classes.parts:
        verdict = verdicts[part.question]
        view: ColumnView
        if not verdict.allowed:
            view = part.otherwise
        elif part.grants and verdict.by is not None and verdict.by.id == "hanse.unmask-granted":
            view = granted.get(part.grants) or granted.setdefault(
                part.grants, Clear(f"granted by {', '.join(grants[number].id for number in part.grants)}")
            )
        else:
            view = clear[part.question]
        if part.parent is not None:
            view = _within(views[part.parent], view)
        views.append(view)
    if any(part.is_container for part in classes.parts):
        _settle(classes.parts, views)
    return MappingProxyType({part.path: view for part, view in zip(classes.parts, views, strict=True)})


def _within(parent: ColumnView, own: ColumnView) -> ColumnView:
    if isinstance(parent, Hidden):
        return parent
    if isinstance(parent, Masked) and not isinstance(own, Hidden):
        return Masked(Null(), parent.rule)
    return own


def _settle(parts: Sequence[Part], views: list[ColumnView]) -> None:
    """Bring the views of parts up: an object all of whose parts are hidden is hidden, and so is a map of any.

    A map's keys must stay distinct, so a map with a masked key or value is null as a whole.
    """
    children: dict[int, list[int]] = {}
    for number, part in enumerate(parts):
        if part.parent is not None:
            children.setdefault(part.parent, []).append(number)
    for number in sorted(children, reverse=True):
        own, inner = views[number], [views[child] for child in children[number]]
        hidden = [view for view in inner if isinstance(view, Hidden)]
        masked = [view for view in inner if isinstance(view, Masked)]
        is_map = parts[children[number][0]].in_map
        if isinstance(own, Hidden):
            continue
        if hidden and (is_map or len(hidden) == len(inner)):
            views[number] = hidden[0]
        elif is_map and masked and not isinstance(own, Masked):
            views[number] = Masked(Null(), masked[0].rule)
    # a second way down, since a map that was settled binds its parts
    for number, part in enumerate(parts):
        if part.parent is not None:
            views[number] = _within(views[part.parent], views[number])


def column_facts(table: Table) -> tuple[ColumnFacts, ...]:
    """What a decision needs to know of the columns of a contract's table, nested ones after what they are part of."""
    return tuple(
        ColumnFacts(path, column.type, column.classification, frozenset(column.tags))
        for top in table.columns
        for path, column in top.walk()
    )
