"""Terms of access: which columns, for which purpose, until when, why; checked against what the product has."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hanse.governance import grants as agreements
from hanse.governance.decision import Grant, Principal
from hanse.names import ProductId, nearest
from hanse.node.access.errors import BadTerms
from hanse.node.access.parties import check_exists

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.node import Node

MOST_DAYS = 5 * 366
ALL = ("*",)
_LONGEST_WHY = 2000


@dataclass(frozen=True, slots=True)
class Terms:
    """Checked terms. `columns` None: all that is not sensitive; ("*",): all up to today's highest class."""

    whom: str
    columns: tuple[str, ...] | None
    until: datetime
    purpose: str | None
    why: str


def agreed(
    node: Node,
    home: Home,
    principal: Principal,
    product: ProductId,
    whom: str,
    columns: Collection[str] | None,
    until: datetime,
    purpose: str | None,
    why: str,
) -> Terms:
    check_exists(node, principal, whom)
    now = node.clock()
    if until <= now:
        raise BadTerms(f"{until.date()} is not in the future", mend="name a day to come")
    if until > now + timedelta(days=MOST_DAYS):
        raise BadTerms("access ends within five years", mend=f"at most {(now + timedelta(days=MOST_DAYS)).date()}")
    purposes = home.mesh.purposes if home.mesh else {}
    if purpose is not None and purpose not in purposes:
        near = nearest(purpose, purposes) or sorted(purposes)
        raise BadTerms(
            f"mesh.yaml has no purpose {purpose[:80]!r}", mend=f"one of: {', '.join(near)}" if near else "leave it out"
        )
    return Terms(whom, _known_columns(home, product, columns), until, purpose, reason(why))


def reason(why: str) -> str:
    why = why.strip()
    if not why or len(why) > _LONGEST_WHY:
        raise BadTerms(f"say why, in 1 to {_LONGEST_WHY} characters", mend='--why "…"')
    return why


def _known_columns(home: Home, product: ProductId, columns: Collection[str] | None) -> tuple[str, ...] | None:
    if not columns:
        return None
    if tuple(columns) == ALL:
        return ALL
    known = {".".join(column.path) for facts in home.facts(product) for column in facts.columns}
    for column in columns:
        if column not in known:
            near = nearest(column, known)
            raise BadTerms(
                f"{product} has no column {column[:80]!r}",
                mend=f"did you mean {near[0]}?" if near else f"hanse show {product}",
            )
    return tuple(sorted(set(columns)))


def ceiling(home: Home, product: ProductId, *, whole: bool) -> str:
    """How far a grant of all columns reaches: today's highest class, and not above `internal` unless `whole`."""
    order = home.policies().classifications
    levels = [agreements.level(column.classification, order) for f in home.facts(product) for column in f.columns]
    highest = max(levels, default=0)
    if not whole and "internal" in order:
        highest = min(highest, order.index("internal"))
    return order[highest]


def is_high(home: Home, held: Grant) -> bool:
    return held.ceiling is not None and held.ceiling != ceiling(home, held.product, whole=False)


def columns_of(held: Grant) -> tuple[str, ...] | None:
    return None if held.columns is None else tuple(sorted(held.columns))


def purpose_of(held: Grant) -> str | None:
    return next(iter(sorted(held.purposes)), None)


def check_no_more(home: Home, product: ProductId, asked: Collection[str] | None, columns: Collection[str]) -> None:
    """Raise `BadTerms` unless `columns` lie within those that were asked for: an approval can be for less, not more."""
    if asked is not None and tuple(asked) == ALL:
        return
    if asked is None:
        order = home.policies().classifications
        limit = agreements.level(ceiling(home, product, whole=False), order)
        within = {
            ".".join(column.path)
            for facts in home.facts(product)
            for column in facts.columns
            if agreements.level(column.classification, order) <= limit
        }
        told = f"all up to {order[limit]}"
    else:
        within, told = set(asked), ", ".join(asked)
    more = sorted(set(columns) - within)
    if more:
        raise BadTerms(f"column {more[0]!r} was not asked for", mend=f"asked for: {told}")
