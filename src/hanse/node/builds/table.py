"""One table of a build: what it would be made of, whether that changed, and the making."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from hanse.engine import storage
from hanse.engine.gate import Gated, Reference
from hanse.engine.relations.inputs import Input, SourceInput
from hanse.engine.settings import MIB, Limits
from hanse.engine.snapshot import TableSnapshot
from hanse.engine.sources import Given, Since, SourceUnreadable, Wanted
from hanse.engine.sources.errors import SourceChanged
from hanse.engine.sources.unreadable import unreadable
from hanse.errors import HanseError, Kind
from hanse.governance.decide import fingerprint as decision_fingerprint
from hanse.names import PortLine, TableId, literal, nearest, quote
from hanse.node.builds.fingerprint import SAMPLE, table_fingerprint
from hanse.node.builds.inputs import Inputs, refuse_governed
from hanse.node.builds.record import recorded
from hanse.node.builds.stream import BuildCancelled, read
from hanse.node.sources import described
from hanse.spec.checks.transforms import UNKNOWN
from hanse.spec.lineage import Lineage
from hanse.spec.model import Domain, ProductFiles, Source, Table, Transform
from hanse.spec.types import Scalar

if TYPE_CHECKING:
    import pyarrow as pa

    from hanse.node.home import Home
    from hanse.node.node import Node

_BUILD_SECONDS = 3600.0
_STALL_SECONDS = 600.0  # a slow disk is not a slow reader
_LIMITS = {"wall_seconds", "cpu_seconds", "memory_mib"}


class UnknownInput(HanseError):
    kind = Kind.INVALID
    code = UNKNOWN


@dataclass(frozen=True, slots=True)
class Task:
    """A table to build: where its files are described and which home takes it."""

    table: TableId
    line: PortLine
    files: ProductFiles
    promised: Table
    transform: Transform
    home: Home
    folder: Path  # the product's folder on this node: relative paths of sources start here
    lineage: Lineage | None  # of sqlglot; for the fingerprint and for classes, never for security
    base: TableSnapshot | None  # what is published of it


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task whose inputs are resolved and decided."""

    task: Task
    tables: Mapping[tuple[str, ...], Input]
    fingerprint: str
    certain: bool = True  # False: only reading tells whether a source's data changed
    read: dict[str, int] = field(default_factory=dict)  # source elsewhere → the rows that it handed over


@dataclass(slots=True)
class Builder:
    """Builds tables, each in a thread of its own."""

    node: Node
    inputs: Inputs
    cancelled: Event
    full: bool = False
    since: datetime | None = None
    sample: float | None = None  # percent of the largest input's rows; the rest is read whole, so that joins still find

    def prepare(self, task: Task) -> Prepared:
        """Resolve and decide the inputs that the lineage knows, and say what the table would be made of."""
        tables: dict[tuple[str, ...], Input] = {}
        marks: dict[str, str] = {}
        certain = True
        for address in sorted(task.lineage.tables if task.lineage is not None else ()):
            if len(address) == 1:
                source, resolved, given = self._source(address[0], task)
                mark = self.node.sources.fingerprint(resolved, given, self.cancelled)
                certain = certain and mark is not None
                marks[source.name] = f"{described(source, self._domain(task))} {mark}"
            else:
                lowered = tuple(part.lower() for part in address)
                named = Reference(lowered, called=lowered)
                tables[lowered] = self.inputs.of(named, task.table.product, task.transform)
        seen = {
            ".".join(address): f"{found.snapshot.snapshot_id}/{decision_fingerprint(found.decision)}"
            for address, found in tables.items()
        }
        limits = dict(task.files.build.limits) if task.files.build else {}
        whole = table_fingerprint(task.transform, task.promised, seen, marks, limits)
        if self.sample is not None:
            whole = f"{SAMPLE}{self.sample:g}.{whole}"
        return Prepared(task, tables, whole, certain)

    def build(self, prepared: Prepared, branch: str) -> TableSnapshot:
        """Run the transform as its product and stage what it gives; raises what stopped it, leaving nothing behind."""
        task = prepared.task
        if task.transform.language == "python":
            with ExitStack() as opened:
                return self._python(prepared, branch, opened)
        mode, since = self._mode(task)
        gated = self._gated(task.transform.code)
        with ExitStack() as opened:
            wanted = Wanted(gated.identifiers)
            given = self._given(opened, gated, prepared, wanted, since if mode == "append" else None)
            self._refuse_governed(task, given, gated.identifiers)
            if mode == "append" and since is not None and task.transform.time_column is not None:
                # the gated text is one statement without an end mark: it can stand in a subquery
                gated = self._gated(_at_or_after(gated.sql, task, since))
            used = [(one, gated.identifiers) for one in given if isinstance(one, Input)]
            try:
                with recorded(self.node, task.table, used) as outcome, ExitStack() as reading:
                    snapshot = self._stage(task, self._read(reading, gated, given, task), branch, mode, since)
                    outcome.rows = snapshot.rows
                    return snapshot
            except HanseError as error:
                _tell_source(error, [one for one in given if isinstance(one, SourceInput)], task, prepared)
                raise

    def _python(self, prepared: Prepared, branch: str, opened: ExitStack) -> TableSnapshot:
        from hanse.engine import transforms

        task, transform = prepared.task, prepared.task.transform
        mode, since = self._mode(task)
        readers: dict[str, Callable[[], pa.RecordBatchReader]] = {}
        used: list[tuple[Input, frozenset[str] | None]] = []
        for name, columns in transform.inputs.items():
            address = transform.origins.get(name, name).lower().split(".")
            shown = ", ".join(quote(column) for column in columns) or "*"
            gated = self._gated(f"SELECT {shown} FROM {'.'.join(quote(part) for part in address)}")
            words = frozenset(column.lower() for column in columns) if columns else None
            given = self._given(opened, gated, prepared, Wanted(words), since if mode == "append" else None)
            self._refuse_governed(task, given, words)
            used += [(one, words) for one in given if isinstance(one, Input)]
            readers[name] = partial(self._read, opened, gated, given, task)
        limits = _limits(task)
        bounds = transforms.TransformLimits(
            wall_seconds=float(limits.get("wall_seconds", transforms.TransformLimits().wall_seconds)),
            cpu_seconds=int(limits.get("cpu_seconds", transforms.TransformLimits().cpu_seconds)),
            memory_bytes=int(limits["memory_mib"]) * MIB
            if "memory_mib" in limits
            else transforms.TransformLimits().memory_bytes,
        )
        run = transforms.PythonTransform(
            str(task.table),
            f"{task.files.product.id}/{transform.file}",
            transform.function or task.table.table,
            transform.code,
            trusted=task.table.product.domain in self.node.settings.trust_code,
        )
        try:
            with (
                recorded(self.node, task.table, used) as outcome,
                transforms.run(
                    run, readers, bounds, zygote=self.node.engine.zygote, cancelled=self.cancelled.is_set
                ) as made,
            ):
                snapshot = self._stage(task, made, branch, mode, since)
                outcome.rows = snapshot.rows
                return snapshot
        except InterruptedError:
            raise BuildCancelled from None

    def _mode(self, task: Task) -> tuple[str, datetime | date | None]:
        """How the table is written, and from which time on."""
        transform = task.transform
        if (
            self.full
            or self.sample is not None
            or transform.mode == "full"
            or task.base is None
            or _must_be_whole(task.promised, task.base)
        ):
            return "full", None
        if transform.by == "key":
            return "upsert", None
        assert transform.time_column is not None
        since: datetime | date | None = self.since
        if since is None:
            newest = storage.latest(task.home.warehouse, task.base, transform.time_column)
            if newest is None:
                return "full", None
            since = newest - timedelta(seconds=transform.late_seconds)
        return "append", _fitting(since, task.promised, transform.time_column)

    def _stage(
        self, task: Task, batches: pa.RecordBatchReader, branch: str, mode: str, since: datetime | date | None
    ) -> TableSnapshot:
        import pyarrow as pa

        def watched() -> Iterator[Any]:
            for batch in batches:
                if self.cancelled.is_set():
                    raise BuildCancelled
                yield batch
            self.node.settings.failpoints.reach("P3")

        return storage.stage(
            task.home.warehouse,
            task.home.catalog,
            task.table,
            task.promised,
            task.line.port,
            pa.RecordBatchReader.from_batches(batches.schema, watched()),
            base=task.base,
            mode=mode,
            keys=task.promised.primary_key,
            time_column=task.transform.time_column,
            since=since,
            branch=branch,
        )

    def _gated(self, sql: str) -> Gated:
        from hanse.engine import gate

        return gate.check(sql)

    def _given(
        self, opened: ExitStack, gated: Gated, prepared: Prepared, wanted: Wanted, since: datetime | date | None
    ) -> list[Input | SourceInput]:
        """One input for each table that the gate found: it, not the lineage, knows what a statement reads.

        Sources that lie elsewhere are read here, as far as they are `wanted`, and kept until `opened` ends.
        """
        task = prepared.task
        given: list[Input | SourceInput] = []
        for reference in gated.references:
            if len(reference.parts) == 1:
                _, source, with_ = self._source(reference.parts[0], task)
                window = source.options.get("window")
                part = wanted if since is None or window is None else replace(wanted, since=Since(str(window), since))
                reading = self.node.sources.scan(source, with_, part, task.home.path, self.cancelled)
                scan = opened.enter_context(reading)
                if scan.rows is not None:
                    prepared.read[source.name] = scan.rows
                given.append(SourceInput(reference.parts[0], scan.scan, scan.files))
                continue
            found = prepared.tables.get(reference.parts)
            if found is None or found.name != reference.called:
                found = self.inputs.of(reference, task.table.product, task.transform)
            given.append(found)
        return given if self.sample is None else _sampled(given, self.sample)

    def _read(
        self, opened: ExitStack, gated: Gated, given: list[Input | SourceInput], task: Task
    ) -> pa.RecordBatchReader:
        """A stream that ends with `opened` at the latest: a build that stops early leaves no worker waiting."""
        limits = _limits(task)
        bounds = Limits(
            wall_seconds=float(limits.get("wall_seconds", _BUILD_SECONDS)),
            memory_bytes=int(limits["memory_mib"]) * MIB if "memory_mib" in limits else Limits().memory_bytes,
            stall_seconds=_STALL_SECONDS,
        )
        caller = f"product:{task.table.product}"
        made: pa.RecordBatchReader = opened.enter_context(
            read(self.node.engine, gated, given, bounds, caller, self.cancelled)
        )
        return made

    def _refuse_governed(self, task: Task, given: list[Input | SourceInput], used: frozenset[str] | None) -> None:
        accepted = task.files.build.accept_governed if task.files.build else frozenset()
        for one in given:
            if isinstance(one, Input):
                refuse_governed(one, used, task.transform, accepted)

    def _domain(self, task: Task) -> Domain | None:
        return self.inputs.project.domains.get(task.table.product.domain)

    def _source(self, name: str, task: Task) -> tuple[Source, Source, Given]:
        """The source as written, as it is with its values, and what it is read with."""
        known = {source.name.lower(): source for source in (task.files.build.sources if task.files.build else ())}
        source = known.get(name.lower())
        if source is None:
            near = nearest(name, known)
            raise UnknownInput(
                f"{task.transform.file}: {name!r} is no source of build.yaml",
                where=str(task.transform.place),
                mend=f"did you mean {', '.join(near)}?" if near else f"add sources: {{{name}: …}} to build.yaml",
            )
        resolved, given = self.node.sources.resolved(source, self._domain(task), task.folder)
        return source, resolved, replace(given, wall_seconds=float(_limits(task).get("wall_seconds", _BUILD_SECONDS)))


def _sampled(given: list[Input | SourceInput], percent: float) -> list[Input | SourceInput]:
    """`given` with the largest of them read in part."""
    if not given:
        return given
    largest = max(range(len(given)), key=lambda at: _bytes(given[at]))
    return [replace(one, sample=percent) if at == largest else one for at, one in enumerate(given)]


def _bytes(one: Input | SourceInput) -> int:
    if isinstance(one, Input):
        return sum(file.size for file in one.snapshot.files)
    return sum(path.stat().st_size for path in one.files if path.is_file())


def _limits(task: Task) -> Mapping[str, Any]:
    stated = task.files.build.limits if task.files.build else {}
    return {name: value for name, value in stated.items() if name in _LIMITS and isinstance(value, int | float)}


def _must_be_whole(promised: Table, base: TableSnapshot) -> bool:
    """Whether an increment cannot do: a required column is new, or a column became another type."""
    held = {column.name.lower(): column.type for column in base.columns}
    for column in promised.columns:
        before = held.get(column.name.lower())
        if (before is None and column.required) or (before is not None and before != column.type):
            return True
    return False


def _fitting(since: datetime | date, promised: Table, time_column: str) -> datetime | date:
    """`since` in the column's own type: a date, a time without zone (UTC), or with one."""
    column = promised.column(time_column)
    if column is not None and column.type == Scalar("date"):
        return since.date() if isinstance(since, datetime) else since
    moment = since if isinstance(since, datetime) else datetime(since.year, since.month, since.day, tzinfo=UTC)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    zoned = column is not None and column.type == Scalar("timestamptz")
    return moment if zoned else moment.replace(tzinfo=None)


def _at_or_after(sql: str, task: Task, since: datetime | date) -> str:
    column = task.promised.column(task.transform.time_column or "")
    assert column is not None
    text = since.isoformat(" ") if isinstance(since, datetime) else since.isoformat()
    bound = f"CAST({literal(text)} AS {column.type.sql})"
    return f"SELECT * FROM (\n{sql}\n) AS made WHERE {quote(column.name)} >= {bound}"


def _tell_source(error: HanseError, sources: list[SourceInput], task: Task, prepared: Prepared) -> None:
    """Raise `SourceUnreadable` when one of the sources is what failed: read alone, by this process, for its place.

    A column that the statement misses is told as the change of a source, where all it reads lies elsewhere.
    """
    import duckdb

    if not error.code.startswith("query."):
        return
    if error.code == "query.unknown-column" and len(prepared.read) == 1 and not prepared.tables:
        (name,) = prepared.read
        text = f"source {name!r} does not have what {task.transform.file} reads: {error.message}"
        raise SourceChanged(text, where=error.where or str(task.transform.place), mend=error.mend) from error
    for source in sources:
        try:
            with duckdb.connect(config={"memory_limit": "512MB", "threads": "1"}) as engine:
                engine.execute(f"SELECT count(COLUMNS(*)) FROM {source.scan}").fetchall()
        except duckdb.Error as found:
            told = unreadable(str(found), source.files)
            raise SourceUnreadable(
                f"source {source.name!r}: {told}", where=str(task.transform.place), mend=told.mend_or_state
            ) from error
