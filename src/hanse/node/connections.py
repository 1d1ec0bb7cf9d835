"""Who may use which connection of a domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanse.governance.decision import Action, Principal
from hanse.names import ProductId
from hanse.node.permission import require
from hanse.node.sources import connections
from hanse.node.variables import names_in
from hanse.spec.model import Project

if TYPE_CHECKING:
    from hanse.node.home import Home
    from hanse.node.node import Node


def require_connections(node: Node, home: Home, principal: Principal, project: Project, product: ProductId) -> None:
    """Raise `NotPermitted` when a source of `product` sends the domain's values where no owner sends them.

    Files that somebody sends may hold a connection that nobody published, or a source that uses a value itself.
    """
    build = project.products[product].build
    for name in sorted({str(one.options.get("connection", "")) for one in (build.sources if build else ())} - {""}):
        require_connection(node, home, principal, project, name)
    if build is not None and any(names_in(one.options) for one in build.sources):
        published = home.published().get(product)
        known = home.store.texts(published.bundle) if published is not None and published.bundle else None
        if (known or {}).get(build.place.file) != build.text:
            require(node, home, principal, Action.ADMINISTER, project=project)


def require_connection(node: Node, home: Home, principal: Principal, project: Project | None, name: str) -> None:
    """Raise `NotPermitted` when the connection `name` is not the published one and `principal` is no owner."""
    published = connections(home.team).get(name)
    sent = connections(project.domains.get(home.domain) if project is not None else node.domain(home.domain)).get(name)
    if sent is not None and sent != published:
        require(node, home, principal, Action.ADMINISTER, project=project)
