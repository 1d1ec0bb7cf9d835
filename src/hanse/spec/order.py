"""In which order tables are built: a graph over products and domains by what their transforms read."""

from __future__ import annotations

from collections.abc import Mapping

from hanse.errors import Finding, Kind, code
from hanse.names import TableId
from hanse.spec.lineage import product_reads, table_of
from hanse.spec.model import Project, Transform

CYCLE = code(
    "build.cycle",
    Kind.INVALID,
    "Tables read each other in a circle",
    "A table is built after its inputs; in a circle none could be the first.",
    "Take one of the inputs out of the circle; a test may read across, a build may not.",
)


def build_edges(project: Project) -> Mapping[TableId, frozenset[TableId | str]]:
    """For each table that is made what it is made of: tables of the project, or the words for what is not in it.

    Such a word is the name of a source, or the dotted address of a product elsewhere.
    """
    edges: dict[TableId, frozenset[TableId | str]] = {}
    for product in sorted(project.products):
        for table, reads in product_reads(project, product).items():
            edges[table] = frozenset(table_of(project, address) or ".".join(address) for address in reads.tables)
    return edges


def build_order(project: Project) -> list[TableId]:
    """Every table that is made, after all that it is made of; tables in a circle come last, by name."""
    inside = _inside(build_edges(project))
    order: list[TableId] = []
    placed: set[TableId] = set()
    waiting = sorted(inside)
    while waiting:
        ready = [table for table in waiting if inside[table] <= placed] or waiting
        order += ready
        placed.update(ready)
        waiting = [table for table in waiting if table not in placed]
    return order


def cycles(project: Project) -> list[Finding]:
    """A finding for each circle, at the transform of its first table."""
    inside = _inside(build_edges(project))
    findings = []
    for circle in _circles(inside):
        first = circle[0]
        told = " -> ".join(str(table) for table in (*circle, first))
        transform = _transform(project, first)
        findings.append(
            Finding.at(transform.place, CYCLE, f"tables read each other in a circle: {told}", mend="remove one input")
        )
    return sorted(findings)


def _inside(edges: Mapping[TableId, frozenset[TableId | str]]) -> dict[TableId, set[TableId]]:
    return {t: {o for o in origins if isinstance(o, TableId) and o in edges} for t, origins in edges.items()}


def _circles(inside: Mapping[TableId, set[TableId]]) -> list[list[TableId]]:
    """One circle through each group of tables that reach each other, from its first table by name on."""
    circles: list[list[TableId]] = []
    done: set[TableId] = set()
    for start in sorted(inside):
        if start in done:
            continue
        path = _path(inside, start)
        if path is not None:
            circles.append(path)
            done.update(path)
    return circles


def _path(inside: Mapping[TableId, set[TableId]], start: TableId) -> list[TableId] | None:
    """The shortest way from `start` back to itself."""
    came: dict[TableId, TableId] = {}
    queue = [start]
    for at in queue:
        for following in sorted(inside[at]):
            if following == start:
                path = [at]
                while path[-1] != start:
                    path.append(came[path[-1]])
                return path[::-1]
            if following not in came:
                came[following] = at
                queue.append(following)
    return None


def _transform(project: Project, table: TableId) -> Transform:
    build = project.products[table.product].build
    assert build is not None
    return next(t for t in build.transforms if t.table == table.table and t.major == table.major)
