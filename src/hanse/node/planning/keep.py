"""What is kept of a plan: itself with its files, for its publication, and its products as principals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hanse.governance.decision import Action, Principal
from hanse.names import ProductId
from hanse.node.permission import allowed
from hanse.node.planning.value import Plan
from hanse.spec.model import Project

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.node import Node


def keep(node: Node, project: Project, made: Plan, principal: Principal, chosen: Sequence[ProductId]) -> Iterable[str]:
    """Keep the plan where its maker may publish, and accept its products as principals."""
    body = {**made.as_json(), "seconds": 0}
    for domain in sorted({*(product.domain for product in chosen), *(change.domain for change in made.policies)}):
        home = node.homes[domain]
        mine = [product for product in chosen if product.domain == domain and product in project.products]
        if not allowed(node, home, principal, Action.PUBLISH, project=project)[0]:
            know(node, home, project, principal, mine)
            continue
        bundle = home.store.put_texts(dict(project.files))
        with home.audit.transaction() as change:
            home.store.put_plan(made.id, bundle, body, principal.id, change.connection)
        know(node, home, project, principal, mine)
        yield domain


def know(node: Node, home: Home, project: Project, principal: Principal, products: Sequence[ProductId]) -> None:
    """Accept products as principals: those of a publisher, and those whose descriptor lies so on the node's disk."""
    known = home.store.products()
    publisher = allowed(node, home, principal, Action.PUBLISH, project=project)[0]
    new = [
        product
        for product in products
        if product in project.products
        and (product not in known or known[product].document_id != project.products[product].product.document_id)
        and (publisher or (product not in known and _on_disk(node, project, product)))
    ]
    if not new:
        return
    with home.audit.transaction() as change:
        for product in new:
            described = project.products[product].product
            home.store.know(change.connection, product, described.document_id, "proposed")
            change.append(
                {
                    "act": "plan",
                    "at": node.clock().isoformat(),
                    "principal": principal.id,
                    "product": str(product),
                    "outcome": "accepted",
                }
            )
            home.store.tell(change.connection, "plan.accepted", product, {"by": principal.id})


def _on_disk(node: Node, project: Project, product: ProductId) -> bool:
    described = project.products[product].product
    file = node.settings.project / described.place.file
    try:
        return file.is_file() and file.read_text(encoding="utf-8") == described.text
    except (OSError, UnicodeDecodeError):
        return False
