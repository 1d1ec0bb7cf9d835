"""clean: forget former publications beyond `keep`, and delete the files that nothing names any more."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hanse.governance.decision import Action, Principal
from hanse.names import ProductId
from hanse.node.permission import allowed, require
from hanse.node.publications import NotPublished
from hanse.node.upkeep import Cleaned
from hanse.node.upkeep import clean as clean_home

if TYPE_CHECKING:
    from hanse.node.node import Node


@dataclass(frozen=True, slots=True)
class CleanReport:
    """What a cleaning did in each home, or would do."""

    dry_run: bool
    homes: tuple[Cleaned, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "hanse.clean/1",
            "dry_run": self.dry_run,
            "homes": [
                {
                    "domain": one.domain,
                    "forgotten": {str(product): list(found) for product, found in sorted(one.forgotten.items())},
                    "files": one.files,
                    "bytes": one.size,
                    "snapshots": one.snapshots,
                    "waiting": one.waiting,
                    "kept_bytes": one.kept_size,
                }
                for one in self.homes
            ],
        }


def clean(
    node: Node,
    products: Collection[ProductId] = (),
    *,
    principal: Principal,
    dry_run: bool = False,
    cancelled: threading.Event | None = None,
) -> CleanReport:
    """Clean the homes of `products`, forgetting publications of those only; without any every home that one may.

    Raises `NotPermitted`, `NotPublished`; blocks, so call it from a thread of its own.
    """
    domains = sorted({one.domain for one in products}) if products else _own(node, principal)
    for domain in domains:
        home = node.find(domain)
        if home is None:
            raise NotPublished(f"no domain {domain!r} is served here", mend="hanse status lists what is")
        require(node, home, principal, Action.ADMINISTER)
        for product in products:
            if product.domain == domain and product not in home.store.products():
                raise NotPublished(f"{product} is not published", mend="hanse status lists what is")
    grace = timedelta(hours=node.settings.stage_grace_hours)
    done = [
        clean_home(
            node.homes[domain],
            grace,
            by=principal.id,
            products=products or None,
            dry_run=dry_run,
            cancelled=cancelled,
        )
        for domain in domains
    ]
    return CleanReport(dry_run, tuple(one for one in done if one is not None))


def _own(node: Node, principal: Principal) -> Sequence[str]:
    """The domains that `principal` may clean; all of them for somebody who may none, who is then refused by name."""
    mine = [name for name, home in node.homes.items() if allowed(node, home, principal, Action.ADMINISTER)[0]]
    return sorted(mine or node.homes)
