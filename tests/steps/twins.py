"""Two meshes that differ in one product only, which a stranger may not discover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hanse.names import ProductId
from tests.steps.mesh_of_two import CSV, KEY, PUBLIC, Column, contract, files, product
from tests.steps.walking import BASKETS, ORDERS, OWNER_GROWTH, OWNER_SALES, SCORES, published
from tests.steps.world import World, opened

HIDDEN = ProductId("growth", "payroll")
# words that nothing else has, words that all have, and words a letter away from what a stranger may know
WORDS = "payroll salary custmer baskts ordrs orders customer growth wages scroe"
_COLUMNS: list[Column] = [
    ("customer", "string", "VARCHAR", KEY.replace("public", "internal")),
    ("custmer_salary", "number", '"DECIMAL(38,2)"', f"{PUBLIC}\ntags: [wages]"),
]


def hidden() -> Mapping[str, str]:
    """The files of the product that is in one of the worlds: closed, made from orders, and read by nobody."""
    described = product("growth", "payroll", inputs=["sales.orders.v1"], access="closed")
    return {
        "growth/payroll/payroll.odps.yaml": described.replace("purpose: payroll of growth.", f"purpose: {WORDS}."),
        "growth/payroll/payroll.v1.odcs.yaml": contract("growth", "payroll", {"payroll": _COLUMNS}),
        "growth/payroll/build.yaml": "tables:\n  payroll: {sql: payroll.sql}\n",
        "growth/payroll/payroll.sql": (
            "SELECT customer, sum(amount) AS custmer_salary FROM sales.orders_v1.orders GROUP BY customer\n"
        ),
    }


@contextmanager
def twins(folder: Path, more: Mapping[str, str] | None = None) -> Iterator[tuple[World, World]]:
    """The world without the hidden product, and the world with it."""
    with ExitStack() as stack:
        worlds = []
        for name, extra in (("without", {}), ("with", hidden())):
            world = stack.enter_context(
                opened(folder / name, {**files(), **(more or {}), **extra}, {"orders.csv": CSV})
            )
            published(world, ORDERS, by=OWNER_SALES)
            published(world, BASKETS, SCORES, *([HIDDEN] if extra else []), by=OWNER_GROWTH)
            worlds.append(world)
        without, with_ = worlds
        assert HIDDEN not in without.node.homes["growth"].published()
        assert HIDDEN in with_.node.homes["growth"].published()
        yield without, with_
