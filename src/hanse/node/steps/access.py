"""access: request → approve or refuse → grant → renew, end, revoke; or granted by the owner unasked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hanse.errors import HanseError, Kind, code
from hanse.governance import grants as agreements
from hanse.governance.decision import Action, Grant, Principal, PrincipalKind
from hanse.governance.decision import Request as Ask
from hanse.names import ProductId, nearest
from hanse.node.home.values import AccessRequest
from hanse.node.permission import NotPermitted, allowed, require

if TYPE_CHECKING:
    from hanse.node.home.audit_writer import Recorded
    from hanse.node.home.home import Home
    from hanse.node.node import Node

MOST_DAYS = 5 * 366
_MOST_WAITING = 1000  # requests that may wait in one home
_LONGEST_WHY = 2000
ALL = ("*",)


class UnknownProduct(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "access.unknown-product",
        Kind.NOT_FOUND,
        "There is no such product to ask for",
        "No product of this name is published here, or none that you may know of: both look alike.",
        "hanse search lists the products that you may discover.",
    )

    def __init__(self, product: ProductId) -> None:
        super().__init__(f"there is no product {product}", mend="hanse search lists them")


class UnknownAgreement(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "access.unknown-id",
        Kind.NOT_FOUND,
        "There is no such request or grant",
        "Requests are called like r-sales-7 and grants like g-sales-3; you see your own and those of your domain.",
        "hanse access list shows them with their ids.",
    )

    def __init__(self, id: str) -> None:
        super().__init__(f"there is no {id[:80]!r}", mend="hanse access list shows the ids")


class BadTerms(HanseError):
    kind = Kind.INVALID
    code = code(
        "access.bad-terms",
        Kind.INVALID,
        "The terms of a request or grant cannot be agreed on",
        "Terms name somebody who exists, columns that the product has, a purpose of mesh.yaml, a day to come, and why.",
        "Mend the term that is named.",
    )


class ClosedProduct(HanseError):
    kind = Kind.DENIED
    code = code(
        "access.closed",
        Kind.DENIED,
        "The product takes no requests",
        "Its owner set access to closed: it is granted unasked or not at all.",
        "Talk to the owner team.",
    )


class OwnRequest(HanseError):
    kind = Kind.DENIED
    code = code(
        "access.own-request",
        Kind.DENIED,
        "Nobody decides on an own request",
        "Who asks and who decides are two persons, also where one has the role for both.",
        "Let another owner or steward of the domain decide.",
    )


class AlreadyDecided(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "access.already-decided",
        Kind.CONFLICT,
        "The request or grant is no longer open to this",
        "A request is decided once, and a revoked grant does not come back.",
        "Ask anew: hanse access request PRODUCT …",
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """What one principal may see of access: requests with whether they may decide, and grants with their state."""

    requests: tuple[tuple[AccessRequest, bool], ...]
    grants: tuple[Grant, ...]
    at: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "hanse.access/1",
            "requests": [{**request_json(one), "decidable": may} for one, may in self.requests],
            "grants": [grant_json(one, self.at) for one in self.grants],
        }


def request_json(one: AccessRequest) -> dict[str, Any]:
    """A request as JSON can say it."""
    return {
        "id": one.id,
        "product": str(one.product),
        "to": one.whom,
        "columns": None if one.columns is None else list(one.columns),
        "purpose": one.purpose,
        "until": one.until.isoformat(),
        "why": one.why,
        "by": one.by,
        "at": one.at.isoformat(),
        "state": one.status,
        "decided_by": one.decided_by,
        "decided_at": None if one.decided_at is None else one.decided_at.isoformat(),
        "note": one.note,
        "grant": one.grant,
    }


def grant_json(one: Grant, at: datetime) -> dict[str, Any]:
    """A grant as JSON can say it, with its state at `at`."""
    revoked = one.revoked_at is not None and one.revoked_at <= at
    return {
        "id": one.id,
        "product": str(one.product),
        "to": one.to,
        "columns": None if one.columns is None else sorted(one.columns),
        "ceiling": one.ceiling,
        "purposes": sorted(one.purposes),
        "since": one.since.isoformat(),
        "until": one.until.isoformat(),
        "revoked_at": None if one.revoked_at is None else one.revoked_at.isoformat(),
        "state": "revoked" if revoked else "live" if agreements.is_live(one, at) else "ended",
        "by": one.by,
        "why": one.why,
    }


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
    home = _published(node, principal, product)
    whom = to or principal.id
    _may_ask_for(node, principal, whom)
    access = home.published()[product].product.access.value
    if access == "closed":
        raise ClosedProduct(f"{product} is closed: it takes no requests", mend="talk to its owner team")
    require(node, home, principal, Action.REQUEST, product, access=access)
    terms = _terms(node, home, principal, product, whom, columns, until, purpose, why)
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
    home, asked = _to_decide(node, principal, id)
    _published(node, principal, asked.product)
    until = asked.until if until is None else until
    if until > asked.until:
        raise BadTerms("an approval cannot end later than was asked for", mend=f"at most {asked.until.date()}")
    wanted: Collection[str] | None = asked.columns if columns is None else columns
    if (
        columns is not None
        and asked.columns is not None
        and asked.columns != ALL
        and not {*columns} <= {*asked.columns}
    ):
        more = sorted({*columns} - {*asked.columns})
        raise BadTerms(f"column {more[0]!r} was not asked for", mend=f"asked for: {', '.join(asked.columns)}")
    terms = _terms(node, home, principal, asked.product, asked.whom, wanted, until, asked.purpose, asked.why)
    with home.change() as change:
        given = _give(node, home, change, principal, asked.product, terms, asked.id)
        decided = home.agreements.decide_request(change.connection, id, "approved", principal.id, note, given.id)
        if not decided:
            raise AlreadyDecided(f"{id} was decided by somebody else just now", mend="hanse access list")
        _told(node, home, change, "access.approved", principal, asked.product, terms, request=id, grant=given.id)
    return _request(home, id), given


def refuse(node: Node, principal: Principal, id: str, *, why: str) -> AccessRequest:
    """Refuse a request; who asked reads why."""
    home, asked = _to_decide(node, principal, id)
    why = _why(why)
    with home.change() as change:
        if not home.agreements.decide_request(change.connection, id, "refused", principal.id, why, None):
            raise AlreadyDecided(f"{id} was decided by somebody else just now", mend="hanse access list")
        terms = _Terms(asked.whom, asked.columns, asked.until, asked.purpose, why)
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
    home = _published(node, principal, product)
    require(node, home, principal, Action.ADMINISTER, product)
    _not_own(node, principal, to)
    terms = _terms(node, home, principal, product, to, columns, until, purpose, why)
    with home.change() as change:
        given = _give(node, home, change, principal, product, terms, None)
        _told(node, home, change, "access.granted", principal, product, terms, grant=given.id)
    return given


def revoke(node: Node, principal: Principal, id: str, *, why: str) -> Grant:
    """End a grant now: owners and stewards any, its holder their own. A revoked grant stays so."""
    home, held = _held(node, principal, id)
    if held.to != principal.id:
        require(node, home, principal, Action.APPROVE, held.product)
    if held.revoked_at is not None:
        return held
    ended = replace(held, revoked_at=node.clock())
    with home.change() as change:
        home.agreements.change_grant(change.connection, ended, agreements.sign(ended, home.key))
        terms = _Terms(held.to, _columns(held), held.until, _purpose(held), _why(why))
        _told(node, home, change, "access.revoked", principal, held.product, terms, grant=id)
    for facts in home.facts(held.product):
        # copies hold nothing that a decision no longer shows, but nobody may need them now
        node.engine.drop_copies(home.copies, facts.id)
    return ended


def renew(node: Node, principal: Principal, id: str, *, until: datetime, why: str) -> Grant | AccessRequest:
    """Give a grant a later end, as who may approve; anybody else it is for asks for the same terms anew."""
    home, held = _held(node, principal, id)
    if held.revoked_at is not None:
        raise AlreadyDecided(f"{id} was revoked", mend=f'hanse access request {held.product} --why "…"')
    purpose = _purpose(held)
    columns = ALL if held.columns is None and _is_high(node, home, held) else _columns(held)
    if not allowed(node, home, principal, Action.APPROVE, held.product)[0] or _is_own(principal, held.to):
        return request(
            node, principal, held.product, to=held.to, columns=columns, until=until, purpose=purpose, why=why
        )
    terms = _terms(node, home, principal, held.product, held.to, columns, until, purpose, why)
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
        sees = may or allowed(node, home, replace(principal, scopes=_ALL_SCOPES), Action.APPROVE)[0]
        for one in home.agreements.requests():
            own = one.by == principal.id or _holds(node, principal, one.whom)
            if sees or own:
                decides = may and one.status == "waiting" and one.by != principal.id
                requests.append((one, decides and not _is_own(principal, one.whom)))
        grants += [one for one in home.agreements.grants() if sees or _holds(node, principal, one.to)]
    return Listing(tuple(requests), tuple(grants), node.clock())


_ALL_SCOPES = frozenset({"read", "build", "administer"})


def deciders(node: Node, product: ProductId) -> str:
    """The team that decides on requests for `product`."""
    domain = node.domain(product.domain)
    return domain.team if domain else product.domain


@dataclass(frozen=True, slots=True)
class _Terms:
    """Checked terms. `columns` None: all that is not sensitive; ("*",): all up to today's highest class."""

    whom: str
    columns: tuple[str, ...] | None
    until: datetime
    purpose: str | None
    why: str


def _published(node: Node, principal: Principal, product: ProductId) -> Home:
    """The home of a published product that `principal` may know of; `UnknownProduct` otherwise."""
    home = node.find(product.domain)
    if home is None or product not in home.published():
        raise UnknownProduct(product)
    ask = Ask(replace(principal, scopes=_ALL_SCOPES), node.clock())
    if (
        not any(facts.product == product for _, facts in node.names.visible(ask))
        and not allowed(node, home, ask.principal, Action.APPROVE, product)[0]
    ):
        raise UnknownProduct(product)
    return home


def _may_ask_for(node: Node, principal: Principal, whom: str) -> None:
    if whom == principal.id or _holds(node, principal, whom):
        return
    kind, _, _ = whom.partition(":")
    if kind == "product":
        if _builds(node, principal, whom):
            return
    elif kind not in ("person", "team"):
        raise BadTerms(f"{whom[:80]!r} is nobody", mend="person:ada, team:growth or product:growth/basket")
    raise NotPermitted(
        f"{principal.id} may not ask for {whom}", mend="ask for yourself, for a team of yours, or for your own product"
    )


def _builds(node: Node, principal: Principal, whom: str) -> bool:
    """Whether the principal has the role to publish the product `whom`; the token's scope does not count."""
    product = ProductId.parse(whom.partition(":")[2])
    home = node.find(product.domain)
    anyhow = replace(principal, scopes=_ALL_SCOPES)
    return home is not None and allowed(node, home, anyhow, Action.PUBLISH, product)[0]


def _holds(node: Node, principal: Principal, whom: str) -> bool:
    """Whether what `whom` holds is the principal's to use."""
    kind, _, name = whom.partition(":")
    return whom == principal.id or (
        kind == "team" and principal.kind is PrincipalKind.PERSON and name in principal.teams
    )


def _is_own(principal: Principal, whom: str) -> bool:
    kind, _, name = whom.partition(":")
    return whom == principal.id or (kind == "team" and name in principal.teams)


def _not_own(node: Node, principal: Principal, whom: str) -> None:
    if _is_own(principal, whom) or (whom.startswith("product:") and _builds(node, principal, whom)):
        raise OwnRequest(f"{principal.id} may not decide for {whom}", mend="let another owner or steward do it")


def _to_decide(node: Node, principal: Principal, id: str) -> tuple[Home, AccessRequest]:
    home = _home_of(node, id, "r")
    asked = home.agreements.request(id) if home else None
    if home is None or asked is None:
        raise UnknownAgreement(id)
    if asked.by == principal.id or _is_own(principal, asked.whom):
        raise OwnRequest(f"{id} is your own request", mend=f"let somebody else of {asked.product.domain} decide")
    may, because = allowed(node, home, principal, Action.APPROVE, asked.product)
    if not may:
        if not allowed(node, home, replace(principal, scopes=_ALL_SCOPES), Action.APPROVE, asked.product)[0]:
            raise UnknownAgreement(id)
        raise NotPermitted(f"{principal.id} may not decide on {id}: {because}", mend="sign in for scope administer")
    if asked.status != "waiting":
        raise AlreadyDecided(f"{id} was {asked.status} by {asked.decided_by}", mend="hanse access list")
    return home, asked


def _held(node: Node, principal: Principal, id: str) -> tuple[Home, Grant]:
    home = _home_of(node, id, "g")
    held = home.agreements.grant(id) if home else None
    if home is None or held is None:
        raise UnknownAgreement(id)
    known = (
        _holds(node, principal, held.to)
        or allowed(node, home, replace(principal, scopes=_ALL_SCOPES), Action.APPROVE, held.product)[0]
    )
    if not known and held.to.startswith("product:"):
        known = _builds(node, principal, held.to)
    if not known:
        raise UnknownAgreement(id)
    return home, held


def _home_of(node: Node, id: str, kind: str) -> Home | None:
    """Ids name their home: r-sales-7."""
    parts = id.split("-")
    return node.find(parts[1]) if len(parts) == 3 and parts[0] == kind and parts[2].isdigit() else None


def _terms(
    node: Node,
    home: Home,
    principal: Principal,
    product: ProductId,
    whom: str,
    columns: Collection[str] | None,
    until: datetime,
    purpose: str | None,
    why: str,
) -> _Terms:
    _exists(node, principal, whom)
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
    return _Terms(whom, _known_columns(home, product, columns), until, purpose, _why(why))


def _why(why: str) -> str:
    why = why.strip()
    if not why or len(why) > _LONGEST_WHY:
        raise BadTerms(f"say why, in 1 to {_LONGEST_WHY} characters", mend='--why "…"')
    return why


def _exists(node: Node, principal: Principal, whom: str) -> None:
    kind, _, name = whom.partition(":")
    known: Mapping[str, Callable[[], Collection[str]]] = {
        "person": lambda: list(node.people),
        "team": lambda: _teams(node),
        "product": lambda: [str(id) for home in node.homes.values() for id in home.store.products()],
    }
    if kind not in known:
        raise BadTerms(f"{whom[:80]!r} is nobody", mend="person:ada, team:growth or product:growth/basket")
    if kind == "product" and node.find(ProductId.parse(name).domain) is None:
        raise BadTerms(f"the domain of {name} is not on this node", mend="name a product of this node")
    names = known[kind]()
    if name not in names:
        # a name is offered to those only who may know of it
        near = nearest(name, _discovered(node, principal) if kind == "product" else names)
        more = " It must have been planned once: hanse plan." if kind == "product" else ""
        raise BadTerms(
            f"there is no {kind} {name[:80]!r}.{more}" if more else f"there is no {kind} {name[:80]!r}",
            mend=f"did you mean {kind}:{near[0]}?" if near else f"name a {kind} that exists",
        )


def _discovered(node: Node, principal: Principal) -> set[str]:
    ask = Ask(replace(principal, scopes=_ALL_SCOPES), node.clock())
    return {str(facts.product) for _, facts in node.names.visible(ask)}


def _teams(node: Node) -> set[str]:
    teams = {team for person in node.people.values() for team in person.teams}
    domains = (node.domain(name) for name in node.homes)
    return teams | {domain.team for domain in domains if domain is not None}


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


def _give(
    node: Node,
    home: Home,
    change: Recorded,
    principal: Principal,
    product: ProductId,
    terms: _Terms,
    request: str | None,
) -> Grant:
    named = terms.columns is not None and terms.columns != ALL
    given = Grant(
        id=home.agreements.next_grant_id(change.connection),
        product=product,
        to=terms.whom,
        columns=frozenset(terms.columns or ()) if named else None,
        ceiling=None if named else _ceiling(home, product, whole=terms.columns == ALL),
        purposes=frozenset({terms.purpose} if terms.purpose else ()),
        since=node.clock(),
        until=terms.until,
        by=principal.id,
        why=terms.why,
    )
    home.agreements.put_grant(change.connection, given, agreements.sign(given, home.key), request)
    return given


def _ceiling(home: Home, product: ProductId, *, whole: bool) -> str:
    """How far a grant of all columns reaches: today's highest class, and not above `internal` unless `whole`."""
    order = home.policies().classifications
    levels = [agreements.level(column.classification, order) for f in home.facts(product) for column in f.columns]
    highest = max(levels, default=0)
    if not whole and "internal" in order:
        highest = min(highest, order.index("internal"))
    return order[highest]


def _is_high(node: Node, home: Home, held: Grant) -> bool:
    return held.ceiling is not None and held.ceiling != _ceiling(home, held.product, whole=False)


def _columns(held: Grant) -> tuple[str, ...] | None:
    return None if held.columns is None else tuple(sorted(held.columns))


def _purpose(held: Grant) -> str | None:
    return next(iter(sorted(held.purposes)), None)


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
    terms: _Terms,
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
