"""access: request → approve or refuse → grant → renew, end, revoke; or granted by the owner unasked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from hanse.governance import grants as agreements
from hanse.governance.decision import Action, Grant, Principal
from hanse.names import ProductId
from hanse.node.access.errors import AlreadyDecided, BadTerms, ClosedProduct
from hanse.node.access.parties import (
    ALL_SCOPES,
    check_may_ask_for,
    check_not_own,
    deciders,
    grant_of,
    holds,
    home_of_published,
    is_own,
    request_to_decide,
)
from hanse.node.access.shown import Listing, grant_json, request_json
from hanse.node.access.terms import (
    ALL,
    MOST_DAYS,
    Terms,
    agreed,
    ceiling,
    check_no_more,
    columns_of,
    is_high,
    purpose_of,
    reason,
)
from hanse.node.home.values import AccessRequest
from hanse.node.permission import allowed, require

if TYPE_CHECKING:
    from hanse.node.home.audit_writer import Recorded
    from hanse.node.home.home import Home
    from hanse.node.node import Node

__all__ = [
    "MOST_DAYS",
    "approve",
    "deciders",
    "grant",
    "grant_json",
    "listed",
    "refuse",
    "renew",
    "request",
    "request_json",
    "revoke",
]
_MOST_WAITING = 1000  # requests that may wait in one home


def request(
    node: Node,
    principal: Principal,
    product: ProductId,
    *,
    to: str | None = None,
    columns: Collection[str] | None = None,
    until: datetime,
    purpose: str | None = None,
    why: str,
) -> AccessRequest:
    """Ask the owner of `product`; the same terms asked twice are one request.

    `columns` None asks for all that is not sensitive, `["*"]` for all up to today's highest class. Who asks may do so
    for themselves, for a team of theirs, and for a product of a domain in which they may publish.
    """
    home = home_of_published(node, principal, product)
    whom = to or principal.id
    check_may_ask_for(node, principal, whom)
    access = home.published()[product].product.access.value
    if access == "closed":
        raise ClosedProduct(f"{product} is closed: it takes no requests", mend="talk to its owner team")
    require(node, home, principal, Action.REQUEST, product, access=access)
    terms = agreed(node, home, principal, product, whom, columns, until, purpose, why)
    waiting = home.agreements.requests("waiting")
    for one in waiting:
        if (one.product, one.whom, one.columns, one.purpose, one.by) == (
            product, whom, terms.columns, purpose, principal.id
        ):  # fmt: skip
            return one
    if len(waiting) >= _MOST_WAITING:
        raise BadTerms(
            f"{_MOST_WAITING} requests wait in {product.domain} already", mend="ask again when some are done"
        )
    with home.change() as change:
        id = home.agreements.put_request(
            change.connection,
            product=product,
            whom=whom,
            columns=terms.columns,
            purpose=purpose,
            until=until,
            why=terms.why,
            by=principal.id,
        )
        _told(node, home, change, "access.requested", principal, product, terms, request=id)
    return _request(home, id)


def approve(
    node: Node,
    principal: Principal,
    id: str,
    *,
    note: str | None = None,
    until: datetime | None = None,
    columns: Collection[str] | None = None,
) -> tuple[AccessRequest, Grant]:
    """Approve a request, whole or for less; the grant holds at once. Raises `OwnRequest`, `AlreadyDecided`."""
    home, asked = request_to_decide(node, principal, id)
    home_of_published(node, principal, asked.product)
    until = asked.until if until is None else until
    if until > asked.until:
        raise BadTerms("an approval cannot end later than was asked for", mend=f"at most {asked.until.date()}")
    wanted: Collection[str] | None = asked.columns if columns is None else columns
    if columns is not None:
        check_no_more(home, asked.product, asked.columns, columns)
    terms = agreed(node, home, principal, asked.product, asked.whom, wanted, until, asked.purpose, asked.why)
    with home.change() as change:
        given = _give(node, home, change, principal, asked.product, terms, asked.id)
        decided = home.agreements.decide_request(change.connection, id, "approved", principal.id, note, given.id)
        if not decided:
            raise AlreadyDecided(f"{id} was decided by somebody else just now", mend="hanse access list")
        _told(node, home, change, "access.approved", principal, asked.product, terms, request=id, grant=given.id)
    return _request(home, id), given


def refuse(node: Node, principal: Principal, id: str, *, why: str) -> AccessRequest:
    """Refuse a request; who asked reads why."""
    home, asked = request_to_decide(node, principal, id)
    why = reason(why)
    with home.change() as change:
        if not home.agreements.decide_request(change.connection, id, "refused", principal.id, why, None):
            raise AlreadyDecided(f"{id} was decided by somebody else just now", mend="hanse access list")
        terms = Terms(asked.whom, asked.columns, asked.until, asked.purpose, why)
        _told(node, home, change, "access.refused", principal, asked.product, terms, request=id)
    return _request(home, id)


def grant(
    node: Node,
    principal: Principal,
    product: ProductId,
    *,
    to: str,
    columns: Collection[str] | None = None,
    until: datetime,
    purpose: str | None = None,
    why: str,
) -> Grant:
    """Grant access unasked, as an owner of the domain; not to oneself, a team of one's own, or a product one builds."""
    home = home_of_published(node, principal, product)
    require(node, home, principal, Action.ADMINISTER, product)
    check_not_own(node, principal, to)
    terms = agreed(node, home, principal, product, to, columns, until, purpose, why)
    with home.change() as change:
        given = _give(node, home, change, principal, product, terms, None)
        _told(node, home, change, "access.granted", principal, product, terms, grant=given.id)
    return given


def revoke(node: Node, principal: Principal, id: str, *, why: str) -> Grant:
    """End a grant now: owners and stewards any, its holder their own. A revoked grant stays so."""
    home, held = grant_of(node, principal, id)
    if held.to != principal.id:
        require(node, home, principal, Action.APPROVE, held.product)
    if held.revoked_at is not None:
        return held
    ended = replace(held, revoked_at=node.clock())
    with home.change() as change:
        home.agreements.change_grant(change.connection, ended, agreements.sign(ended, home.key))
        terms = Terms(held.to, columns_of(held), held.until, purpose_of(held), reason(why))
        _told(node, home, change, "access.revoked", principal, held.product, terms, grant=id)
    for facts in home.facts(held.product):
        # copies hold nothing that a decision no longer shows, but nobody may need them now
        node.engine.drop_copies(home.copies, facts.id)
    return ended


def renew(node: Node, principal: Principal, id: str, *, until: datetime, why: str) -> Grant | AccessRequest:
    """Give a grant a later end, as who may approve; anybody else it is for asks for the same terms anew."""
    home, held = grant_of(node, principal, id)
    if held.revoked_at is not None:
        raise AlreadyDecided(f"{id} was revoked", mend=f'hanse access request {held.product} --why "…"')
    purpose = purpose_of(held)
    columns = ALL if held.columns is None and is_high(home, held) else columns_of(held)
    if not allowed(node, home, principal, Action.APPROVE, held.product)[0] or is_own(principal, held.to):
        return request(
            node, principal, held.product, to=held.to, columns=columns, until=until, purpose=purpose, why=why
        )
    terms = agreed(node, home, principal, held.product, held.to, columns, until, purpose, why)
    # the reach stays what was agreed on: only the end moves
    later = replace(held, until=until)
    with home.change() as change:
        home.agreements.change_grant(change.connection, later, agreements.sign(later, home.key))
        _told(node, home, change, "access.renewed", principal, held.product, terms, grant=id)
    return later


def listed(node: Node, principal: Principal) -> Listing:
    """The requests and grants that `principal` made, holds, or has to decide on; newest requests last."""
    requests: list[tuple[AccessRequest, bool]] = []
    grants: list[Grant] = []
    for home in node.homes.values():
        may, _ = allowed(node, home, principal, Action.APPROVE)
        # who may decide sees what waits, whatever the scope of the token at hand
        sees = may or allowed(node, home, replace(principal, scopes=ALL_SCOPES), Action.APPROVE)[0]
        for one in home.agreements.requests():
            own = one.by == principal.id or holds(principal, one.whom)
            if sees or own:
                decides = may and one.status == "waiting" and one.by != principal.id
                requests.append((one, decides and not is_own(principal, one.whom)))
        grants += [one for one in home.agreements.grants() if sees or holds(principal, one.to)]
    return Listing(tuple(requests), tuple(grants), node.clock())


def _give(
    node: Node,
    home: Home,
    change: Recorded,
    principal: Principal,
    product: ProductId,
    terms: Terms,
    request: str | None,
) -> Grant:
    named = terms.columns is not None and terms.columns != ALL
    given = Grant(
        id=home.agreements.next_grant_id(change.connection),
        product=product,
        to=terms.whom,
        columns=frozenset(terms.columns or ()) if named else None,
        ceiling=None if named else ceiling(home, product, whole=terms.columns == ALL),
        purposes=frozenset({terms.purpose} if terms.purpose else ()),
        since=node.clock(),
        until=terms.until,
        by=principal.id,
        why=terms.why,
    )
    home.agreements.put_grant(change.connection, given, agreements.sign(given, home.key), request)
    return given


def _request(home: Home, id: str) -> AccessRequest:
    found = home.agreements.request(id)
    assert found is not None
    return found


def _told(
    node: Node,
    home: Home,
    change: Recorded,
    name: str,
    principal: Principal,
    product: ProductId,
    terms: Terms,
    **ids: str,
) -> None:
    """Say what happened in the audit and in the outbox, in the transaction in which it happens."""
    said = {
        "to": terms.whom,
        "columns": None if terms.columns is None else list(terms.columns),
        "until": terms.until.isoformat(),
        "purpose": terms.purpose,
        **ids,
    }
    change.append(
        {
            "act": name,
            "at": node.clock().isoformat(),
            "principal": principal.id,
            "teams": sorted(principal.teams),
            "product": str(product),
            "why": terms.why,
            "outcome": "done",
            **said,
        }
    )
    home.store.tell(change.connection, name, product, {**said, "by": principal.id})
