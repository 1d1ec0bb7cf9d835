"""A decision for 250 columns (bar 1 ms) and discovery over 10 000 products (bar 20 ms), no answer remembered."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from _measure import tell

from hanse.governance.decide import decide, discoverable
from hanse.governance.decision import ColumnFacts, Grant, Principal, PrincipalKind, Request, TableFacts
from hanse.governance.policies import load
from hanse.names import ProductId, TableId
from hanse.spec.types import Scalar

CLASSES = ("public", "internal", "restricted")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def facts(number: int, columns: int) -> TableFacts:
    product = ProductId(f"domain{number % 50}", f"product{number}")
    return TableFacts(
        TableId(product, 1, product.name),
        tuple(ColumnFacts((f"c{i}",), Scalar("string"), CLASSES[i % 3]) for i in range(columns)),
        ("open", "request", "closed")[number % 3],
        "active",
        f"team{number % 50}",
        version=f"1.0.{number}",
    )


def main() -> None:
    policies, findings = load({}, "domain0", {}, CLASSES)
    assert not findings, findings
    table = facts(0, 250)
    grant = Grant("g-1", table.product, "team:readers", None, "internal", frozenset(), NOW, NOW + timedelta(days=9))
    times = []
    for i in range(200):
        person = Principal(PrincipalKind.PERSON, f"person{i}", frozenset({"readers", f"team{i}"}))
        request = Request(person, NOW)
        start = time.perf_counter()
        decision = decide(request, replace(table, access="request"), [grant], policies)
        times.append(time.perf_counter() - start)
        assert decision.allowed
    tables = [facts(i, 1) for i in range(10_000)]
    searches = []
    for i in range(10):
        request = Request(Principal(PrincipalKind.PERSON, f"searcher{i}", frozenset({f"team{i}"})), NOW)
        start = time.perf_counter()
        found = discoverable(request, tables, policies)
        searches.append(time.perf_counter() - start)
        assert found
    first, second = statistics.median(times) * 1000, statistics.median(searches) * 1000
    tell(
        "decision", bar_ms=1.0, decision_250_columns_ms=first, ratio=first / 1.0,
        discovery_bar_ms=20.0, discovery_10000_products_ms=second, discovery_ratio=second / 20.0,
    )  # fmt: skip


if __name__ == "__main__":
    main()
