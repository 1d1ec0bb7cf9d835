"""Who may ask, hold and decide."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from hanse.governance.decision import Action, Grant, Principal, PrincipalKind
from hanse.governance.decision import Request as Ask
from hanse.names import ProductId, nearest
from hanse.node.access.errors import AlreadyDecided, BadTerms, OwnRequest, UnknownAgreement, UnknownProduct
from hanse.node.catalog import PRODUCT as CATALOGUE
from hanse.node.home.values import AccessRequest
from hanse.node.permission import NotPermitted, allowed

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.node import Node

ALL_SCOPES = frozenset({"read", "build", "administer"})


def deciders(node: Node, product: ProductId) -> str:
    """The team that decides on requests for `product`."""
    domain = node.domain(product.domain)
    return domain.team if domain else product.domain


def home_of_published(node: Node, principal: Principal, product: ProductId) -> Home:
    """The home of a published product that `principal` may know of; `UnknownProduct` otherwise."""
    if product == CATALOGUE:
        raise BadTerms(
            f"{product} is open: it shows everybody what they may know of", mend="read it: no grant is needed"
        )
    home = node.find(product.domain)
    ask = Ask(replace(principal, scopes=ALL_SCOPES), node.clock())
    visible = {facts.product for _, facts in node.names.visible(ask)}
    if home is None or product not in home.published():
        raise UnknownProduct(product, visible)
    if product not in visible and not allowed(node, home, ask.principal, Action.APPROVE, product)[0]:
        raise UnknownProduct(product, visible)
    return home


def check_may_ask_for(node: Node, principal: Principal, whom: str) -> None:
    if whom == principal.id or holds(principal, whom):
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
    anyhow = replace(principal, scopes=ALL_SCOPES)
    return home is not None and allowed(node, home, anyhow, Action.PUBLISH, product)[0]


def holds(principal: Principal, whom: str) -> bool:
    """Whether what `whom` holds is the principal's to use."""
    kind, _, name = whom.partition(":")
    return whom == principal.id or (
        kind == "team" and principal.kind is PrincipalKind.PERSON and name in principal.teams
    )


def is_own(principal: Principal, whom: str) -> bool:
    kind, _, name = whom.partition(":")
    return whom == principal.id or (kind == "team" and name in principal.teams)


def check_not_own(node: Node, principal: Principal, whom: str) -> None:
    if is_own(principal, whom) or (whom.startswith("product:") and _builds(node, principal, whom)):
        raise OwnRequest(f"{principal.id} may not decide for {whom}", mend="let another owner or steward do it")


def request_to_decide(node: Node, principal: Principal, id: str) -> tuple[Home, AccessRequest]:
    home = _home_of(node, id, "r")
    asked = home.agreements.request(id) if home else None
    if home is None or asked is None:
        raise UnknownAgreement(id)
    if asked.by == principal.id or is_own(principal, asked.whom):
        raise OwnRequest(f"{id} is your own request", mend=f"let somebody else of {asked.product.domain} decide")
    may, because = allowed(node, home, principal, Action.APPROVE, asked.product)
    if not may:
        if not allowed(node, home, replace(principal, scopes=ALL_SCOPES), Action.APPROVE, asked.product)[0]:
            raise UnknownAgreement(id)
        raise NotPermitted(f"{principal.id} may not decide on {id}: {because}", mend="sign in for scope administer")
    if asked.status != "waiting":
        raise AlreadyDecided(f"{id} was {asked.status} by {asked.decided_by}", mend="hanse access list")
    return home, asked


def grant_of(node: Node, principal: Principal, id: str) -> tuple[Home, Grant]:
    home = _home_of(node, id, "g")
    held = home.agreements.grant(id) if home else None
    if home is None or held is None:
        raise UnknownAgreement(id)
    known = (
        holds(principal, held.to)
        or allowed(node, home, replace(principal, scopes=ALL_SCOPES), Action.APPROVE, held.product)[0]
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


def check_exists(node: Node, principal: Principal, whom: str) -> None:
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
    ask = Ask(replace(principal, scopes=ALL_SCOPES), node.clock())
    return {str(facts.product) for _, facts in node.names.visible(ask)}


def _teams(node: Node) -> set[str]:
    teams = {team for person in node.people.values() for team in person.teams}
    domains = (node.domain(name) for name in node.homes)
    return teams | {domain.team for domain in domains if domain is not None}
