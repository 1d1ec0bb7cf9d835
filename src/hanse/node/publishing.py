"""Publishing one product: build, test, make durable, move the pointer. A failure leaves the former one served."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from hanse.engine.rules import wire
from hanse.errors import Finding, HanseError, Kind, Place, Severity, code
from hanse.governance.decision import Principal
from hanse.names import ProductId
from hanse.node.builds.stream import BuildCancelled
from hanse.node.events import Event
from hanse.node.home.codec import text
from hanse.node.home.values import LineRecord, Publication
from hanse.node.news.publication import of_publication
from hanse.node.planning.compare import texts
from hanse.node.planning.value import Plan
from hanse.node.publications import PublicationMoved, commit, follow_up
from hanse.node.runs import RunCancelled
from hanse.spec.lineage import product_lineage
from hanse.spec.model import ProductFiles, Project

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.node import Node

RULE_FAILED = code(
    "publish.rule-failed",
    Kind.INVALID,
    "A rule of the contract failed on the data to publish",
    "A contract is a promise; a rule of severity error that does not hold stops the publication, a lower one is told.",
    "Mend the data or the rule: hanse test PRODUCT shows expected, found and count.",
)
NO_DATA = code(
    "publish.no-data",
    Kind.INVALID,
    "A port line has no data to publish",
    "Every table of a published contract can be read, so each needs a transform in build.yaml.",
    "Name the table in build.yaml with its SQL or Python file.",
)
UPSTREAM = code(
    "publish.input-failed",
    Kind.INVALID,
    "An input of the product was not published in this run",
    "The plan has the product built on what its input was to become; that did not come about.",
    "Mend the input first, it is told in the same report.",
)
PUBLISHED, UNCHANGED, BLOCKED, PROPOSED, RETIRED = "published", "unchanged", "blocked", "proposed", "retired"


@dataclass(frozen=True, slots=True)
class PublishedProduct:
    """What became of one product; `checks` counts its test, `findings` what stopped it or is to be known."""

    product: ProductId
    state: str
    sequence: int
    versions: Mapping[str, str] = field(default_factory=dict)
    at: str | None = None
    checks: Mapping[str, int] | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        return self.state != BLOCKED

    def as_json(self) -> dict[str, Any]:
        errors = [finding for finding in self.findings if finding.severity is Severity.ERROR]
        return {
            "product": str(self.product),
            "state": self.state,
            "sequence": self.sequence,
            "versions": dict(self.versions),
            "at": self.at,
            "checks": None if self.checks is None else dict(self.checks),
            "finding": asdict(errors[0]) if errors else None,
            "findings": [asdict(finding) for finding in self.findings],
        }


@dataclass(slots=True)
class Publisher:
    """Publishes the products of one plan, one after the other."""

    node: Node
    project: Project
    plan: Plan
    principal: Principal
    progress: Callable[[Event], None]
    cancelled: threading.Event
    keep_staged: bool = True  # what is staged of sources that only reading tells of is not read again

    def publish(self, product: ProductId) -> PublishedProduct:
        """Build, test and publish `product`; what stops it is in its findings, and the former state stays served."""
        home = self.node.homes[product.domain]
        self.progress(Event("publish.started", f"{product} …", {"product": str(product)}))
        try:
            done = self._publish(home, product)
        except (RunCancelled, BuildCancelled):
            raise
        except HanseError as error:
            place = self.project.products[product].product.place
            finding = Finding.at(place, error.code, error.message, why=error.why, mend=error.mend)
            more = tuple(getattr(error, "findings", ()))
            done = _blocked(home, product, (finding, *more))
        if done.state == BLOCKED:
            first = next((f for f in done.findings if f.severity is Severity.ERROR), None)
            said = f"fail  {product}  {first.message if first else ''}"
            self.progress(Event("publish.blocked", said, done.as_json()))
        else:
            said = (
                f"{'skip' if done.state == UNCHANGED else 'ok'}  {product}  {done.state}, publication {done.sequence}"
            )
            self.progress(Event("publish.done", said, done.as_json()))
        return done

    def _publish(self, home: Home, product: ProductId) -> PublishedProduct:
        files = self.project.products[product]
        failures = self._build(files)
        if failures:
            return _blocked(home, product, failures)
        records, missing = _records(home, files)
        if missing:
            return _blocked(home, product, missing)
        now = home.store.current().get(product)
        bundle = texts(files)
        if now is not None and now.kind != "retire" and now.lines == records and home.store.texts(now.bundle) == bundle:
            with home.change() as change:
                home.store.drop_stages(product, change.connection)
            return _unchanged(home, now)
        self._going()
        report, failed = self._test(home, files)
        self.node.settings.failpoints.reach("P5")
        if failed:
            return _blocked(home, product, failed)
        if _records(home, files)[0] != records:
            raise PublicationMoved(
                f"{product} was built by somebody else while it was tested", mend="hanse publish the plan again"
            )
        self._going()
        self._make_durable(home, records)
        publication = self._publication(home, files, records, bundle, report)
        facts: dict[str, Any] = {"rows": _rows(records)}
        planned = self.plan.product(product)
        if planned is not None and planned.breaking:
            facts |= {"breaking": True, "consumers": [one.who for one in planned.consumers if one.touched]}
        breaking = planned is not None and bool(planned.breaking)
        news = of_publication(
            home.published().get(product), records, files.contracts, files.product.status, breaking=breaking
        )

        def tell(connection: Any) -> None:
            for name, body in news:
                home.store.tell(connection, name, product, {"by": self.principal.id, **body})

        made = commit(
            self.node, home, publication, act="product.published", principal=self.principal, facts=facts, also=tell
        )
        follow_up(self.node, home, product)
        return told(home, made)

    def _build(self, files: ProductFiles) -> tuple[Finding, ...]:
        from hanse.node.steps.build import build

        product = files.product.id
        if files.build is None or not files.build.transforms:
            return ()
        report = build(
            self.node,
            self.project,
            [product],
            principal=self.principal,
            progress=self.progress,
            cancelled=self.cancelled,
            keep_staged=self.keep_staged,
        )
        return () if report.ok else report.errors

    def _test(self, home: Home, files: ProductFiles) -> tuple[str | None, tuple[Finding, ...]]:
        """The id of the test's report, and what it found that stops the publication."""
        from hanse.node.steps.test import test

        product = files.product.id
        values = _tested_before(home, files)
        if values is None:
            tested = test(
                self.node,
                self.project,
                [product],
                principal=self.principal,
                stage=True,
                progress=self.progress,
                cancelled=self.cancelled,
            )
            values = {line.id: line.value for line in tested.lines}
        failed = [finding for value in values.values() for finding in findings_of(product, value)]
        if not values or not all(value["ok"] for value in values.values()):
            if not any(finding.severity is Severity.ERROR for finding in failed):
                place = files.product.place
                failed.append(Finding.at(place, RULE_FAILED, f"{product}: nothing was tested", mend="hanse test"))
            return None, tuple(failed)
        return _kept_reports(home, list(values)), ()

    def _make_durable(self, home: Home, records: Sequence[LineRecord]) -> None:
        from hanse.engine import storage

        self.node.settings.failpoints.reach("P4")
        for record in records:
            for snapshot in record.snapshot.tables.values():
                storage.sync_durable(home.warehouse, snapshot)
        self.node.settings.failpoints.reach("P6")

    def _publication(
        self,
        home: Home,
        files: ProductFiles,
        records: tuple[LineRecord, ...],
        bundle: Mapping[str, str],
        report: str | None,
    ) -> Publication:
        product = files.product.id
        now = home.store.current().get(product)
        majors = sorted({record.line.major for record in records})
        default = now.default_major if now is not None and now.default_major in majors else majors[0]
        main = {major: _main(files, major, now) for major in majors}
        return Publication(
            product,
            sequence=home.store.last_sequence(product) + 1,
            base=now.sequence if now else 0,
            kind="publish",
            plan=self.plan.id,
            key=self.plan.id,
            lines=records,
            default_major=default,
            main=main,
            bundle=home.store.put_texts(bundle),
            policies=home.store.meta("policies") or "",
            status=files.product.status,
            by=self.principal.id,
            at=self.node.clock(),
            report=report,
            lineage=_lineage(self.project, product),
        )

    def _going(self) -> None:
        if self.cancelled.is_set():
            raise RunCancelled("the publish was cancelled", mend="start it again")


def blocked_by_input(home: Home, files: ProductFiles, failed: Collection[ProductId]) -> PublishedProduct:
    """The report of a product whose inputs in the same run were not published."""
    named = ", ".join(map(str, sorted(failed)))
    finding = Finding.at(
        files.product.place, UPSTREAM, f"not published: its input {named} was not", mend="mend it first"
    )
    return _blocked(home, files.product.id, (finding,))


def told(home: Home, made: Publication) -> PublishedProduct:
    """What a publication tells of itself: the same, whenever it is asked."""
    values = _reports(home, made.report)
    count = wire.counts(values) if values else None
    checks = None if count is None else {**count, "total": sum(count.values())}
    return PublishedProduct(
        made.product,
        RETIRED if made.kind == "retire" else PUBLISHED,
        made.sequence,
        {f"{one.line.port}@{one.line.major}": one.version for one in made.lines},
        made.at.isoformat(),
        checks,
        tuple(finding for value in values for finding in findings_of(made.product, value)),
    )


def findings_of(product: ProductId, value: Mapping[str, Any]) -> list[Finding]:
    """The failed checks of a report: an error where it stops a publication, else a warning."""
    found = []
    for result in wire.results([value]):
        if result["status"] not in ("fail", "warn", "error"):
            continue
        severity = Severity.WARNING if result["status"] == "warn" else Severity.ERROR
        at = result["place"]
        place = Place(at["file"], at["line"], at["column"], at["pointer"])
        wanted = str(result["expected"]).rstrip(".")
        message = f"{result['table']}: {result['name']}: expected {wanted}, found {result['found']}"
        mend = f"hanse test {product} shows it whole"
        found.append(Finding.at(place, RULE_FAILED, message, mend=mend, severity=severity))
    return found


def _records(home: Home, files: ProductFiles) -> tuple[tuple[LineRecord, ...], list[Finding]]:
    """Each port line with its data: what is staged, else what is published; and which have none."""
    stages = home.store.stages(files.product.id)
    published = home.published().get(files.product.id)
    records, missing = [], []
    for line, contract in sorted(files.contracts.items()):
        snapshot = stages[line].snapshot if line in stages else None
        if snapshot is None and published is not None and line in published.lines:
            snapshot = published.lines[line].snapshot
        lacking = [t.name for t in contract.tables if snapshot is None or t.name not in snapshot.tables]
        if lacking or snapshot is None:
            message = f"{line} has no data for {', '.join(lacking) or 'any table'}"
            missing.append(Finding.at(contract.place, NO_DATA, message, mend="name its tables in build.yaml"))
        else:
            records.append(LineRecord(line, contract.version_text, contract.place.file, snapshot))
    return tuple(records), missing


def _main(files: ProductFiles, major: int, now: Publication | None) -> str:
    """The main table of a major: named like the product, else the first; fixed at first publication."""
    if now is not None and major in now.main:
        return now.main[major]
    names = [t.name for line, c in sorted(files.contracts.items()) if line.major == major for t in c.tables]
    return files.product.id.name if files.product.id.name in names else names[0]


def _lineage(project: Project, product: ProductId) -> dict[str, Any]:
    return {
        str(table): {
            "tables": sorted(list(address) for address in lineage.tables),
            "columns": {
                column: None if origins is None else sorted([list(address), name] for address, name in origins)
                for column, origins in sorted(lineage.columns.items())
            },
        }
        for table, lineage in product_lineage(project, product).items()
    }


def _tested_before(home: Home, files: ProductFiles) -> dict[str, Mapping[str, Any]] | None:
    """The whole reports that stand on the stages, if every line has one and it is of the contract's present text."""
    stages = home.store.stages(files.product.id)
    if not stages or set(stages) != set(files.contracts):
        return None
    values: dict[str, Mapping[str, Any]] = {}
    for line, stage in sorted(stages.items()):
        contract = files.contracts[line]
        report = home.store.report(stage.report) if stage.report else None
        if report is None or (home.store.texts(stage.bundle) or {}).get(contract.place.file) != contract.text:
            return None
        values[str(stage.report)] = report
    return values


def _kept_reports(home: Home, ids: list[str]) -> str | None:
    if len(ids) == 1:
        return ids[0]
    return home.store.put_blob(text(ids).encode()) if ids else None


def _reports(home: Home, id: str | None) -> list[dict[str, Any]]:
    if id is None:
        return []
    one = home.store.report(id)
    if one is not None:
        return [one]
    ids = json.loads(home.store.blob(id) or b"[]")
    return [found for each in ids if (found := home.store.report(each)) is not None]


def _rows(records: Sequence[LineRecord]) -> dict[str, int]:
    return {
        f"{one.line.product.sql}_v{one.line.major}.{name}": table.rows
        for one in records
        for name, table in one.snapshot.tables.items()
    }


def _blocked(home: Home, product: ProductId, findings: Sequence[Finding]) -> PublishedProduct:
    known = home.store.products().get(product)
    return PublishedProduct(product, BLOCKED, known.current or 0 if known else 0, findings=tuple(findings))


def _unchanged(home: Home, now: Publication) -> PublishedProduct:
    was = told(home, now)
    return PublishedProduct(now.product, UNCHANGED, now.sequence, was.versions, was.at, was.checks, was.findings)
