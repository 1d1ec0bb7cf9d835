"""test: is the data of products as their contracts promise? Of what is staged, else of what is published."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event as Flag
from typing import TYPE_CHECKING, Any

from hanse.engine.rules import wire
from hanse.engine.rules.process import Limits, Task, run
from hanse.engine.snapshot import LineSnapshot
from hanse.errors import HanseError, Kind, code
from hanse.governance.decision import Action, Principal
from hanse.names import PortLine, ProductId, nearest
from hanse.node.builds.fingerprint import is_sample
from hanse.node.contract_tests.accepted import accept
from hanse.node.contract_tests.others import Others, relation
from hanse.node.contract_tests.samples import visible
from hanse.node.events import Event
from hanse.node.permission import allowed
from hanse.node.reading import reading
from hanse.spec.baseline import of_texts
from hanse.spec.model import Contract, ProductFiles, Project

if TYPE_CHECKING:
    from hanse.node.home import Home
    from hanse.node.node import Node


class NothingToTest(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "test.no-such-product",
        Kind.NOT_FOUND,
        "There is no such product to test",
        "A test takes products of the project whose domain this node serves, once they are built or published.",
        "Name a product of the project, and build it first: hanse build ID",
    )


class NotTester(HanseError):
    kind = Kind.DENIED
    code = code(
        "test.not-permitted",
        Kind.DENIED,
        "Only a domain's own people test its products",
        "A test reads every row of a product and keeps a report that publish relies on; that is the owner's to start.",
        "Ask a member of the owner team, or have the domain permit the action publish.",
    )


@dataclass(frozen=True, slots=True)
class LineReport:
    """The test of one port line: `value` (wire form, counts only), and the `samples` that its viewer may see."""

    line: PortLine
    staged: bool
    value: Mapping[str, Any]
    samples: Mapping[str, Any]
    id: str  # of the report as the home keeps it

    @property
    def ok(self) -> bool:
        return bool(self.value["ok"])


@dataclass(frozen=True, slots=True)
class ProductsReport:
    """The tests of several port lines; `known` are the names that `only` may say."""

    lines: tuple[LineReport, ...]
    known: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether something was tested, and no rule of severity error failed."""
        return bool(self.lines) and all(line.ok for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": wire.SCHEMA,
            "ok": self.ok,
            "reports": [
                {
                    **line.value,
                    "samples": line.samples,
                    "address": line.line.product.sql,
                    "staged": line.staged,
                    "report": line.id,
                }
                for line in self.lines
            ],
            "known": list(self.known),
        }


@reading
def test(
    node: Node,
    project: Project,
    products: Collection[ProductId] | None,
    *,
    principal: Principal,
    stage: bool = True,
    strict: bool = False,
    only: Sequence[str] = (),
    progress: Callable[[Event], None] = lambda _: None,
    cancelled: Flag | None = None,
    limits: Limits = Limits(),
) -> ProductsReport:
    """Test each port line of `products` (None: all of the principal's with data), as staged if `stage` and one waits.

    Reports are kept in the home, a whole one noted on its stage. Raises `NothingToTest`, `NotTester`, and what
    `engine.rules.process` raises; blocks, so call it from a thread of its own.
    """
    reports: list[LineReport] = []
    known: list[str] = []
    chosen = list(_chosen(node, project, products, stage))
    if products is None:
        chosen = [product for product in chosen if _may(node, project, product, principal)[0]] or chosen
    for product in chosen:
        home = node.find(product.domain)
        assert home is not None
        files = project.products[product]
        _permitted(node, project, product, principal)
        for line, contract, snapshot, staged in _lines(home, files, stage):
            progress(Event("test.started", f"{line} …", {"product": str(product), "line": str(line)}))
            with Others(node, project, product) as others:
                task = Task(
                    text=contract.text,
                    file=contract.place.file,
                    data={t.name: relation(snapshot.tables.get(t.name), home.warehouse) for t in contract.tables},
                    others=others.of(contract),
                    now=node.clock(),
                    source=f"{product}, {_state(snapshot, staged)}",
                    only=tuple(only),
                    published=_history(home, product),
                )
                answer = run(task, limits, cancelled)
            report = accept(answer.report, of_texts(files.files), node.clock().date())
            value = {**report, "strict": strict, "ok": _ok(report, strict), "line": str(line)}
            whole = [line] if staged and not only else []
            id = home.store.put_report(product, value, answer.samples, lines=whole)
            shown = visible(node, project, home, files, line, contract, principal, answer.samples)
            reports.append(LineReport(line, staged, value, shown, id))
            known += answer.known
            count = wire.counts([value])
            said = f"{line}: {count['ok']} ok, {count['fail'] + count['error']} fail, {count['warn']} warn"
            progress(Event("test.done", said, {"product": str(product), "line": str(line), "ok": value["ok"], **count}))
    return ProductsReport(tuple(reports), tuple(dict.fromkeys(known)))


def _ok(report: Mapping[str, Any], strict: bool) -> bool:
    count = wire.counts([report])
    bad = count["fail"] + count["error"] + (count["not-run"] if strict else 0)
    return bad == 0 and report["tested"] > 0


def _chosen(node: Node, project: Project, products: Collection[ProductId] | None, stage: bool) -> Iterator[ProductId]:
    served = sorted(id for id in project.products if node.find(id.domain) is not None)
    with_data = [id for id in served if any(_lines(node.homes[id.domain], project.products[id], stage))]
    for product in products or ():
        if product not in with_data:
            near = nearest(str(product), map(str, with_data))
            why = "it has no data: it is neither built nor published" if product in served else "the project has none"
            raise NothingToTest(
                f"{product} cannot be tested: {why}",
                mend=f"hanse build {product}" if product in served else f"did you mean {', '.join(near) or 'another'}?",
            )
    chosen = with_data if products is None else sorted(set(products))
    if not chosen:
        raise NothingToTest("nothing was tested: no product here has data", mend="hanse build")
    yield from chosen


def _may(node: Node, project: Project, product: ProductId, principal: Principal) -> tuple[bool, str]:
    if "build" not in principal.scopes:
        return False, "the token has no scope build"
    home, access = node.homes[product.domain], project.products[product].product.access.value
    return allowed(node, home, principal, Action.PUBLISH, product, access=access, project=project)


def _permitted(node: Node, project: Project, product: ProductId, principal: Principal) -> None:
    may, because = _may(node, project, product, principal)
    if not may:
        raise NotTester(f"{principal.id} may not test {product}: {because}", mend="ask a member of its owner team")


def _state(snapshot: LineSnapshot, staged: bool) -> str:
    if not staged:
        return "published"
    return "staged, made of a sample" if is_sample(snapshot) else "staged"


def _lines(home: Home, files: ProductFiles, stage: bool) -> Iterator[tuple[PortLine, Contract, LineSnapshot, bool]]:
    """Each port line of the project that has data: its contract, the data, and whether that is staged."""
    stages = home.store.stages(files.product.id) if stage else {}
    published = home.published().get(files.product.id)
    for line, contract in sorted(files.contracts.items()):
        if line in stages:
            yield line, contract, stages[line].snapshot, True
        elif published is not None and line in published.lines:
            yield line, contract, published.lines[line].snapshot, False


def _history(home: Home, product: ProductId) -> tuple[Any, ...]:
    return tuple(sorted(home.store.published_at(product)))
