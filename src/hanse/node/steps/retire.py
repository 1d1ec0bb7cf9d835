"""retire: take a product, or one major of it, out of service; refused while grants hold, unless forced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hanse.errors import HanseError, Kind, code
from hanse.governance.decision import Principal
from hanse.governance.grants import is_live
from hanse.names import ProductId
from hanse.node.publications import NotPublished, again

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.home.values import Publication
    from hanse.node.node import Node


class StillGranted(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "retire.still-granted",
        Kind.CONFLICT,
        "Somebody was promised the product until a day to come",
        "A grant is a promise; ending the product before its day is a decision of its own, with its holders named.",
        "Revoke the grants, let them end, or say --force.",
    )


@dataclass(frozen=True, slots=True)
class Retired:
    """The publication that ended the product or major, and who still held a grant."""

    product: ProductId
    major: int | None
    sequence: int
    holders: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "hanse.retire/1",
            "product": str(self.product),
            "major": self.major,
            "sequence": self.sequence,
            "holders": list(self.holders),
        }


def holders(node: Node, home: Home, product: ProductId) -> tuple[str, ...]:
    """Who holds a grant on the product now, with its end."""
    now = node.clock()
    return tuple(f"{one.to} until {one.until.date()} ({one.id})" for one in home.grants(product) if is_live(one, now))


def retire(
    node: Node, product: ProductId, *, principal: Principal, major: int | None = None, force: bool = False
) -> Retired:
    """End `product`, or its `major`; its audit and former publications stay.

    Raises `StillGranted` while grants hold and `force` is not said, `NotPublished`.
    """
    held: tuple[str, ...] = ()

    def ended(home: Home, now: Publication) -> Publication:
        nonlocal held
        majors = sorted({one.line.major for one in now.lines})
        if major is not None and major not in majors:
            raise NotPublished(f"{product} has no major {major}", mend=f"one of: {', '.join(map(str, majors))}")
        held = holders(node, home, product)
        if held and not force:
            raise StillGranted(f"{product} is granted to {'; '.join(held[:5])}", mend="revoke the grants, or --force")
        rest = tuple(one for one in now.lines if one.line.major != major)
        if major is None or not rest:
            return replace(now, kind="retire", status="retired", key=f"retire-{now.sequence}")
        left = min(one.line.major for one in rest) if now.default_major == major else now.default_major
        main = {number: table for number, table in now.main.items() if number != major}
        key = f"retire-{now.sequence}-{major}"
        return replace(now, kind="publish", lines=rest, default_major=left, main=main, key=key)

    made = again(node, product, principal, act="product.retired", change=ended, facts={"major": major, "force": force})
    return Retired(product, major, made.sequence, held)
