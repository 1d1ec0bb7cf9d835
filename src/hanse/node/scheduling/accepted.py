"""The descriptors that were accepted: a product's own files as published, with the documents that govern its domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from hanse.errors import Finding
from hanse.node.home.values import Published
from hanse.spec.model import Project
from hanse.spec.schedule import Schedule

if TYPE_CHECKING:
    from hanse.names import ProductId
    from hanse.node.home.home import Home
    from hanse.node.home.store import Store


def accepted(home: Home, published: Published) -> tuple[Project, list[Finding]]:
    """The project of one published product, as its current publication and the policies in effect have it."""
    from hanse.spec.project import project

    files = dict(home.store.texts(published.bundle) or {})
    governing = home.governance().files
    whole = f"{home.domain}/{published.product.id.name}/"
    if any(path.startswith(whole) for path in files):
        files |= governing
    else:  # published from the domain's own repository: its domain.yaml lies at the top
        own = f"{home.domain}/"
        files |= {path.removeprefix(own): text for path, text in governing.items() if path.startswith(own)}
    return project(files)


def schedules(home: Home) -> Iterable[tuple[ProductId, Published, Schedule]]:
    """Every published product of a home that has a schedule."""
    for product, published in home.published().items():
        if (when := _schedule(home.store, published.bundle)) is not None:
            yield product, published, when


@lru_cache(maxsize=16384)
def _schedule(store: Store, bundle: str) -> Schedule | None:
    """What the build.yaml of a bundle schedules; bundles never change."""
    from hanse.spec import document
    from hanse.spec.schedule import schedule

    for path, text in (store.texts(bundle) or {}).items():
        if path.rpartition("/")[2] == "build.yaml" and "schedule" in text:
            loaded, _ = document.load(text, path)
            tree = None if loaded is None else loaded.tree
            if isinstance(tree, Mapping):
                return schedule(tree.get("schedule"))
    return None
