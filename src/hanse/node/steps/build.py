"""build: make the tables of products in order, in stages that no reader sees."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING

from hanse.engine.snapshot import LineSnapshot, TableSnapshot
from hanse.errors import Finding, HanseError, Kind, Place, RejectedError, code
from hanse.governance.decision import Action, Principal
from hanse.names import PortLine, ProductId, TableId, nearest
from hanse.node.builds.fingerprint import line_fingerprint, of_table
from hanse.node.builds.inherited import lowered
from hanse.node.builds.inputs import Candidate, Inputs
from hanse.node.builds.report import BUILT, FAILED, UNCHANGED, BuildReport, BuiltTable
from hanse.node.builds.stream import BuildCancelled
from hanse.node.builds.table import Builder, Prepared, Task
from hanse.node.connections import require_connections
from hanse.node.events import Event
from hanse.node.permission import allowed, governing, require
from hanse.node.reading import reading
from hanse.spec.lineage import Lineage, product_lineage
from hanse.spec.model import ProductFiles, Project
from hanse.spec.order import build_edges, build_order, cycles

if TYPE_CHECKING:
    from hanse.node.node import Node

__all__ = ["BuildReport", "BuiltTable", "build"]

INPUT_FAILED = code(
    "build.input-failed",
    Kind.INVALID,
    "An input of the table was not built",
    "A table is built after its inputs; when one of them fails there is nothing to read.",
    "Mend the input that failed, it is named in the same report.",
)
_BRANCH = "stage"
_IN_STATEMENT = re.compile(r"(\d+):(\d+)")


class NothingToBuild(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "build.unknown-product",
        Kind.NOT_FOUND,
        "There is no such product to build",
        "A build takes products of the project that have a build.yaml and whose domain this node serves.",
        "Name a product of the project, or add a build.yaml.",
    )


@dataclass(slots=True)
class _Run:
    """What a build knows while it runs."""

    candidates: dict[TableId, Candidate] = field(default_factory=dict)
    fingerprints: dict[TableId, str] = field(default_factory=dict)
    told: dict[TableId, BuiltTable] = field(default_factory=dict)


@reading
def build(
    node: Node,
    project: Project,
    products: Collection[ProductId] | None,
    *,
    principal: Principal,
    full: bool = False,
    since: datetime | None = None,
    progress: Callable[[Event], None] = lambda _: None,
    cancelled: Flag | None = None,
    keep_staged: bool = False,
    sample: float | None = None,
) -> BuildReport:
    """Build `products` (None: all here that `principal` may) and stage what changed; nothing is published.

    Where only reading a source tells whether it changed, it is read, unless the table is staged and `keep_staged`.

    With `sample` each table is made of that many percent of its largest input's rows: to look at, never to publish.

    Tables are made in the order of their build edges, independent ones at once. A table that fails takes only those
    after it along: its finding is in the report. Raises `RejectedError` for cycles, `NothingToBuild`, `NotPermitted`,
    `BuildCancelled`; blocks, so call it from a thread of its own.
    """
    cancelled = cancelled or Flag()
    looping = cycles(project)
    if looping:
        raise RejectedError("build", looping)
    chosen = _chosen(node, project, products)
    if products is None:
        chosen = [product for product in chosen if _may(node, project, product, principal)] or chosen
    for product in chosen:
        home = node.homes[product.domain]
        access = project.products[product].product.access.value
        require(node, home, principal, Action.PUBLISH, product, access=access, project=project)
        require_connections(node, home, principal, project, product)
    lineages = {table: lineage for product in chosen for table, lineage in product_lineage(project, product).items()}
    tasks = _tasks(node, project, chosen, lineages)
    run = _Run()
    builder = Builder(node, Inputs(node, project, run.candidates, node.names), cancelled, full, since, sample)
    order = [table for table in build_order(project) if table in tasks]
    _work(builder, run, tasks, order, _edges(project, tasks), progress, keep_staged)
    if cancelled.is_set():
        raise BuildCancelled
    stages = {
        line: stage for product in chosen for line, stage in _stage_lines(node, project, project.products[product], run)
    }
    return BuildReport(tuple(run.told[table] for table in order), stages, tuple(_lowered(project, tasks, lineages)))


def _may(node: Node, project: Project, product: ProductId, principal: Principal) -> bool:
    home, access = node.homes[product.domain], project.products[product].product.access.value
    return allowed(node, home, principal, Action.PUBLISH, product, access=access, project=project)[0]


def _chosen(node: Node, project: Project, products: Collection[ProductId] | None) -> list[ProductId]:
    ready = {id for id, files in project.products.items() if files.build is not None and files.build.transforms}
    served = {id for id in ready if node.find(id.domain) is not None}
    if products is None:
        return sorted(served)
    for product in products:
        own = f"{product.domain}/{product.name}/build.yaml"
        if (
            product in project.products
            and product not in ready
            and {own, f"{product.name}/build.yaml"} & {*project.files}
        ):
            raise NothingToBuild(
                f"{product} cannot be built: its build.yaml has errors", mend="hanse validate shows them"
            )
        if product not in served:
            near = nearest(str(product), map(str, served))
            why = (
                f"the home of domain {product.domain!r} is not open on this node"
                if product in ready
                else "it has no build.yaml"
                if product in project.products
                else "the project has no such product"
            )
            raise NothingToBuild(
                f"{product} cannot be built: {why}",
                mend=f"did you mean {', '.join(near)}?"
                if near
                else "name one of: " + ", ".join(map(str, sorted(served))),
            )
    return sorted(set(products))


def _tasks(
    node: Node, project: Project, chosen: Collection[ProductId], lineages: Mapping[TableId, Lineage]
) -> dict[TableId, Task]:
    tasks = {}
    for product in chosen:
        files, home = project.products[product], node.homes[product.domain]
        assert files.build is not None
        folder = node.settings.project / Path(files.product.place.file).parent
        published = home.published().get(product)
        for transform in files.build.transforms:
            for line, contract in files.contracts.items():
                promised = contract.table(transform.table)
                if line.major != transform.major or promised is None:
                    continue
                table = TableId(product, line.major, transform.table)
                state = published.lines.get(line) if published else None
                base = state.snapshot.tables.get(transform.table) if state else None
                tasks[table] = Task(table, line, files, promised, transform, home, folder, lineages.get(table), base)
    return tasks


def _edges(project: Project, tasks: Mapping[TableId, Task]) -> dict[TableId, set[TableId]]:
    edges = build_edges(project)
    return {
        table: {other for other in edges.get(table, ()) if isinstance(other, TableId) and other in tasks}
        for table in tasks
    }


def _work(
    builder: Builder,
    run: _Run,
    tasks: Mapping[TableId, Task],
    order: list[TableId],
    edges: Mapping[TableId, set[TableId]],
    progress: Callable[[Event], None],
    keep_staged: bool,
) -> None:
    """Build each table when its inputs are there, as many at once as there are cores."""
    width = max(1, min(os.cpu_count() or 1, builder.node.engine.settings.workers))
    waiting = list(order)
    running: dict[Future[BuiltTable], TableId] = {}
    with ThreadPoolExecutor(width, thread_name_prefix="build") as threads:
        while waiting or running:
            for table in list(waiting):
                if len(running) == width or builder.cancelled.is_set():
                    break
                inputs = edges[table]
                if not inputs <= run.told.keys():
                    continue
                waiting.remove(table)
                failed = sorted(str(i) for i in inputs if run.told[i].state == FAILED)
                if failed:
                    _tell(run, _input_failed(tasks[table], failed), len(order), progress)
                    continue
                progress(
                    Event(
                        "build.started",
                        f"{table} …",
                        {"product": str(table.product), "table": str(table), **_count(run, order)},
                    )
                )
                running[threads.submit(_one, builder, run, tasks[table], keep_staged)] = table
            if running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    running.pop(future)
                    _tell(run, future.result(), len(order), progress)
            elif builder.cancelled.is_set():
                return


def _one(builder: Builder, run: _Run, task: Task, keep_staged: bool) -> BuiltTable:
    """Build one table, or find that nothing changed; a failure becomes its finding."""
    began = time.perf_counter()
    try:
        prepared = builder.prepare(task)
        anew = builder.full or (builder.since is not None and task.transform.by == "time")  # asked for, changed or not
        held = None if anew else _held(task, prepared, keep_staged)
        snapshot = held or builder.build(prepared, _BRANCH)
    except BuildCancelled as error:
        return _failed(task, error, time.perf_counter() - began)
    except HanseError as error:
        return _failed(task, error, time.perf_counter() - began)
    domain = governing(builder.node, task.home.domain, builder.inputs.project)
    run.fingerprints[task.table] = prepared.fingerprint
    run.candidates[task.table] = Candidate(task.files, task.line.major, domain.team if domain else "", snapshot)
    state = BUILT if held is None else UNCHANGED
    return BuiltTable(task.table, snapshot.rows, time.perf_counter() - began, state, read=prepared.read)


def _held(task: Task, prepared: Prepared, keep_staged: bool) -> TableSnapshot | None:
    """The staged, else the published snapshot that was made of exactly this; None when there is none."""
    if not (prepared.certain or keep_staged):
        return None
    staged = task.home.store.stage(task.table.product, task.line)
    published = task.home.published().get(task.table.product)
    line = published.lines.get(task.line) if published else None
    for state in (staged.snapshot if staged else None, line.snapshot if line and prepared.certain else None):
        if state is not None and of_table(state, task.table.table) == prepared.fingerprint:
            return state.tables[task.table.table]
    return None


def _stage_lines(node: Node, project: Project, files: ProductFiles, run: _Run) -> list[tuple[PortLine, LineSnapshot]]:
    """Record each port line whose tables are all there as the stage of its product."""
    home = node.homes[files.product.id.domain]
    bundle = home.store.put_texts(_texts(project, files))
    staged = []
    for line, contract in sorted(files.contracts.items()):
        ids = [TableId(line.product, line.major, table.name) for table in contract.tables]
        if not ids or any(table not in run.candidates for table in ids):
            continue
        snapshot = LineSnapshot(
            {table.table: run.candidates[table].snapshot for table in ids},
            line_fingerprint((table.table, run.fingerprints[table]) for table in ids),
        )
        held = home.store.stage(line.product, line)
        if held is None or held.snapshot != snapshot or held.bundle != bundle:
            mark = hashlib.sha256(snapshot.fingerprint.encode()).hexdigest()
            home.store.put_stage(line.product, line, snapshot, mark, bundle)
        staged.append((line, snapshot))
    return staged


def _texts(project: Project, files: ProductFiles) -> dict[str, str]:
    """What describes a stage: the product's own files, with the words of the domain and the mesh around it."""
    domain = files.product.id.domain
    folder = files.product.place.file.rpartition("/")[0] + "/"
    around = ("mesh.yaml", "domain.yaml", f"{domain}/domain.yaml")
    return {path: text for path, text in project.files.items() if path in around or path.startswith(folder)}


def _lowered(project: Project, tasks: Mapping[TableId, Task], lineages: Mapping[TableId, Lineage]) -> list[Finding]:
    order = project.mesh.classifications if project.mesh else ("public", "internal", "restricted")

    def classes(address: tuple[str, ...]) -> Mapping[str, str | None] | None:
        if len(address) == 1:
            return None
        stem, _, digits = address[1].rpartition("_v")
        files = project.products.get(ProductId(address[0], stem or address[1]))
        if files is None:
            return {}
        for table, promised in files.tables.items():
            if (not digits.isdigit() or table.major == int(digits)) and table.table == address[-1]:
                return {column.name: column.classification for column in promised.columns}
        return {}

    found = []
    for table, task in sorted(tasks.items()):
        if (lineage := lineages.get(table)) is not None:
            found += lowered(task.promised, lineage, classes, order)
    return sorted(found)


def _failed(task: Task, error: HanseError, seconds: float) -> BuiltTable:
    finding = Finding.at(_place(task, error), error.code, error.message, why=error.why, mend=error.mend)
    return BuiltTable(task.table, 0, seconds, FAILED, finding)


def _place(task: Task, error: HanseError) -> Place:
    """Where to mend: in the transform's own statement, where the error knows it; else where build.yaml names it."""
    inside = _IN_STATEMENT.fullmatch(error.where or "")
    if inside is None or task.transform.language != "sql":
        return task.transform.place
    folder = Path(task.files.product.place.file).parent
    return Place((folder / task.transform.file).as_posix(), int(inside[1]), int(inside[2]))


def _input_failed(task: Task, failed: list[str]) -> BuiltTable:
    finding = Finding.at(
        task.transform.place,
        INPUT_FAILED,
        f"{task.table} was not built: {', '.join(failed)} failed",
        mend="mend what failed before it",
    )
    return BuiltTable(task.table, 0, 0.0, FAILED, finding)


def _count(run: _Run, order: list[TableId]) -> dict[str, int]:
    return {"done": len(run.told), "tables": len(order)}


def _tell(run: _Run, built: BuiltTable, tables: int, progress: Callable[[Event], None]) -> None:
    run.told[built.table] = built
    word = {BUILT: "ok", UNCHANGED: "skip", FAILED: "fail"}[built.state]
    why = f"  {built.finding.message}" if built.finding is not None else ""
    rows = f"{built.rows:,}".replace(",", " ")
    read = "".join(f"  read {count:,} rows of {name}".replace(",", " ") for name, count in sorted(built.read.items()))
    text = f"{word:<4}  {built.table}  {rows} rows  {built.seconds:.2f} s{read}{why}"
    progress(Event(f"build.{built.state}", text, {**built.as_json(), "done": len(run.told), "tables": tables}))
