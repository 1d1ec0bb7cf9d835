"""Plan and publish on a small world, as its owners."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hanse.errors import Finding
from hanse.governance.decision import Principal, Request
from hanse.names import ProductId
from hanse.node.steps.plan import Plan, plan
from hanse.node.steps.publish import PublishReport, publish
from hanse.spec.model import Project
from hanse.spec.project import project
from tests.steps.world import NOON, World, person

OWNER_SALES = person("owner_sales", "sales")
OWNER_GROWTH = person("owner_growth", "growth")
STRANGER = replace(person("stranger", ""), teams=frozenset[str]())
ORDERS = ProductId("sales", "orders")
BASKETS = ProductId("growth", "baskets")
SCORES = ProductId("growth", "scores")


def read(world: World) -> tuple[Project, list[Finding]]:
    """The project on disk, with its findings."""
    suffixes = (".yaml", ".sql", ".py", ".cedar")
    files = {
        path.relative_to(world.root).as_posix(): path.read_text()
        for path in world.root.rglob("*")
        if path.is_file() and path.suffix in suffixes and ".hanse" not in path.parts
    }
    return project(files)


def planned(world: World, by: Principal = OWNER_SALES, **options: Any) -> Plan:
    found, findings = read(world)
    return plan(world.node, found, findings, principal=by, **options)


def published(world: World, *products: ProductId, by: Principal = OWNER_SALES, **options: Any) -> PublishReport:
    """Plan the whole project and publish `products` of it."""
    allow = options.get("allow_breaking", ())
    return publish(world.node, planned(world, by, allow_breaking=allow).id, principal=by, only=products, **options)


def ask(by: Principal) -> Request:
    return Request(by, NOON)


def edit(world: World, path: str, old: str, new: str) -> None:
    text = (world.root / path).read_text()
    assert old in text, f"{path} holds no {old!r}"
    world.write(path, text.replace(old, new))
