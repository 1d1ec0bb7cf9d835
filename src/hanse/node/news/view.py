"""What happened, as a reader may know of it: in order, to be read again from any place."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hanse.errors import HanseError, Kind, code
from hanse.governance.decide import decide
from hanse.governance.decision import Action, Clear, Principal, Request
from hanse.names import ProductId, is_name
from hanse.node.events import EVENTS
from hanse.node.home.codec import instant
from hanse.node.news.following import followed
from hanse.node.news.words import words
from hanse.node.permission import allowed

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.home.values import HomeEvent
    from hanse.node.node import Node

MOST = 1000
_FEW = 500  # products that one statement names
# of a product that they may discover, readers are told these facts and no others
_OF_PRODUCTS: Mapping[str, tuple[str, ...]] = {
    "product.published": ("sequence", "versions"),
    "product.new-version": ("versions",),
    "product.breaking-change": ("versions",),
    "product.deprecated": ("lines",),
    "product.rolled-back": ("sequence", "versions"),
    "product.default-moved": ("sequence", "major"),
    "product.retired": ("sequence",),
    "product.service-level-missed": ("line", "table", "column", "goal_seconds"),
    "product.service-level-met": ("line", "table", "column", "goal_seconds"),
    "run.failed": (),
}
_OF_AGE = frozenset({"product.service-level-missed", "product.service-level-met"})
FOLLOWED = frozenset(_OF_PRODUCTS) - {"product.published"}  # a refresh is no news
_OF_ACCESS = frozenset(name for name in EVENTS if name.startswith("access."))
_ABOUT_ACCESS = ("to", "columns", "until", "purpose", "request", "grant")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_LONGEST = 16_384


class BadCursor(HanseError):
    kind = Kind.INVALID
    code = code(
        "events.bad-cursor",
        Kind.INVALID,
        "The place to go on from is none",
        "Events are read on from the cursor that the last answer gave, as it gave it.",
        "Begin without a cursor: hanse events",
    )

    def __init__(self) -> None:
        super().__init__("the cursor is not one that events gave", mend="begin without it")


@dataclass(frozen=True, slots=True)
class Said:
    """An event as its reader may know of it. `cursor` is the place after it."""

    cursor: str
    at: datetime
    domain: str
    name: str
    product: str | None
    text: str
    data: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {
            "cursor": self.cursor,
            "at": self.at.isoformat(),
            "domain": self.domain,
            "name": self.name,
            "product": self.product,
            "text": self.text,
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: of one domain, of one product, of those that the reader follows; the `newest`, or from a place."""

    domain: str | None = None
    product: ProductId | None = None
    following: bool = False
    newest: bool = False


def events(node: Node, ask: Request, wanted: Wanted, after: str | None, most: int) -> list[Said]:
    """At most `most` events after the cursor `after` (None: from the first), in order. Raises `BadCursor`.

    Who may read a domain's audit sees all of it; anybody else what concerns products that they may discover, and
    requests and grants of their own. A cursor says when the last event that was shown of each domain was, and nothing
    of those that were not.
    """
    places = places_of(after)
    found = [
        (home.domain, event)
        for home in node.homes.values()
        if wanted.domain in (None, home.domain) and (wanted.product is None or wanted.product.domain == home.domain)
        for event in _of_home(node, home, ask, wanted, places.get(home.domain, ""), most)
    ]
    found.sort(key=lambda one: (one[1].at, one[0]))
    shown = []
    if wanted.newest:  # what is left out before the newest is passed over
        places |= {domain: instant(event.at) for domain, event in found[:-most]}
    for domain, event in found[-most:] if wanted.newest else found[:most]:
        places[domain] = instant(event.at)
        product = None if event.product is None else f"{domain}/{event.product}"
        text = words(event.name, product, event.body)
        shown.append(Said(_sealed(places), event.at, domain, event.name, product, text, event.body))
    return shown


def marks(node: Node) -> tuple[str | None, ...]:
    """What changes whenever something happened in a home."""
    return tuple(home.store.last_event() for home in node.homes.values())


def _of_home(node: Node, home: Home, ask: Request, wanted: Wanted, after: str, most: int) -> list[HomeEvent]:
    principal = ask.principal
    products: frozenset[ProductId] | None = None if wanted.product is None else frozenset({wanted.product})
    if wanted.following:
        mine = followed(node, principal)
        products = mine if products is None else products & mine
    if allowed(node, home, principal, Action.AUDIT)[0]:
        names: Collection[str] = FOLLOWED if wanted.following else EVENTS
        return home.store.events_of(names, products, after, most, newest=wanted.newest)
    visible = {facts.product for owner, facts in node.names.visible(ask) if owner is home}
    visible |= _retired(node, home, principal)
    told = visible if products is None else visible & products
    found = _told(home, ask, told, wanted, after, most)
    if not wanted.following:
        found += _own(home, principal, products, wanted, after, most)
    found.sort(key=lambda event: event.number)
    return found[-most:] if wanted.newest else found[:most]


def _retired(node: Node, home: Home, principal: Principal) -> set[ProductId]:
    """The products that are served no longer, of which `principal` could know without any grant."""
    current = home.published()
    gone = [product for product, known in home.store.products().items() if known.current and product not in current]
    return {
        product
        for product in gone
        if (access := home.access_of_retired(product)) is not None
        and allowed(node, home, principal, Action.DISCOVER, product, access=access)[0]
    }


def _told(
    home: Home, ask: Request, products: Collection[ProductId], wanted: Wanted, after: str, most: int
) -> list[HomeEvent]:
    """Events of products that may be known of, with the facts that may be."""
    names = FOLLOWED if wanted.following else frozenset(_OF_PRODUCTS)
    few = products if len(products) <= _FEW else None  # a statement names so many; of more, all are looked through
    size = most if few is not None else sys.maxsize if wanted.newest else MOST
    ours = {product.name for product in products}
    found: list[HomeEvent] = []
    while len(found) < most:
        page = home.store.events_of(names, few, after, size, newest=wanted.newest)
        known = (event for event in page if event.product in ours and _may_know(home, ask, event))
        found += [_lessened(event, _OF_PRODUCTS[event.name]) for event in known]
        if len(page) < size or wanted.newest:
            break
        after = instant(page[-1].at)
    return found[-most:] if wanted.newest else found[:most]


def _own(
    home: Home, principal: Principal, products: Collection[ProductId] | None, wanted: Wanted, after: str, most: int
) -> list[HomeEvent]:
    """Requests and grants that `principal` made or holds."""
    size = sys.maxsize if wanted.newest else MOST  # the newest of one's own may lie far back
    whom = {principal.id, *(f"team:{team}" for team in principal.teams)}
    found: list[HomeEvent] = []
    while len(found) < most:
        page = home.store.events_of(_OF_ACCESS, products, after, size, newest=wanted.newest)
        found += [
            _lessened(event, _ABOUT_ACCESS)
            for event in page
            if event.body.get("to") in whom or event.body.get("by") == principal.id
        ]
        if len(page) < size:
            break
        after = instant(page[-1].at)
    return found[-most:] if wanted.newest else found[:most]


def _may_know(home: Home, ask: Request, event: HomeEvent) -> bool:
    """The age of data is told to those only who see the column it is measured by, with every row."""
    if event.name not in _OF_AGE or event.product is None:
        return True
    product = ProductId(home.domain, event.product)
    for facts in home.facts(product):
        line = str(event.body.get("line", ""))
        if facts.id.table == event.body.get("table") and line.endswith(f"@{facts.id.major}"):
            said = decide(ask, facts, home.grants(product), home.policies())
            column = tuple(str(event.body.get("column", "")).split("."))
            return said.allowed and not said.rows and isinstance(said.columns.get(column), Clear)
    return False


def _lessened(event: HomeEvent, kept: Iterable[str]) -> HomeEvent:
    return replace(event, body={name: event.body[name] for name in kept if name in event.body})


def _sealed(places: Mapping[str, str]) -> str:
    text = json.dumps(dict(sorted(places.items())), separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def places_of(cursor: str | None) -> dict[str, str]:
    """When the last event before a cursor was, by domain. Raises `BadCursor`."""
    if not cursor:
        return {}
    if len(cursor) > _LONGEST or not cursor.isascii():
        raise BadCursor
    try:
        places = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise BadCursor from None
    if not isinstance(places, dict) or not all(
        is_name(domain) and isinstance(at, str) and _INSTANT.fullmatch(at) for domain, at in places.items()
    ):
        raise BadCursor
    return places
