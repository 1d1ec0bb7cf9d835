"""Which former publications a product still keeps, and letting go of the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from hanse.names import ProductId
from hanse.node.home.codec import instant
from hanse.node.home.values import Publication
from hanse.node.outbox import deliver
from hanse.spec.keep import Keep, keep

if TYPE_CHECKING:
    from hanse.node.home.home import Home

BY_ITSELF = "node"  # who acts when a serving node cleans on its own


def kept(home: Home, product: ProductId, current: Publication) -> Keep:
    """What the product's build.yaml says as published, over what its domain says."""
    from hanse.spec import document

    team = home.team
    default = keep(team.raw.get("keep")) if team is not None else Keep()
    texts = home.store.texts(current.bundle) or {}
    path = next((path for path in sorted(texts) if path.rpartition("/")[2] == "build.yaml"), None)
    loaded = None if path is None else document.load(texts[path], path)[0]
    tree = None if loaded is None else loaded.tree
    return keep(tree.get("keep"), default) if isinstance(tree, dict) else default


def beyond(history: Sequence[Publication], current: int, keep: Keep, now: datetime) -> list[Publication]:
    """The publications of `history` (oldest first) that `keep` lets go: never the current one."""
    if keep.days is None:
        return []
    before = now - timedelta(days=keep.days)
    # served until the next one came: whoever asks for a moment within the days still gets an answer
    until = {one.sequence: following.at for one, following in pairwise(history)}
    newest = {one.sequence for one in history[-keep.at_least :]}
    return [
        one
        for one in history
        if one.sequence != current
        and one.sequence not in newest
        and one.forgotten_at is None
        and until.get(one.sequence, now) < before
    ]


def forgettable(home: Home) -> dict[ProductId, list[Publication]]:
    """What may be forgotten now, by product; call it while no publish goes on (`publications.held`)."""
    found = {}
    for product, current in sorted(home.store.current().items()):
        history = home.store.publications(product)
        gone = beyond(history, current.sequence, kept(home, product, current), home.clock())
        if gone:
            found[product] = gone
    return found


def forget(home: Home, gone: dict[ProductId, list[Publication]], by: str) -> None:
    """Let go of publications: with an entry in the audit and an event, in one transaction a product."""
    for product, publications in gone.items():
        sequences = [one.sequence for one in publications]
        said = {"publications": sequences, "by": by}
        with home.change() as change:
            home.store.forget(change.connection, product, sequences)
            home.store.tell(change.connection, "product.cleaned", product, said)
            change.append(
                {
                    "act": "product.cleaned",
                    "at": instant(home.clock()),
                    "principal": by,
                    "product": str(product),
                    "outcome": "done",
                    "publications": sequences,
                }
            )
    if gone:
        deliver(home)
