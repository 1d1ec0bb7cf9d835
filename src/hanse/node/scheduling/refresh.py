"""One scheduled run: build, test and publish what was accepted, again while a source cannot be reached."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hanse.engine.sources.errors import SourceUnreachable
from hanse.errors import HanseError, Kind, code
from hanse.governance.decision import Principal
from hanse.names import ProductId
from hanse.node.events import Event
from hanse.node.planning.value import BLOCKED
from hanse.node.publications import held
from hanse.node.publishing import PublishedProduct, Publisher
from hanse.node.runs import RunCancelled
from hanse.node.scheduling.accepted import accepted
from hanse.node.steps.plan import compared
from hanse.node.steps.publish import PlanBlocked

if TYPE_CHECKING:
    from hanse.node.node import Node

Progress = Callable[[Event], None]
_MOST_WAIT = 3600.0  # seconds between two tries


class NoLongerServed(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "run.not-published",
        Kind.NOT_FOUND,
        "The product of the run is no longer published",
        "A schedule refreshes what is published; this product was retired before its run began.",
        "Publish it again, or leave its run.",
    )


@dataclass(frozen=True, slots=True)
class Tries:
    """How often a run tries to reach its sources, and how long it waits before the second try; then twice as long."""

    most: int = 5
    wait_seconds: float = 60.0


def refresh(
    node: Node,
    product: ProductId,
    tries: Tries,
    progress: Progress,
    cancelled: threading.Event,
    rest: Callable[[float], bool],
) -> Mapping[str, Any]:
    """Build, test and publish `product` as it was accepted, by itself; a source that cannot be reached is waited for.

    `rest` waits so many seconds and tells whether it was cancelled. Returns what became of the product, as
    `hanse publish` tells it. Raises `RunCancelled`, `NoLongerServed`, and what stops a plan.
    """
    from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential

    def wait(seconds: float) -> None:
        progress(Event("run.waits", f"wait  a source cannot be reached; again in {seconds:.0f} s", {}))
        if rest(seconds):
            raise RunCancelled("the run was cancelled", mend="the schedule begins the next one")

    retrying = Retrying(
        retry=retry_if_result(_unreachable),
        wait=wait_exponential(tries.wait_seconds, min=tries.wait_seconds, max=_MOST_WAIT),
        stop=stop_after_attempt(tries.most),
        sleep=wait,
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    done: PublishedProduct = retrying(_once, node, product, progress, cancelled)
    return {"ok": done.ok, "products": [done.as_json()]}


def _once(node: Node, product: ProductId, progress: Progress, cancelled: threading.Event) -> PublishedProduct:
    home = node.homes[product.domain]
    with held([home], cancelled) as ours:
        if not ours:
            raise RunCancelled("the run was cancelled", mend="the schedule begins the next one")
        published = home.published().get(product)
        if published is None:
            raise NoLongerServed(f"{product} is not published", mend="hanse publish")
        project, findings = accepted(home, published)
        principal = _itself(node, product)
        made = compared(node, project, findings, principal=principal, products=[product])
        planned = made.product(product)
        if planned is not None and planned.state == BLOCKED:
            raise PlanBlocked([planned], [])
        return Publisher(node, project, made, principal, progress, cancelled, keep_staged=False).publish(product)


def _itself(node: Node, product: ProductId) -> Principal:
    """A product that acts for itself, as its owners accepted it."""
    return replace(node.product_principal(product), scopes=frozenset({"read", "build"}))


def _unreachable(done: PublishedProduct) -> bool:
    return not done.ok and any(one.code == SourceUnreachable.code for one in done.findings)
