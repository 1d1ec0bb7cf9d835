"""A product of the project against what is published of it: versions, changes, status, what is made anew."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hanse.errors import Finding, Kind, Severity, code
from hanse.names import PortLine, ProductId, TableId
from hanse.node.home.values import Published
from hanse.node.planning.value import ChangeLine, FileChange, LinePlan, Rebuild
from hanse.spec.compat import Change, Step, changes, version_findings
from hanse.spec.lifecycle import may_move
from hanse.spec.lineage import product_lineage, table_of
from hanse.spec.model import Contract, ProductFiles, Project

BREAKING = code(
    "plan.line-removed",
    Kind.INVALID,
    "A port line that is published has no contract any more",
    "Consumers pin a port line by its major; taking it away breaks all of them at once.",
    "Put the contract back and set its status to deprecated, then retired; or allow it: --allow-breaking PRODUCT.",
)
BAD_MOVE = code(
    "plan.status-move",
    Kind.INVALID,
    "A status cannot move like this",
    "A product goes proposed, draft, active, deprecated, retired; a deprecated one may return to active.",
    "Take the statuses one after the other.",
)
RETIRED = code(
    "plan.line-retired",
    Kind.INVALID,
    "A port line that was retired still has its files",
    "Nothing returns from retired: who read it was told that it is gone. What is to be served again gets a new major.",
    "Remove its contract, set the product's status to retired, or give the contract a new major.",
)
_BREAKING_CODES = frozenset({"compat.breaking-under-minor", "contract.breaking-change", BREAKING})


@dataclass(frozen=True, slots=True)
class Compared:
    """What differs; `columns` are the changed columns by (major, table), an empty set meaning the whole table."""

    lines: tuple[LinePlan, ...]
    findings: tuple[Finding, ...]
    breaking: bool
    differs: bool
    columns: Mapping[tuple[int, str], frozenset[str]]


def compare(
    published: Published | None,
    old_status: str | None,
    files: ProductFiles,
    bundle: Mapping[str, str] | None,
    classifications: Sequence[str],
    allow_breaking: Collection[ProductId],
    retired: Mapping[int, datetime],
) -> Compared:
    """Compare `files` with `published`; `bundle` are the texts that were published, `retired` says when majors ended.

    Breaking changes are errors unless the product is in `allow_breaking`.
    """
    product = files.product
    lines: list[LinePlan] = []
    findings: list[Finding] = []
    touched: dict[tuple[int, str], frozenset[str]] = {}
    breaking = False
    held = published.lines if published else {}
    for line in sorted({*held, *files.contracts}):
        new = files.contracts.get(line)
        old = held[line].contract if line in held else None
        told: Sequence[Change] = ()
        if old is not None and new is not None:
            main = published.main.get(line.major) if published else None
            told = changes(old, new, classifications, old_main=main, new_main=main)
            findings += version_findings(old, new, told)
            breaking = breaking or any(change.step is Step.MAJOR for change in told)
            for change in told:
                key = (line.major, change.table)
                column = frozenset({change.column.split(".")[0]}) if change.column else frozenset[str]()
                touched[key] = touched.get(key, frozenset()) | column
        elif new is None and old is not None:
            breaking = True
            message = f"{line} is published and has no contract here"
            findings.append(Finding.at(product.place, BREAKING, message, mend=f"put {old.place.file} back"))
            touched |= {(line.major, table.name): frozenset() for table in old.tables}
        elif old is None and new is not None and line.major in retired and product.status != "retired":
            message = f"{line} was retired on {retired[line.major].date()} and its contract is still here"
            mend = f"remove {new.place.file}, or write status: retired in {product.place.file}"
            findings.append(Finding.at(new.place, RETIRED, message, mend=mend))
        lines.append(_line(line, old, new, told))
    findings += _moves(old_status, files)
    if product.id in allow_breaking:
        findings = [replace(f, severity=Severity.WARNING) if f.code in _BREAKING_CODES else f for f in findings]
    differs = published is None or bundle != texts(files)
    return Compared(tuple(lines), tuple(findings), breaking, differs, touched)


def texts(files: ProductFiles) -> dict[str, str]:
    """The texts that a publication of the product keeps: descriptors, build.yaml, transforms, README, by path."""
    folder = files.product.place.file.rpartition("/")[0]
    prefix = f"{folder}/" if folder else ""
    kept = {f"{prefix}{path}": said for path, said in files.files.items()}
    kept[files.product.place.file] = files.product.text
    return kept | {contract.place.file: contract.text for contract in files.contracts.values()}


def _line(line: PortLine, old: Contract | None, new: Contract | None, told: Sequence[Change]) -> LinePlan:
    step = max((change.step for change in told), default=None)
    return LinePlan(
        f"{line.port}@{line.major}",
        None if old is None else old.version_text,
        None if new is None else new.version_text,
        None if step is None else step.name.lower(),
        tuple(_change(change) for change in sorted(told, key=lambda c: (-c.step, c.table, c.column or ""))),
    )


def _change(change: Change) -> ChangeLine:
    sign = "+" if change.what.endswith("-added") else "-" if change.what.endswith("-removed") else "~"
    where = ".".join(part for part in (change.table, change.column) if part)
    text = f"{change.what.replace('-', ' ')}{f' {where}' if where else ''}: {change.reason}"
    return ChangeLine(sign, change.step.name.lower(), change.what, text, change.table, change.column)


def _moves(old_status: str | None, files: ProductFiles) -> Iterator[Finding]:
    new = files.product.status
    if old_status and new != old_status and not may_move(old_status, new):
        message = f"status {old_status} cannot become {new}"
        yield Finding.at(files.product.place, BAD_MOVE, message, mend=f"keep {old_status}, or take the steps between")


def changed_files(files: ProductFiles, bundle: Mapping[str, str], told: Collection[str]) -> tuple[FileChange, ...]:
    """The product's files that differ from the published ones, but for those in `told`, whose changes are listed."""
    now, before = texts(files), bundle
    return tuple(
        FileChange("+" if path not in before else "-" if path not in now else "~", path)
        for path in sorted({*now, *before})
        if now.get(path) != before.get(path) and path not in told
    )


def _makes(build: str | None) -> object:
    """What build.yaml says of how tables are made; when that is done, and what is kept, makes no other table."""
    from hanse.spec.document import load

    document = load(build, "build.yaml")[0] if build is not None else None
    if document is None or not isinstance(document.tree, Mapping):
        return build
    return {key: value for key, value in document.tree.items() if key not in ("schedule", "keep")}


def rebuilds(
    project: Project,
    product: ProductId,
    published: Published | None,
    bundle: Mapping[str, str] | None,
    made: Collection[TableId],
) -> list[Rebuild]:
    """The tables that publish makes anew: new ones, those whose files changed, and those made of tables in `made`."""
    files = project.products[product]
    if files.build is None:
        return []
    now, before = texts(files), bundle or {}
    build_file = files.build.place.file
    found = []
    lineage = product_lineage(project, product)
    for transform in files.build.transforms:
        for line, contract in files.contracts.items():
            if line.major != transform.major or contract.table(transform.table) is None:
                continue
            table = TableId(product, line.major, transform.table)
            inputs = {table_of(project, a) for a in lineage[table].tables} if table in lineage else set()
            path = next((path for path in now if path.endswith(f"/{transform.file}")), transform.file)
            changed = next(
                (
                    what
                    for what, file in (("transform", path), ("contract", contract.place.file), ("build", build_file))
                    if now.get(file) != before.get(file)
                    and (what != "build" or _makes(now.get(file)) != _makes(before.get(file)))
                ),
                None,
            )
            if published is None or line not in published.lines:
                found.append(Rebuild(str(table), "new"))
            elif changed is not None:
                found.append(Rebuild(str(table), f"{changed} changed"))
            elif upstream := sorted(str(one) for one in inputs if one in made):
                found.append(Rebuild(str(table), f"{upstream[0]} is built anew"))
    return found
