"""rollback: publish a former state again; it gets a number of its own, and nothing is taken back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hanse.governance.decision import Principal
from hanse.names import ProductId
from hanse.node.home.home import PublicationForgotten
from hanse.node.publications import NotPublished, again

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.home.values import Publication
    from hanse.node.node import Node


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The publication that was made, and the one whose state it serves."""

    product: ProductId
    sequence: int
    of: int
    passed_over: tuple[int, ...] = ()  # later publications of the data that was current

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "hanse.rollback/1",
            "product": str(self.product),
            "sequence": self.sequence,
            "of": self.of,
            "passed_over": list(self.passed_over),
        }


def rollback(
    node: Node, product: ProductId, sequence: int | None = None, *, principal: Principal, why: str = ""
) -> RolledBack:
    """Serve again what publication `sequence` served; by default the latest one with other data than the current.

    Under today's policies and grants; descriptors and data are those of then. Raises `NotPublished`.
    """
    of = 0
    passed_over: tuple[int, ...] = ()

    def former(home: Home, now: Publication) -> Publication:
        nonlocal of, passed_over
        if sequence is None:
            before = [one for one in home.store.publications(product) if one.sequence < now.sequence]
            wanted = next(
                (one for one in reversed(before) if one.kind != "retire" and one.lines and one.lines != now.lines), None
            )
            passed_over = tuple(one.sequence for one in before if wanted is not None and one.sequence > wanted.sequence)
        else:
            wanted = home.store.publication(product, sequence)
        if wanted is None or wanted.kind == "retire":
            told = f"publication {sequence}" if sequence is not None else "earlier publication with other data"
            raise NotPublished(f"{product} has no {told}", mend=f"hanse show {product}")
        if wanted.forgotten_at is not None:
            raise PublicationForgotten(product, wanted.sequence, wanted.forgotten_at)
        of = wanted.sequence
        majors = {one.line.major for one in wanted.lines}
        default = now.default_major if now.default_major in majors else wanted.default_major
        key = f"rollback-{now.sequence}-{wanted.sequence}"
        return replace(wanted, kind="rollback", key=key, default_major=default)

    made = again(node, product, principal, act="product.rolled-back", change=former, facts={"why": why})
    return RolledBack(product, made.sequence, of, passed_over)
