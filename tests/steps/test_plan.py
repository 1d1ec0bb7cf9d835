"""plan: what publish would change and who is touched, as a value that is printed before it acts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hanse.errors import RejectedError, Severity
from hanse.names import ProductId
from hanse.node.planning.value import ProductPlan, lines
from hanse.node.steps import access
from hanse.node.steps.plan import Plan, UnknownSelection
from tests.steps.mesh_of_two import CSV, PUBLIC, contract, files, product
from tests.steps.mesh_of_two import ORDERS as COLUMNS
from tests.steps.walking import (
    BASKETS,
    ORDERS,
    OWNER_GROWTH,
    OWNER_SALES,
    SCORES,
    STRANGER,
    edit,
    planned,
    publish,
    published,
)
from tests.steps.world import World, opened

CONTRACT = "sales/orders/orders.v1.odcs.yaml"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path, files(), {"orders.csv": CSV}) as world:
        yield world


def of(plan: Plan, id: ProductId) -> ProductPlan:
    found = plan.product(id)
    assert found is not None
    return found


def second(world: World, columns: list[tuple[str, str, str, str]], version: str) -> None:
    """Change the contract of orders (and say so in the product) without touching its transform."""
    world.write(CONTRACT, contract("sales", "orders", {"orders": columns}, version=version))
    edit(world, "sales/orders/orders.odps.yaml", "version: 1.0.0", f"version: {version}")


def test_new_products_come_in_build_order_with_what_is_built(world: World) -> None:
    plan = planned(world)
    assert [(one.product, one.state, one.base) for one in plan.products] == [
        (ORDERS, "new", 0),
        (BASKETS, "new", 0),
        (SCORES, "new", 0),
    ]
    assert [one.table for one in of(plan, BASKETS).rebuild] == ["growth.baskets_v1.baskets"]
    assert {change.domain for change in plan.policies} == {"sales"}, "those of growth are told to its own people"
    assert plan.changes


def test_the_id_depends_on_files_bases_and_policies_and_on_nothing_else(world: World) -> None:
    first = planned(world).id
    assert planned(world).id == first
    assert planned(world, OWNER_GROWTH).id == first
    edit(world, "sales/orders/orders.sql", "SELECT id", "SELECT  id")
    changed = planned(world).id
    assert changed != first
    published(world, ORDERS)
    assert planned(world).id != changed
    after = planned(world).id
    access.grant(world.node, OWNER_SALES, ORDERS, to="person:stranger", until=_later(), why="x")
    assert planned(world).id == after, "who reads it is no part of the id"


def _later() -> object:
    from datetime import timedelta

    from tests.steps.world import NOON

    return NOON + timedelta(days=9)


def test_what_is_published_and_as_it_was_is_unchanged(world: World) -> None:
    published(world, ORDERS)
    assert of(planned(world), ORDERS).state == "unchanged"


def test_an_added_column_is_compatible_and_tells_who_is_touched(world: World) -> None:
    published(world, ORDERS)
    published(world, BASKETS, by=OWNER_GROWTH)
    second(world, [*COLUMNS, ("discount", "integer", "BIGINT", PUBLIC)], "1.1.0")
    plan = of(planned(world), ORDERS)
    assert (plan.state, plan.breaking) == ("changed", False)
    (line,) = plan.lines
    assert (line.old, line.new, line.step) == ("1.0.0", "1.1.0", "minor")
    assert [(change.sign, change.column) for change in line.changes] == [("+", "discount")]
    assert {one.who for one in plan.consumers} == {"product:growth/baskets"}
    assert not any(one.touched for one in plan.consumers), "nobody reads a new column"


def test_a_removed_column_under_the_same_major_is_blocked_and_names_its_readers(world: World) -> None:
    published(world, ORDERS)
    published(world, BASKETS, by=OWNER_GROWTH)
    second(world, [column for column in COLUMNS if column[0] != "amount"], "1.1.0")
    plan = planned(world)
    found = of(plan, ORDERS)
    assert (found.state, found.breaking) == ("blocked", True)
    assert "compat.breaking-under-minor" in found.blocked_by
    assert [one.who for one in found.consumers if one.touched] == ["product:growth/baskets"]
    text = "\n".join(lines(plan))
    assert "! sales/orders" in text
    assert "touches 1 of 1 consumers: product:growth/baskets" in text
    allowed = of(planned(world, allow_breaking=[ORDERS]), ORDERS)
    assert allowed.state == "changed"
    assert any(f.code == "compat.breaking-under-minor" and f.severity is Severity.WARNING for f in allowed.findings)


def test_a_changed_contract_without_a_new_version_is_blocked(world: World) -> None:
    published(world, ORDERS)
    edit(world, CONTRACT, "description: C.", "description: Another meaning.")
    assert of(planned(world), ORDERS).state in ("changed", "blocked")
    second(world, [*COLUMNS, ("discount", "integer", "BIGINT", PUBLIC)], "1.0.0")
    assert of(planned(world), ORDERS).state == "blocked"


def test_an_input_that_may_not_be_read_blocks_with_the_command_and_request_files_it(world: World) -> None:
    world.write("sales/orders/orders.odps.yaml", product("sales", "orders", access="request"))
    published(world, ORDERS)
    plan = of(planned(world, OWNER_GROWTH), BASKETS)
    (need,) = plan.needs
    assert plan.state == "blocked"
    assert need.command.startswith("hanse access request sales/orders --for growth/baskets")
    asked = planned(world, OWNER_GROWTH, request_access=True)
    assert asked.requested == ("r-sales-1",)
    assert of(asked, BASKETS).needs[0].request == "r-sales-1"
    assert planned(world, OWNER_GROWTH, request_access=True).requested == (), "it is asked once"
    access.approve(world.node, OWNER_SALES, "r-sales-1")
    assert of(planned(world, OWNER_GROWTH), BASKETS).state == "new"


def test_an_input_that_nobody_offers_is_a_finding_at_its_port(world: World) -> None:
    edit(world, "growth/baskets/baskets.odps.yaml", "sales.orders.v1", "sales.ordres.v1")
    found = of(planned(world), BASKETS)
    assert found.state == "blocked"
    assert any(
        f.code == "ref.unknown-contract" and f.file == "growth/baskets/baskets.odps.yaml" for f in found.findings
    )


def test_a_status_moves_only_as_the_table_says(world: World) -> None:
    published(world, ORDERS)
    edit(world, "sales/orders/orders.odps.yaml", "status: active", "status: retired")
    found = of(planned(world), ORDERS)
    assert found.state == "blocked"
    assert "plan.status-move" in found.blocked_by


def test_a_proposed_product_is_known_and_not_published(world: World) -> None:
    edit(world, "sales/orders/orders.odps.yaml", "status: active", "status: proposed")
    plan = planned(world)
    assert of(plan, ORDERS).state == "proposed"
    assert world.node.homes["sales"].store.products()[ORDERS].status == "proposed"


def test_a_product_without_files_is_told_and_stays(world: World) -> None:
    published(world, ORDERS)
    for path in (world.root / "sales/orders").iterdir():
        path.unlink()
    plan = planned(world)
    assert of(plan, ORDERS).state == "removed"
    assert ORDERS in world.node.homes["sales"].published()


def test_a_broken_descriptor_blocks_its_own_product_only(world: World) -> None:
    edit(world, "growth/scores/scores.odps.yaml", "kind: DataProduct", "kind: Nonsense")
    plan = planned(world)
    assert of(plan, SCORES).state == "blocked"
    assert of(plan, ORDERS).state == "new"


def test_a_publish_policy_of_the_federation_blocks(world: World) -> None:
    policy = (
        "-- policy: every-product-has-tags\n-- severity: block\n-- says: Products are found by their tags.\n"
        "SELECT product, place, 'no tags' AS message FROM catalog.products WHERE len(tags) = 0\n"
    )
    world.write("policies/publish/tags.sql", policy)
    found = of(planned(world), ORDERS)
    assert found.state == "blocked"
    assert any("every-product-has-tags" in f.why for f in found.findings)


def test_a_faulty_policy_blocks_everything_and_never_counts_as_none(world: World) -> None:
    world.write("policies/access/no.cedar", "forbid (principal, action, resource) when { resource.nothing };\n")
    plan = planned(world)
    assert any(finding.code == "policy.bad-access" for finding in plan.findings)
    with pytest.raises(RejectedError):
        publish(world.node, plan.id, principal=OWNER_SALES, only=[ORDERS])


def test_consumers_are_told_only_to_who_may_publish(world: World) -> None:
    published(world, ORDERS)
    published(world, BASKETS, by=OWNER_GROWTH)
    assert of(planned(world), ORDERS).consumers
    assert not of(planned(world, STRANGER), ORDERS).consumers
    assert planned(world, STRANGER).stored == ()


def test_a_plan_tells_a_stranger_nothing_of_a_closed_product(world: World) -> None:
    world.write("sales/orders/orders.odps.yaml", product("sales", "orders", access="closed"))
    published(world, ORDERS)
    assert of(planned(world), ORDERS).state == "unchanged"
    told = of(planned(world, STRANGER), ORDERS)
    assert (told.state, told.base, told.old_status) == ("new", 0, None)
    for path in (world.root / "sales").rglob("*"):
        if path.is_file():
            path.unlink()
    baskets = of(planned(world, OWNER_GROWTH, products=[BASKETS]), BASKETS)
    assert not baskets.needs
    assert "ref.unknown-contract" in baskets.blocked_by


def test_a_selection_is_planned_alone_and_an_unknown_one_gets_the_nearest_name(world: World) -> None:
    assert [one.product for one in planned(world, products=[BASKETS]).products] == [BASKETS]
    with pytest.raises(UnknownSelection) as error:
        planned(world, products=[ProductId("sales", "order")])
    assert error.value.mend == "did you mean sales/orders?"


def test_the_plan_prints_the_same_text_everywhere(world: World) -> None:
    plan = planned(world)
    assert plan.as_json()["text"].splitlines()[-1] == (
        f"Plan {plan.short}: 3 new, 0 changed, 0 blocked, 0 removed. Nothing was published."
    )


def test_files_without_a_change_of_the_contract_are_named_and_a_schedule_makes_nothing_anew(world: World) -> None:
    published(world, ORDERS)
    world.write("sales/orders/README.md", "Orders of customers.\n")
    edit(world, "sales/orders/build.yaml", "tables:", 'schedule: "0 6 * * *"\ntables:')
    made = planned(world).product(ORDERS)
    assert made is not None
    assert [(one.sign, one.path) for one in made.files] == [("~", "sales/orders/build.yaml")]
    assert made.rebuild == ()
    edit(world, "sales/orders/build.yaml", "orders.csv", "others.csv")
    made = planned(world).product(ORDERS)
    assert made is not None
    assert [one.because for one in made.rebuild] == ["build changed"]
