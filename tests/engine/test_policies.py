"""Publish policies as they run: each of the starter pack for both verdicts, and what a policy may not do."""

from __future__ import annotations

import pytest

from hanse.engine.policies import check, violations
from hanse.errors import Severity
from hanse.governance.publish_policies import PublishPolicy, starter_policies
from tests.governance import catalogue

STARTER = {policy.name: policy for policy in starter_policies()}
PRODUCT, CONTRACT = catalogue.PRODUCT, catalogue.CONTRACT
OPEN = PRODUCT.replace("value: request", "value: open")
NO_SUPPORT = PRODUCT.replace("support:\n  - channel: help\n    url: https://help.sales.example\n", "")
NO_LICENSE = CONTRACT.partition("customProperties:")[0]


def own(sql: str, severity: str = "block") -> PublishPolicy:
    return PublishPolicy("own", severity, "what it wants", sql, "policies/publish/own.sql", 4)


def test_a_good_product_violates_nothing_of_the_starter_pack() -> None:
    assert violations(starter_policies(), catalogue.rows()) == []


@pytest.mark.parametrize(
    ("name", "product", "contract", "masks", "count", "place"),
    [
        ("owner-and-support", NO_SUPPORT, CONTRACT, catalogue.MASKS, 1, "orders.odps.yaml"),
        (
            "purpose-described",
            PRODUCT.replace("  purpose: Every order that a customer placed.", "  usage: x"),
            CONTRACT,
            catalogue.MASKS,
            1,
            "orders.odps.yaml",
        ),
        (
            "columns-described",
            PRODUCT,
            CONTRACT.replace("        description: Where the receipt goes.\n", "").replace(
                "    description: One row an order.\n", ""
            ),
            catalogue.MASKS,
            2,
            "orders.v1.odcs.yaml",
        ),
        (
            "columns-classified",
            PRODUCT,
            CONTRACT.replace("        classification: public\n", ""),
            catalogue.MASKS,
            1,
            "orders.v1.odcs.yaml",
        ),
        ("sensitive-masked", PRODUCT, CONTRACT, "", 1, "orders.v1.odcs.yaml"),
        (
            "primary-key-stated",
            PRODUCT,
            CONTRACT.replace("        primaryKey: true\n        primaryKeyPosition: 1\n", ""),
            catalogue.MASKS,
            1,
            "orders.v1.odcs.yaml",
        ),
        (
            "freshness-promised",
            PRODUCT,
            CONTRACT.replace("property: frequency", "property: retention"),
            catalogue.MASKS,
            1,
            "orders.v1.odcs.yaml",
        ),
        ("license-stated", PRODUCT, NO_LICENSE, catalogue.MASKS, 1, "orders.v1.odcs.yaml"),
        ("open-up-to-internal", OPEN, CONTRACT, catalogue.MASKS, 1, "orders.v1.odcs.yaml"),
    ],
)
def test_each_starter_policy_finds_what_it_is_for(
    name: str, product: str, contract: str, masks: str, count: int, place: str
) -> None:
    policy = STARTER[name]
    assert violations([policy], catalogue.rows()) == []
    found = violations([policy], catalogue.rows(product, contract, masks=masks))
    assert len(found) == count
    for violation in found:
        assert violation.product == "sales/orders"
        assert violation.place.file == f"sales/orders/{place}"
        finding = violation.finding
        assert finding.code == "policy.violated"
        assert finding.severity is (Severity.ERROR if policy.severity == "block" else Severity.WARNING)
        assert policy.name in finding.why


def test_every_starter_policy_is_tested_for_both_verdicts() -> None:
    tested = {mark.args[1][row][0] for mark in test_each_starter_policy_finds_what_it_is_for.pytestmark  # type: ignore[attr-defined]
              for row in range(len(mark.args[1]))}  # fmt: skip
    assert tested == STARTER.keys()


def test_an_owner_that_nobody_names_is_told() -> None:
    rows = dict(catalogue.rows())
    nobody = list(rows["products"][0])
    nobody[11] = None
    (found,) = violations([STARTER["owner-and-support"]], {**rows, "products": [tuple(nobody)]})
    assert "no owner" in found.message


def test_an_open_product_without_sensitive_columns_is_fine() -> None:
    calm = CONTRACT.replace("classification: restricted", "classification: internal")
    assert violations([STARTER["open-up-to-internal"]], catalogue.rows(OPEN, calm)) == []


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("delete from catalog.products", ""),
        ("select 1; select 2", ""),
        ("select product from", ""),
        ("copy catalog.products to 'x.csv'", ""),
        ("attach 'x.db'", ""),
        ("select * from read_csv('/etc/passwd')", ""),
        ("select * from '/etc/passwd'", ""),
        ("select getenv('HOME') as message, '' as product, '' as place", ""),
        ("select * from duckdb_settings()", ""),
        ("select * from catalog.product", "catalog.products"),
        ("select * from products", ""),
        ("select * from sales.orders", ""),
        ("select repeat('x', 2000000000) as message, '' as product, '' as place", "repeat"),
        ("describe catalog.products", "SELECT"),
    ],
)
def test_a_policy_that_is_no_select_over_the_catalogue_is_refused_and_blocks(sql: str, told: str) -> None:
    policy = own(sql, "warn")
    faults = check(policy)
    assert faults
    assert {fault.code for fault in faults} == {"policy.bad-publish-policy"}
    assert any(told in fault.message + fault.mend for fault in faults)
    found = violations([policy], catalogue.rows())
    assert found
    assert all(violation.blocks for violation in found)
    assert found[0].place.file == "policies/publish/own.sql"


def test_a_policy_that_returns_other_columns_or_fails_is_told_and_the_next_one_still_runs() -> None:
    odd, failing = own("select product from catalog.products"), own(
        "select product, place, cast(title as integer)::varchar as message from catalog.products"
    )  # fmt: skip
    found = violations([odd, failing, STARTER["license-stated"]], catalogue.rows(PRODUCT, NO_LICENSE))
    assert [violation.code for violation in found] == [
        "policy.bad-publish-policy", "policy.bad-publish-policy", "policy.violated",
    ]  # fmt: skip
    assert "no column place" in found[0].message
    assert "fails" in found[1].message


def test_a_policy_that_takes_too_long_is_stopped() -> None:
    crossed = ", ".join(f"catalog.columns as c{i}" for i in range(6))
    rows = dict(catalogue.rows())
    slow = own(f"select c0.product, c0.place, count(*)::varchar as message from {crossed} group by all")
    (found,) = violations([slow], {**rows, "columns": rows["columns"] * 60}, seconds=0.2)
    assert "longer than 0.2 seconds" in found.message
    more = violations([slow, slow, slow], {**rows, "columns": rows["columns"] * 60}, seconds=0.2)
    assert ["was not run" in one.message for one in more] == [False, True, True]
    assert all(one.blocks for one in more)


def test_a_place_that_is_none_falls_back_to_the_policys_own() -> None:
    (found,) = violations(
        [own("select product, null as place, 'x' as message from catalog.products")], catalogue.rows()
    )
    assert str(found.place) == "policies/publish/own.sql:4:1"
