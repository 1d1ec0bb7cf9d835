"""Compare two states of a contract: every change as major, minor or patch, with its reason; and judge a version by it.

What each kind of change means is a table, `compat_rules.RULES`. Nested columns are compared by path like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hanse.errors import Finding, Kind, Place, Severity, code
from hanse.names import Version
from hanse.spec.compat_rules import RULES, Step
from hanse.spec.compat_values import BLOCKS, rule_change, service_level_change, severity, type_change, value_changes
from hanse.spec.document import load
from hanse.spec.model import Column, Contract, Relationship, Rule, ServiceLevel, Table
from hanse.spec.pointer import mapping_at

__all__ = ["Change", "Step", "changes", "version_findings"]

BREAKING = code(
    "compat.breaking-under-minor", Kind.INVALID, "A contract breaks its promise without a new major version",
    "Consumers pin the major; under it everything they were promised stays. `hanse compat OLD NEW` lists all changes.",
    "Undo the change, or write a contract of the next major beside this one; --allow-breaking publishes it anyway.",
)  # fmt: skip
BACKWARDS = code(
    "version.backwards", Kind.INVALID, "A version is lower than the one before",
    "Versions of a port line only grow, so that the higher one is always the later one.",
    "Write a version above the published one.",
)  # fmt: skip
SMALL = code(
    "version.step-too-small", Kind.INVALID, "A contract promises more under a patch version",
    "By SemVer a patch changes no promise; who wants what is new asks for at least that minor version.",
    "Raise the minor version.",
)  # fmt: skip
SAME = code(
    "version.unchanged", Kind.INVALID, "A contract changed and its version did not",
    "A version names one state of the contract for ever; two states of one name could not be told apart.",
    "Raise the version by as much as the changes ask.",
)  # fmt: skip
ADDITIVE = code(
    "compat.additive", Kind.INVALID, "A contract changed without breaking anything",
    "Everything that consumers were promised still holds.", "Nothing to do.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One change: `what` is the name of its row in `RULES`; `table` is '' for what concerns the whole contract."""

    step: Step
    table: str
    column: str | None  # dotted path
    what: str
    reason: str
    place: Place

    def __str__(self) -> str:
        at = ".".join(part for part in (self.table, self.column) if part)
        return f"{self.what} {at}".rstrip()


def changes(
    old: Contract,
    new: Contract,
    classifications: Sequence[str],
    *,
    old_main: str | None = None,
    new_main: str | None = None,
) -> tuple[Change, ...]:
    """Every change from `old` to `new`, the heaviest first; empty when nothing changed but comments and versions.

    `classifications` are in order from least to most strict; `old_main` and `new_main` name the main tables.
    """
    comparison = _Comparison(old, new, tuple(classifications))
    found = list(comparison.contract(old_main, new_main))
    if not found and _without_version(old.raw) != _without_version(new.raw):
        found.append(comparison.change("other-changed", new.place))
    return tuple(sorted(dict.fromkeys(found), key=lambda c: (-c.step, c.table, c.column or "", c.what)))


def version_findings(
    old: Contract, new: Contract, found: Sequence[Change], *, allow_breaking: bool = False
) -> list[Finding]:
    """Whether `new`'s version is right for `found`, the changes since `old` of the same port line.

    A breaking change under the same major is an error (a warning with `allow_breaking`) at its own place; changes that
    keep every promise are one note.
    """
    if old.version is None or new.version is None:
        return []
    at = _place(new, "/version")
    if new.version < old.version:
        return [
            Finding.at(at, BACKWARDS, f"version {new.version} comes after {old.version}",
                       mend=f"write version: {_next(old.version, _heaviest(found))}")
        ]  # fmt: skip
    if not found:
        return []
    findings = []
    breaking = [change for change in found if change.step is Step.MAJOR]
    if new.version.major == old.version.major:
        for change in breaking:
            where = ".".join(part for part in (change.table, change.column) if part) or "the contract"
            findings.append(
                Finding.at(
                    change.place, BREAKING, f"{change.what.replace('-', ' ')}: {where[:200]}, {change.reason}",
                    why=f"version {new.version} keeps major {old.version.major}, which consumers pin",
                    mend=f"undo it, or make it version {old.version.major + 1}.0.0 beside this one",
                    severity=Severity.WARNING if allow_breaking else Severity.ERROR,
                )
            )  # fmt: skip
    wanted = _next(old.version, min(_heaviest(found), Step.MINOR))
    # a breaking change that is refused says enough; one that is allowed still needs a version of its own
    asks_minor = allow_breaking if breaking else _heaviest(found) is Step.MINOR
    if new.version == old.version:
        findings.append(
            Finding.at(at, SAME, f"{_counted(found)} since {old.version}, and the version is the same",
                       mend=f"write version: {wanted}")
        )  # fmt: skip
    elif asks_minor and (new.version.major, new.version.minor) == (old.version.major, old.version.minor):
        findings.append(
            Finding.at(at, SMALL, f"{_counted(found)} under {new.version}, a patch of {old.version}",
                       mend=f"write version: {wanted}")
        )  # fmt: skip
    if not findings and not breaking:
        findings.append(
            Finding.at(at, ADDITIVE, f"{_counted(found)} since {old.version}: all that was promised still holds",
                       severity=Severity.NOTE)
        )  # fmt: skip
    return sorted(findings)


def _heaviest(found: Sequence[Change]) -> Step:
    return max((change.step for change in found), default=Step.PATCH)


def _next(version: Version, step: Step) -> Version:
    if step is Step.MAJOR:
        return Version(version.major + 1, 0, 0)
    if step is Step.MINOR:
        return Version(version.major, version.minor + 1, 0)
    return Version(version.major, version.minor, version.patch + 1)


def _counted(found: Sequence[Change]) -> str:
    counts = [(step.name.lower(), sum(change.step is step for change in found)) for step in reversed(Step)]
    return ", ".join(f"{n} {name} change{'s' if n > 1 else ''}" for name, n in counts if n)


def _place(contract: Contract, pointer: str) -> Place:
    document = load(contract.text, contract.place.file)[0]
    return document.place(pointer) if document is not None else contract.place


def _without_version(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key not in ("version", "apiVersion")}


@dataclass(slots=True)
class _Comparison:
    old: Contract
    new: Contract
    classifications: tuple[str, ...]
    table: str = ""
    # of the table that is compared: column path before → after, None for one that is gone
    became: dict[tuple[str, ...], tuple[str, ...] | None] = field(default_factory=dict)

    def change(self, what: str, place: Place, column: str | None = None, old: Any = "", new: Any = "") -> Change:
        rule = RULES[what]
        return Change(rule.step, self.table, column, what, rule.reason.format(old=_said(old), new=_said(new)), place)

    def gone(self, place: Place, near: Place) -> Place:
        """Where something stood, told in the new file: its old pointer, on the line of what held it."""
        return replace(near, pointer=place.pointer)

    def contract(self, old_main: str | None, new_main: str | None) -> Iterator[Change]:
        old, new = self.old, self.new
        if old.id != new.id:
            yield self.change("id-changed", _place(new, "/id"), old=old.id)
        if old.status != new.status:
            yield self.change("status-changed", _place(new, "/status"), old=old.status, new=new.status)
        if (old.description, old.name) != (new.description, new.name):
            yield self.change("description-changed", _place(new, "/description"))
        if set(old.tags) != set(new.tags):
            yield self.change("tags-changed", _place(new, "/tags"))
        if old.servers != new.servers:
            yield self.change("servers-changed", _place(new, "/servers"))
        yield from self._service_levels()
        if old_main != new_main and old_main is not None and new_main is not None:
            yield self.change("main-table-changed", new.place, old=old_main, new=new_main)
        pairs, removed, added = _matched(
            [_key(self.old, t) for t in old.tables], [_key(self.new, t) for t in new.tables], _same_columns
        )
        for before, after in pairs:
            self.table = after.name
            if before.name != after.name:
                yield self.change("table-renamed", after.place, old=before.name, new=after.name)
            yield from self._table(before, after)
        for before in removed:
            self.table = before.name
            yield self.change("table-removed", self.gone(before.place, _place(new, "/schema")))
        for after in added:
            self.table = after.name
            yield self.change("table-added", after.place)
        self.table = ""

    def _table(self, old: Table, new: Table) -> Iterator[Change]:
        if (old.description, old.title) != (new.description, new.title):
            yield self.change("description-changed", new.place)
        if set(old.tags) != set(new.tags):
            yield self.change("tags-changed", new.place)
        if old.physical_name != new.physical_name:
            yield self.change("physical-changed", new.place, old=old.physical_name, new=new.physical_name)
        keys = old.primary_key, new.primary_key
        if [k.lower() for k in keys[0]] != [k.lower() for k in keys[1]]:
            what = "removed" if not keys[1] else "added" if not keys[0] else "changed"
            yield self.change(f"primary-key-{what}", new.place, old=", ".join(keys[0]), new=", ".join(keys[1]))
        self.became = {}
        yield from self._columns(old.columns, new.columns, (), (), new.place)
        yield from self._rules(old.rules, new.rules, new.place)
        yield from self._relationships(old.relationships, new.relationships, new.place)

    def _columns(
        self,
        old: Sequence[Column],
        new: Sequence[Column],
        was: tuple[str, ...],
        path: tuple[str, ...],
        near: Place,
    ) -> Iterator[Change]:
        pairs, removed, added = _matched([_key(self.old, c) for c in old], [_key(self.new, c) for c in new])
        for before, after in pairs:
            here = (*path, after.name)
            self.became[(*was, before.name)] = here
            if before.name != after.name:
                yield self.change("column-renamed", after.place, ".".join(here), before.name, after.name)
            yield from self._column(before, after, (*was, before.name), here)
        for before in removed:
            self.became |= {below: None for below, _ in before.walk(was)}
            yield self.change("column-removed", self.gone(before.place, near), ".".join((*path, before.name)))
        for after in added:
            yield self.change("column-added", after.place, ".".join((*path, after.name)))
        successor = {id(before): after for before, after in pairs}
        stayed = [id(successor[id(before)]) for before in old if id(before) in successor]
        kept = set(stayed)
        if stayed != [id(after) for after in new if id(after) in kept]:
            yield self.change("column-moved", near, ".".join(path) or None)

    def _column(self, old: Column, new: Column, was: tuple[str, ...], path: tuple[str, ...]) -> Iterator[Change]:
        at, name = new.place, ".".join(path)
        nested = bool(old.children) and bool(new.children) and type(old.type) is type(new.type)
        if not nested and (what := type_change(old, new)) is not None:
            shown = (old.physical_type, new.physical_type) if old.type == new.type else (old.type.sql, new.type.sql)
            yield self.change(what, at, name, *shown)
        # a key is required by itself; when it stops to be one, that is told as the key's change
        if old.required != new.required and (old.primary_key is None) == (new.primary_key is None):
            yield self.change("required-added" if new.required else "required-dropped", at, name)
        elif old.required and not new.required:
            yield self.change("required-dropped", at, name)
        if old.unique != new.unique:
            yield self.change("unique-added" if new.unique else "unique-dropped", at, name)
        if old.classification != new.classification:
            raised = self._level(new.classification) > self._level(old.classification)
            what = "classification-raised" if raised else "classification-lowered"
            yield self.change(what, at, name, old.classification or "none", new.classification or "none")
        for what, before, after in value_changes(old, new):
            yield self.change(what, at, name, before, after)
        if old.description != new.description:
            yield self.change("description-changed", at, name)
        if set(old.tags) != set(new.tags):
            yield self.change("tags-changed", at, name)
        if nested:
            yield from self._columns(old.children, new.children, was, path, at)

    def _level(self, classification: str | None) -> int:
        """The place of a class, counted from 0; one that is not known counts as the highest, as for readers."""
        if classification is None:
            return -1
        known = self.classifications
        return known.index(classification) if classification in known else len(known)

    def _rules(self, old: Sequence[Rule], new: Sequence[Rule], near: Place) -> Iterator[Change]:
        # the rules of a column that is gone went with it, and those of a new one came with it
        moved = [replace(rule, column=self.became.get(rule.column)) if rule.column else rule for rule in old]
        stays = {path for path in self.became.values() if path is not None}
        before = _by_identity([new for new, rule in zip(moved, old, strict=True) if new.column or not rule.column])
        after = _by_identity([rule for rule in new if not rule.column or rule.column in stays])
        for key, rule in before.items():
            column = ".".join(rule.column) if rule.column else None
            successor = after.get(key)
            if successor is None:
                what = "rule-removed" if _blocks(rule) else "warning-changed"
                yield self.change(what, self.gone(rule.place, near), column, rule.name, "gone")
            elif (found := rule_change(rule, successor)) is not None:
                yield self.change(found[0], successor.place, column, *found[1:])
            elif rule.description != successor.description or rule.dimension != successor.dimension:
                yield self.change("description-changed", successor.place, column)
        for key, rule in after.items():
            if key not in before:
                yield self.change("rule-added", rule.place, ".".join(rule.column) if rule.column else None)

    def _relationships(self, old: Sequence[Relationship], new: Sequence[Relationship], near: Place) -> Iterator[Change]:
        before, after = ({_link(link): link for link in links} for links in (old, new))
        for key, link in before.items():
            if key not in after:
                yield self.change("relationship-removed", self.gone(link.place, near), ", ".join(link.columns))
        for key, link in after.items():
            if key not in before:
                yield self.change("relationship-added", link.place, ", ".join(link.columns))

    def _service_levels(self) -> Iterator[Change]:
        before, after = ({_promise(level): level for level in c.service_levels} for c in (self.old, self.new))
        for key, level in before.items():
            successor = after.get(key)
            if successor is None:
                place = self.gone(level.place, _place(self.new, "/slaProperties"))
                yield self.change("service-level-removed", place, old=_level_said(level))
            elif (what := service_level_change(level, successor)) is not None:
                yield self.change(what, successor.place, old=_level_said(level), new=_level_said(successor))
        for key, level in after.items():
            if key not in before:
                yield self.change("service-level-added", level.place, new=_level_said(level))


def _blocks(rule: Rule) -> bool:
    return severity(rule) >= BLOCKS


def _said(value: Any) -> str:
    text = str(value) if value is not None else "nothing"
    return text if len(text) <= 120 else text[:117] + "..."


def _by_identity(rules: Sequence[Rule]) -> dict[tuple[Any, ...], Rule]:
    """Rules by column and name; one without a name of its own is named after its column and what it measures."""
    found: dict[tuple[Any, ...], Rule] = {}
    for rule in rules:
        own = rule.column is None or not rule.name.startswith(".".join(rule.column) + " ")
        key = (rule.column, rule.kind, rule.name if own else rule.metric)
        found.setdefault(key if key not in found else (*key, rule.name), rule)
    return found


def _link(link: Relationship) -> tuple[Any, ...]:
    return tuple(c.lower() for c in link.columns), link.to_contract, link.to_table, link.to_columns


def _promise(level: ServiceLevel) -> tuple[str, str]:
    return level.property.lower(), level.element or ""


def _level_said(level: ServiceLevel) -> str:
    unit = f" {level.unit}" if level.unit else ""
    return f"{level.property} {level.value}{unit}" + (f" of {level.element}" if level.element else "")


_Keyed = tuple[Any, str, str | None, str | None]


def _key(contract: Contract, part: Any) -> _Keyed:
    """A table or column with its name, its `id` (which stays when it is renamed), and its physical name."""
    node = mapping_at(contract.raw, part.place.pointer)
    return part, part.name.lower(), node.get("id"), node.get("physicalName")


def _same_columns(old: Any, new: Any) -> bool:
    return bool(old.columns) and [(c.name, c.type) for c in old.columns] == [(c.name, c.type) for c in new.columns]


def _matched(
    old: Sequence[_Keyed], new: Sequence[_Keyed], alike: Callable[[Any, Any], bool] | None = None
) -> tuple[list[tuple[Any, Any]], list[Any], list[Any]]:
    """Pairs of the same part before and after, by name, else by `id`, physical name or likeness; then the rest."""
    pairs: list[tuple[Any, Any]] = []
    left, right = list(old), list(new)
    for way in (1, 2, 3):  # by name, by id, by physical name; each through an index, since tables can be wide
        by_key: dict[Any, _Keyed] = {}
        for part in right:
            if part[way] is not None:
                by_key.setdefault(part[way], part)
        found = [(before, by_key.pop(before[way], None)) for before in left]
        pairs += [(before[0], after[0]) for before, after in found if after is not None]
        taken = {id(after[0]) for _, after in found if after is not None}
        left = [before for before, after in found if after is None]
        right = [part for part in right if id(part[0]) not in taken]
    for before in list(left):
        after = next((part for part in right if alike is not None and alike(before[0], part[0])), None)
        if after is not None:
            pairs.append((before[0], after[0]))
            left.remove(before)
            right.remove(after)
    return pairs, [part for part, *_ in left], [part for part, *_ in right]
