"""Classification follows lineage, and what is unknown inherits the strictest."""

from __future__ import annotations

from collections.abc import Mapping

from hanse.node.builds.inherited import inherited_classes
from hanse.spec.lineage import Lineage

ORDER = ("public", "internal", "restricted")
ORDERS, SOURCE = ("s", "o_v1", "o"), ("raw",)
CLASSES: Mapping[tuple[str, ...], Mapping[str, str | None]] = {
    ORDERS: {"id": "public", "Email": "restricted", "odd": None, "name": "internal"}
}


def least(origins: frozenset[tuple[tuple[str, ...], str]] | None) -> str | None:
    lineage = Lineage(frozenset({ORDERS, SOURCE}), {"c": origins})
    return inherited_classes(lineage, CLASSES.get, ORDER)["c"]


def test_a_column_inherits_the_highest_class_of_what_it_is_made_of() -> None:
    assert least(frozenset({(ORDERS, "id"), (ORDERS, "name")})) == "internal"
    assert least(frozenset({(ORDERS, "id"), (ORDERS, "email")})) == "restricted"


def test_an_unclassified_or_unknown_column_counts_as_the_strictest() -> None:
    assert least(frozenset({(ORDERS, "odd")})) == "restricted"
    assert least(frozenset({(ORDERS, "no_such")})) == "restricted"


def test_unknown_lineage_inherits_the_highest_of_all_inputs() -> None:
    assert least(None) == "restricted"


def test_a_count_and_a_column_of_sources_inherit_nothing() -> None:
    assert least(frozenset()) is None
    assert least(frozenset({(SOURCE, "email")})) is None
