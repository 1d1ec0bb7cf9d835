"""The catalogue: what its tables hold of a product."""

from __future__ import annotations

from typing import Any

import pytest

from hanse.governance.catalog import CATALOG
from hanse.governance.columns import column_facts

from . import catalogue


def named(table: str, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
    names = [name for name, _, _ in CATALOG[table].columns]
    return [dict(zip(names, row, strict=True)) for row in catalogue.rows(*arguments, **options)[table]]


def test_every_table_has_rows_of_its_own_shape() -> None:
    rows = catalogue.rows()
    assert rows.keys() == CATALOG.keys()
    for name, table in CATALOG.items():
        assert rows[name], name
        assert {len(row) for row in rows[name]} == {len(table.columns)}
        assert all(words for _, _, words in table.columns)


def test_a_product_is_told_with_owner_purpose_and_place() -> None:
    (found,) = named("products")
    assert found["product"] == "sales/orders"
    assert (found["owner"], found["support"], found["access"]) == ("kontor", "https://help.sales.example", "request")
    assert found["purpose"] == "Every order that a customer placed."
    assert found["place"].startswith("sales/orders/orders.odps.yaml:")
    assert found["has_readme"]
    assert not found["has_build"]


def test_support_of_the_domain_stands_in_for_the_products_own() -> None:
    text = catalogue.PRODUCT.replace("    url: https://help.sales.example\n", "")
    text = text.replace("support:\n  - channel: help\n", "")
    assert named("products", text)[0]["support"] is None
    assert named("products", text, support="mail")[0]["support"] == "mail"


def test_columns_are_told_with_class_mask_and_place() -> None:
    id_, email = named("columns")
    assert (id_["column_name"], id_["sensitive"], id_["masked"], id_["primary_key"]) == ("id", False, False, 1)
    assert (email["sensitive"], email["masked"], email["level"]) == (True, True, 2)
    assert email["mask_rule"] == "by-hash (policies/masks.yaml:1)"
    assert email["place"] == "sales/orders/orders.v1.odcs.yaml:18:9"
    assert not named("columns", masks="")[1]["masked"]


def test_a_column_without_classification_counts_as_sensitive() -> None:
    text = catalogue.CONTRACT.replace("        classification: public\n", "")
    assert (named("columns", catalogue.PRODUCT, text)[0]["classification"], True) == (
        None,
        named("columns", catalogue.PRODUCT, text)[0]["sensitive"],
    )


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("customProperties:\n  - property: license\n    value: CC0-1.0\n", "CC0-1.0"),
        ("authoritativeDefinitions:\n  - type: license\n    url: https://l.example\n", "https://l.example"),
        ("authoritativeDefinitions:\n  - type: other\n    url: https://l.example\n", None),
        ("", None),
    ],
)
def test_the_licence_is_found_where_it_may_stand(written: str, found: str | None) -> None:
    text = catalogue.CONTRACT.partition("customProperties:")[0] + written
    assert named("ports", catalogue.PRODUCT, text)[0]["license"] == found


def test_owners_lineage_rules_promises_grants_and_policies_are_told() -> None:
    assert {(row["member"], row["role"]) for row in named("owners")} == {("olga", "owner"), ("olga", "steward")}
    assert [(row["input"], row["contract"], row["source_product"]) for row in named("lineage")] == [
        ("customers", "sales.customers.v1", None)
    ]
    assert [(row["rule"], row["column_name"], row["severity"]) for row in named("rules")] == [
        ("filled", "email", "error")
    ]
    assert [(row["property"], row["value"], row["seconds"]) for row in named("service_levels")] == [
        ("frequency", "1", 86_400.0)
    ]
    assert [(row["grant_id"], row["grantee"], row["columns"]) for row in named("grants")] == [
        ("g-1", "team:growth", None)
    ]
    assert {row["kind"] for row in named("policies")} == {"access", "mask"}
    assert {row["scope"] for row in named("policies")} == {"built-in", "federation"}


def test_the_columns_of_a_contract_become_facts_for_decisions() -> None:
    (files,) = catalogue.project().products.values()
    (table,) = files.tables.values()
    assert [(facts.path, facts.classification, facts.tags) for facts in column_facts(table)] == [
        (("id",), "public", frozenset()),
        (("email",), "restricted", {"pii"}),
    ]
