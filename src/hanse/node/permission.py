"""Who may act in a domain: the roles and the team of its own domain.yaml as published, asked of its policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hanse.errors import HanseError, Kind, code
from hanse.governance.decide import permits
from hanse.governance.decision import Action, Principal
from hanse.names import ProductId

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.node import Node
    from hanse.spec.model import Domain, Project


class NotPermitted(HanseError):
    kind = Kind.DENIED
    code = code(
        "access.not-permitted",
        Kind.DENIED,
        "You may not do this in the domain",
        "A domain's owners, stewards, builders and auditors act in it, as its domain.yaml says, and no forbid of the "
        "federation may stand against it. The token's scope must reach as far: read < build < administer.",
        "Ask somebody of the owner team, or sign in for the scope that is named.",
    )


def governing(node: Node, domain: str, project: Project | None = None) -> Domain | None:
    """The domain.yaml that says who may act: the published one, else the one on the node's disk, else `project`'s.

    Whoever sends files cannot make themselves an owner with them: once it is known here, only its owners change it.
    """
    known = node.domain(domain)
    return known if known is not None or project is None else project.domains.get(domain)


def allowed(
    node: Node,
    home: Home,
    principal: Principal,
    action: Action,
    product: ProductId | None = None,
    *,
    access: str = "",
    project: Project | None = None,
) -> tuple[bool, str]:
    """Whether `principal` may do `action` on `product` (None: in the domain), and why."""
    domain = governing(node, home.domain, project)
    members: Mapping[str, tuple[str, ...]] = domain.members if domain else {}
    return permits(
        principal,
        action,
        domain=home.domain,
        product=product.name if product else None,
        owner_team=domain.team if domain else "",
        access=access,
        roles=members.get(principal.name, ()) if principal.kind.value == "person" else (),
        policies=home.policies(),
        at=home.clock(),
    )


def require(
    node: Node,
    home: Home,
    principal: Principal,
    action: Action,
    product: ProductId | None = None,
    *,
    access: str = "",
    project: Project | None = None,
) -> None:
    """Raise `NotPermitted` unless `principal` may do `action`."""
    may, because = allowed(node, home, principal, action, product, access=access, project=project)
    if not may:
        what = f"{product}" if product else f"the domain {home.domain}"
        raise NotPermitted(
            f"{principal.id} may not {action.value} {what}: {because}", mend=f"ask an owner of {home.domain}"
        )
