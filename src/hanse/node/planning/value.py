"""The plan: what publish would change and who is touched, as a value that can be printed and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hanse.errors import Finding, Severity
from hanse.names import ProductId

NEW, CHANGED, UNCHANGED, BLOCKED, REMOVED, PROPOSED, RETIRE = (
    "new", "changed", "unchanged", "blocked", "removed", "proposed", "retire",
)  # fmt: skip
SHORT = 12  # characters of an id that people see


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One difference: `sign` is +, - or ~, `step` patch, minor or major, `what` the rule behind it."""

    sign: str
    step: str
    what: str
    text: str
    table: str = ""
    column: str | None = None


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file of the product that differs from the published one: `sign` is +, - or ~."""

    sign: str
    path: str


@dataclass(frozen=True, slots=True)
class LinePlan:
    """A port line: its served version and the one to come; either is None when there is none."""

    line: str
    old: str | None
    new: str | None
    step: str | None
    changes: tuple[ChangeLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who reads a product: which columns (None: unknown, so all), how often in 30 days, and whether it is touched."""

    who: str
    columns: tuple[str, ...] | None
    reads: int
    touched: bool


@dataclass(frozen=True, slots=True)
class Need:
    """An input that a product may not read yet, with the command that asks for it; `request` is the one that waits."""

    product: str
    input: str
    because: str
    command: str
    request: str | None = None


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A table that publish makes anew, and why."""

    table: str
    because: str


@dataclass(frozen=True, slots=True)
class ProductPlan:
    """What publish would do with one product."""

    product: ProductId
    state: str  # new | changed | unchanged | blocked | removed | proposed | retire
    base: int  # sequence of its current publication, 0 for none
    old_status: str | None
    new_status: str | None
    lines: tuple[LinePlan, ...] = ()
    findings: tuple[Finding, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    needs: tuple[Need, ...] = ()
    rebuild: tuple[Rebuild, ...] = ()
    breaking: bool = False
    files: tuple[FileChange, ...] = ()  # those whose changes are not listed by line

    @property
    def blocked_by(self) -> tuple[str, ...]:
        """The codes that stop it."""
        codes = [finding.code for finding in self.findings if finding.severity is Severity.ERROR]
        return tuple(dict.fromkeys([*codes, *(["access.no-grant"] if self.needs else [])]))

    def as_json(self) -> dict[str, Any]:
        shown = next((line for line in self.lines if line.changes), self.lines[-1] if self.lines else None)
        return {
            "product": str(self.product),
            "kind": self.state,
            "state": self.state,
            "old": shown.old if shown else None,
            "new": shown.new if shown else None,
            "step": shown.step if shown else None,
            "changes": [asdict(change) for line in self.lines for change in line.changes],
            "missing_access": [
                {"product": need.input, "because": need.because, "mend": need.command, "request": need.request}
                for need in self.needs
            ],
            "builds": [one.table for one in self.rebuild],
            "of_consumers": len(self.consumers),
            "base": self.base,
            "old_status": self.old_status,
            "new_status": self.new_status,
            "breaking": self.breaking,
            "blocked_by": list(self.blocked_by),
            "lines": [asdict(line) for line in self.lines],
            "findings": [asdict(finding) for finding in self.findings],
            "consumers": [{"name": consumer.who, **asdict(consumer)} for consumer in self.consumers],
            "needs": [asdict(need) for need in self.needs],
            "rebuild": [asdict(one) for one in self.rebuild],
            "files": [asdict(one) for one in self.files],
        }


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What changes in the documents that govern a domain: `old` and `new` are the sets' hashes."""

    domain: str
    old: str
    new: str
    files: tuple[tuple[str, str], ...]  # (+ | - | ~, path)


@dataclass(frozen=True, slots=True)
class Plan:
    """What publish would change. Equal ids are equal descriptors, transforms, bases and policies."""

    id: str
    bundle: str  # hash of the files it was made from
    products: tuple[ProductPlan, ...]
    policies: tuple[PolicyChange, ...]
    findings: tuple[Finding, ...] = ()  # of no product: they block everything
    requested: tuple[str, ...] = ()  # access requests that were filed with it
    stored: tuple[str, ...] = ()  # domains whose homes keep it: those that its maker may publish
    seconds: float = field(default=0.0, compare=False)

    @property
    def short(self) -> str:
        return self.id[:SHORT]

    @property
    def blocked(self) -> tuple[ProductPlan, ...]:
        return tuple(one for one in self.products if one.state == BLOCKED)

    @property
    def changes(self) -> bool:
        """Whether there is anything to publish."""
        return bool(self.policies) or any(one.state in (NEW, CHANGED, RETIRE) for one in self.products)

    def product(self, id: ProductId) -> ProductPlan | None:
        return next((one for one in self.products if one.product == id), None)

    def as_json(self) -> dict[str, Any]:
        counts = {
            state: sum(one.state == state for one in self.products)
            for state in (NEW, CHANGED, UNCHANGED, BLOCKED, REMOVED, PROPOSED, RETIRE)
        }
        return {
            "schema": "hanse.plan/1",
            "id": self.short,
            "hash": self.id,
            "bundle": self.bundle,
            "products": [one.as_json() for one in self.products],
            "policies": [asdict(one) for one in self.policies],
            "findings": [asdict(finding) for finding in self.findings],
            "requested": list(self.requested),
            "stored": list(self.stored),
            "changes": self.changes,
            "counts": counts,
            "seconds": round(self.seconds, 3),
            "text": "\n".join(lines(self)),
        }


_MARKS: Mapping[str, str] = {
    NEW: "+", CHANGED: "~", UNCHANGED: "=", BLOCKED: "!", REMOVED: "-", PROPOSED: "?", RETIRE: "-",
}  # fmt: skip


def lines(plan: Plan) -> list[str]:
    """The plan as lines for people: the same text in a terminal and in a pull request."""
    told: list[str] = []
    for finding in plan.findings:
        told.append(f"  {finding.severity.value:<8} {finding.code} {finding.place}  {finding.message}")
    for change in plan.policies:
        told.append(f"  ~ policies of {change.domain}")
        told += [f"      {sign} {path}" for sign, path in change.files]
    for one in plan.products:
        if one.state != UNCHANGED:
            told += _product(one)
    unchanged = sum(one.state == UNCHANGED for one in plan.products)
    counts = [f"{sum(p.state == state for p in plan.products)} {state}" for state in (NEW, CHANGED, BLOCKED, REMOVED)]
    if unchanged:
        counts.append(f"{unchanged} unchanged")
    told += ["", f"Plan {plan.short}: {', '.join(counts)}. Nothing was published."]
    return told


def _product(one: ProductPlan) -> list[str]:
    versions = ", ".join(
        dict.fromkeys(
            f"{line.old or 'new'} -> {line.new or 'gone'}" if line.old else f"{line.new}" for line in one.lines
        )
    )
    word = {
        NEW: "new",
        CHANGED: "breaking" if one.breaking else "compatible",
        BLOCKED: f"blocked by {', '.join(one.blocked_by)}",
        REMOVED: "has no files any more; set its status to retired to end it",
        PROPOSED: "proposed: may be granted access, is not published",
        RETIRE: "is retired",
    }[one.state]
    told = [f"  {_MARKS[one.state]} {one.product}   {versions}   {word}".rstrip()]
    if one.old_status and one.new_status and one.old_status != one.new_status:
        told.append(f"      ~ status {one.old_status} -> {one.new_status}")
    for line in one.lines:
        told += [f"      {change.sign} {change.text}" for change in line.changes]
    told += [f"      {change.sign} {change.path}" for change in one.files]
    for finding in one.findings:
        told.append(f"      {finding.severity.value:<8} {finding.code} {finding.place}  {finding.message}")
        if finding.mend:
            told.append(f"               mend: {finding.mend}")
    for need in one.needs:
        asked = f"   asked for: {need.request}" if need.request else ""
        told += [f"      needs access to {need.input}: {need.because}{asked}"]
        if not need.request:
            told.append(f"               mend: {need.command}")
    if one.consumers and (one.state in (CHANGED, BLOCKED, RETIRE)):
        touched = [consumer for consumer in one.consumers if consumer.touched]
        named = ", ".join(_consumer(consumer) for consumer in touched[:8])
        told.append(f"      touches {len(touched)} of {len(one.consumers)} consumers{': ' if named else ''}{named}")
    if one.rebuild and one.state != BLOCKED:
        told.append(f"      builds {', '.join(f'{table.table} ({table.because})' for table in one.rebuild)}")
    return told


def _consumer(consumer: Consumer) -> str:
    columns = "columns unknown" if consumer.columns is None else f"{len(consumer.columns)} columns"
    return f"{consumer.who} ({columns}, {consumer.reads} reads in 30 days)"
