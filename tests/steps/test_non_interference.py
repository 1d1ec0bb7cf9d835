"""What a stranger may not discover changes no byte of what they are told: search, lineage, details, catalogue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse.governance.catalog import CATALOG
from hanse.names import ProductId
from hanse.node.finding.details import details
from hanse.node.steps.lineage import lineage
from hanse.node.steps.query import query
from hanse.node.steps.search import Filters, search
from tests.steps.twins import HIDDEN, WORDS, twins
from tests.steps.walking import BASKETS, ORDERS, OWNER_GROWTH, SCORES, STRANGER, ask
from tests.steps.world import World

Twins = tuple[World, World]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    masks = {"policies/masks.yaml": "- {name: hide-mail, classification: restricted, mask: hide}\n"}
    with twins(tmp_path_factory.mktemp("twins"), masks) as found:
        yield found


def said(value: Any) -> str:
    return json.dumps(value, default=str)


def searched(world: World, words: str, **more: Any) -> str:
    found = search(world.node, ask(STRANGER), words, Filters(**more), limit=2)
    parts: tuple[Any, ...] = (*found.hits, *found.people, *found.policies, *found.steps)
    beside = [one.as_json() for one in parts]
    return said([found.total, found.nearest, beside])


def asked(world: World, sql: str, by: Any = STRANGER) -> list[dict[str, Any]]:
    async def whole() -> Any:
        return (await (await query(world.node, ask(by), sql)).table()).to_pylist()

    rows: list[dict[str, Any]] = asyncio.run_coroutine_threadsafe(whole(), world.loop).result(60)
    return rows


def test_the_worlds_do_differ_for_who_may_know_of_it(worlds: Twins) -> None:
    without, with_ = worlds
    for world, hits in ((without, 0), (with_, 1)):
        assert search(world.node, ask(OWNER_GROWTH), "payroll").total == hits
        assert len(asked(world, "select * from mesh.catalog where name = 'payroll'", OWNER_GROWTH)) == hits
        found = lineage(world.node, ask(OWNER_GROWTH), ORDERS)
        assert found is not None
        assert ((ORDERS, HIDDEN) in found.links) == bool(hits)


_TYPED = st.lists(
    st.sampled_from(WORDS.split()).flatmap(
        lambda word: st.one_of(
            st.just(word),
            st.integers(1, len(word)).map(lambda n: word[:n]),
            st.integers(0, len(word) - 1).map(lambda n: word[:n] + word[n + 1 :]),
            st.text("abcdeorst", min_size=1, max_size=4).map(lambda end: word[:3] + end),
        )
    ),
    max_size=3,
).map(" ".join)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=_TYPED)
def test_a_search_tells_the_same(worlds: Twins, words: str) -> None:
    without, with_ = worlds
    assert searched(without, words) == searched(with_, words)


@pytest.mark.parametrize("more", [{"tag": "wages"}, {"owner": "growth"}, {"status": "active"}, {"domain": "growth"}])
def test_a_filtered_search_tells_the_same(worlds: Twins, more: dict[str, str]) -> None:
    without, with_ = worlds
    assert searched(without, "", **more) == searched(with_, "", **more)


@pytest.mark.parametrize("product", [ORDERS, BASKETS, SCORES, HIDDEN, ProductId("growth", "nothing")])
def test_lineage_tells_the_same(worlds: Twins, product: ProductId) -> None:
    told = [lineage(world.node, ask(STRANGER), product, up=5, down=5, columns=True) for world in worlds]
    first, second = (None if one is None else said(one.as_json()) for one in told)
    assert first == second
    assert (first is None) == (product not in (ORDERS, BASKETS, SCORES))


@pytest.mark.parametrize("product", [ORDERS, BASKETS])
def test_the_details_of_a_product_tell_the_same(worlds: Twins, product: ProductId) -> None:
    without, with_ = (
        said(details(world.node, ask(STRANGER), world.node.homes[product.domain].published()[product], 1))
        for world in worlds
    )
    assert without == with_
    assert "payroll" not in with_


@pytest.mark.parametrize("table", CATALOG)
def test_the_catalogue_tells_the_same(worlds: Twins, table: str) -> None:
    without, with_ = (said(asked(world, f"select * from mesh.catalog.{table}")) for world in worlds)
    assert without == with_
    assert "payroll" not in with_
    assert table in ("grants", "rules", "service_levels") or without != "[]"


def test_the_catalogue_is_the_very_same_file(worlds: Twins) -> None:
    without, with_ = (
        world.node.catalog(ask(STRANGER)).publication.lines.popitem()[1].snapshot.tables["columns"].files  # type: ignore[attr-defined]
        for world in worlds
    )
    assert without == with_
