"""query: one question through gate, decision, relation and record, as each person may ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from hanse.engine.engine import Engine
from hanse.engine.errors import NotAllowed, UnknownTable
from hanse.engine.settings import EngineSettings, Limits
from hanse.engine.snapshot import LineSnapshot
from hanse.errors import HanseError, Kind
from hanse.governance.decision import Request
from hanse.names import PortLine, ProductId, TableId, Version
from hanse.node.names import NoAccess, UnknownPublication
from hanse.node.node import Node
from hanse.node.steps.query import query
from tests.attacks.world import EVE, NOW, Home, Line, Publication, World, asks, build, contract_of
from tests.engine.tables import publish

ALICE = asks("alice", "team_sales")


def asked(folder: Path, test: Callable[[World], Awaitable[None]], **settings: Any) -> None:
    """Run `test` on twin 0 of the fixture, with a started engine."""

    async def main() -> None:
        engine = Engine(EngineSettings(workers=2, threads=1, limits=Limits(wall_seconds=10), **settings))
        try:
            await engine.start()
            await test(build(0, folder, engine))
        finally:
            await engine.close()

    asyncio.run(main())


async def ask(world: World, sql: str, who: Request = EVE, **more: Any) -> list[dict[str, Any]]:
    answer = await query(cast("Node", world), who, sql, **more)
    return list((await answer.table()).to_pylist())


def test_the_same_question_shows_each_person_what_they_may_see(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        sql = "SELECT count(*) AS n, count(DISTINCT region) AS r FROM sales.orders"
        assert await ask(world, sql) == [{"n": 50, "r": 1}]
        assert await ask(world, sql, ALICE) == [{"n": 200, "r": 3}]
        with pytest.raises(NoAccess) as caught:
            await ask(world, sql, asks("bob"))
        assert caught.value.as_problem()["code"] == "access.no-grant"
        assert "hanse access request sales/orders" in caught.value.mend

    asked(tmp_path, test)


def test_a_pinned_and_a_three_part_name_mean_the_same_table(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        for name in ("sales.orders", "sales.orders_v1", "sales.orders.orders", "SALES.Orders_v1.ORDERS"):
            assert await ask(world, f"SELECT count(*) AS n FROM {name}") == [{"n": 50}]
        for name in ("sales.orders_v2", "sales.orders_v01", "sales.orders.lines", "orders", "other.orders", "main.x"):
            with pytest.raises(UnknownTable):
                await ask(world, f"SELECT count(*) AS n FROM {name}")

    asked(tmp_path, test)


def test_parameters_and_a_limit_of_rows(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        assert await ask(world, "SELECT id FROM sales.orders WHERE id > ? ORDER BY id", parameters=[100], limit=2) == [
            {"id": 104},
            {"id": 108},
        ]
        with pytest.raises(NotAllowed):
            await ask(world, "SELECT 1", limit=-1)

    asked(tmp_path, test)


def test_describe_tells_the_visible_columns_and_how_they_are_shown(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        told = {row["column_name"]: row for row in await ask(world, "DESCRIBE sales.orders")}
        assert "cost" not in told
        assert told["id"]["column_type"] == "INTEGER"
        assert told["id"]["shown"] == "clear"
        assert told["email"]["shown"].startswith("always '***'")
        assert told["attrs"]["shown"].startswith("ip: always '0.0.0.0'")
        typed = await ask(world, "DESCRIBE SELECT email, created FROM sales.orders")
        assert [(row["column_name"], row["column_type"]) for row in typed] == [
            ("email", "VARCHAR"),
            ("created", "DATE"),
        ]

    asked(tmp_path, test)


def test_an_answer_tells_when_a_deprecated_line_ends_and_what_follows_it(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        id = ProductId("sales", "orders")
        publication = world.homes["sales"].published()[id]
        custom = {"sunset": "2027-01-01", "successor": "sales/orders@2"}
        lines = {
            at: replace(line, contract=replace(line.contract, status="deprecated", custom=custom))
            for at, line in publication.lines.items()
        }
        world.homes["sales"].products[id] = replace(publication, lines=lines)
        sql = "SELECT 1 FROM sales.orders JOIN sales.customers ON true LIMIT 1"
        answer = await query(cast("Node", world), EVE, sql)
        assert answer.facts["deprecations"] == {"sales.orders_v1.orders": {"status": "deprecated", **custom}}
        await answer.table()

    asked(tmp_path, test)


def test_show_tells_what_may_be_discovered(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        shown = [row["address"] for row in await ask(world, "SHOW TABLES")]
        assert shown == ["hr.salaries", "ref.countries", "sales.customers", "sales.orders", "sales.shipments"]
        assert [row["domain"] for row in await ask(world, "SHOW DATABASES")] == ["hr", "ref", "sales"]

    asked(tmp_path, test)


def test_explain_tells_relation_and_rules_and_never_a_plan(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        for told in (
            await ask(world, "EXPLAIN SELECT count(*) FROM sales.orders o JOIN ref.countries c ON c.code = o.region"),
            await ask(
                world, "SELECT count(*) FROM sales.orders o JOIN ref.countries c ON c.code = o.region", explain=True
            ),
        ):
            by = {row["table"]: row for row in told}
            assert (by["sales.orders"]["relation"], by["ref.countries"]["relation"]) == ("policy applied", "clear")
            assert by["sales.orders"]["rows"] == "emea"
            assert "cost" not in str(told)
            assert "parquet" not in str(told).lower()
        with pytest.raises(NoAccess):
            await ask(world, "EXPLAIN SELECT * FROM hr.salaries")

    asked(tmp_path, test)


def test_summarize_sees_policy_applied_data_only(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        told = {row["column_name"]: row for row in await ask(world, "SUMMARIZE sales.orders")}
        assert "cost" not in told
        assert (told["amount"]["max"], told["id"]["count"]) == ("200.0", 50)

    asked(tmp_path, test)


def test_a_reading_is_recorded_and_so_is_a_refusal(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        answer = await query(cast("Node", world), replace(EVE, purpose=None), "SELECT email FROM sales.orders")
        audit = world.homes["sales"].audit.entries
        (opened,) = [entry for entry in audit if entry["kind"] == "opened"]
        assert opened["decision"] == "allowed"
        (table,) = opened["tables"]
        assert (table["table"], table["columns"], table["publication"]) == ("sales.orders_v1.orders", ["email"], 1)
        assert answer.facts["publications"] == {"sales.orders_v1.orders": 1}
        assert [e for e in audit if e["kind"] == "closed"] == []
        await answer.table()
        assert audit[-1]["rows"] == 50
        assert audit[-1]["relations"] == {"sales.orders": "copy"}
        with pytest.raises(NoAccess):
            await ask(world, "SELECT * FROM sales.orders, hr.salaries")
        refused = world.homes["hr"].audit.entries
        assert (refused[0]["decision"], refused[0]["rule"]) == ("refused", "access.no-grant")
        assert refused[-1]["outcome"] == "refused"

    asked(tmp_path, test)


def test_nothing_is_answered_when_the_audit_cannot_be_written(tmp_path: Path) -> None:
    class Down(HanseError):
        kind = Kind.UNAVAILABLE
        code = "audit.down"

    async def test(world: World) -> None:
        async def opened(entry: dict[str, Any]) -> int:
            raise Down("the audit cannot be written")

        world.homes["sales"].audit.opened = opened  # type: ignore[method-assign]
        with pytest.raises(Down):
            await ask(world, "SELECT 1 FROM sales.orders")

    asked(tmp_path, test)


def test_a_grant_that_is_revoked_ends_new_reads_at_once_and_a_stream_at_its_next_batch(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        home, product = world.homes["sales"], ProductId("sales", "orders")
        sql = "SELECT o.id, o.note, r.i FROM sales.orders o, range(40000) r(i)"
        answer = await query(cast("Node", world), EVE, sql)
        assert not answer.is_whole
        messages = answer.messages()
        await anext(messages)
        home.given[product] = tuple(replace(grant, revoked_at=NOW) for grant in home.given[product])
        with pytest.raises(NoAccess):
            async for _ in messages:
                pass
        with pytest.raises(NoAccess) as caught:
            await ask(world, "SELECT 1 FROM sales.orders")
        assert caught.value.code.startswith("access.")
        assert home.audit.entries[-1]["outcome"] != "answered"

    asked(tmp_path, test)


def republished(world: World) -> Home:
    """`ref.countries` published a second time with two rows more, and its first publication kept."""
    home = world.homes["ref"]
    product = ProductId("ref", "countries")
    first = home.products[product]
    data = pa.table({"code": [f"c{i}" for i in range(7)], "name": [f"n{i}" for i in range(7)]})
    _, stored = publish(home.warehouse, "ref.countries", data, snapshot=2)
    line = PortLine(product, "data", 1)
    second = Publication(
        {
            line: Line(
                contract_of("countries", stored.columns), Version(1, 0, 0), LineSnapshot({"countries": stored}, "f")
            )
        },
        1,
        {1: "countries"},
        2,
    )
    home.products[product] = second
    history = {1: first, 2: second}
    home.at_sequence = lambda product, sequence: history.get(sequence)  # type: ignore[method-assign]
    home.at_time = lambda product, at: first if at < NOW else second  # type: ignore[method-assign]
    return home


def test_time_travel_reads_an_earlier_publication_under_todays_policies(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        republished(world)
        assert await ask(world, "SELECT count(*) AS n FROM ref.countries") == [{"n": 7}]
        assert await ask(world, "SELECT count(*) AS n FROM ref.countries AT (VERSION => 1)") == [{"n": 5}]
        then = (NOW - timedelta(hours=1)).isoformat()
        assert await ask(world, f"SELECT count(*) AS n FROM ref.countries AT (TIMESTAMP => '{then}')") == [{"n": 5}]
        both = "SELECT count(*) AS n FROM ref.countries a JOIN ref.countries b AT (VERSION => 1) ON true"
        assert await ask(world, both) == [{"n": 35}]
        with pytest.raises(UnknownPublication):
            await ask(world, "SELECT * FROM ref.countries AT (VERSION => 9)")
        with pytest.raises(UnknownTable):
            await ask(world, "SELECT * FROM hr.reviews AT (VERSION => 9)")

    asked(tmp_path, test)


def test_a_question_over_two_domains_is_recorded_in_both_homes(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await ask(world, "SELECT count(*) FROM sales.orders o JOIN ref.countries c ON c.code = o.region")
        tables = {d: [t["table"] for t in world.homes[d].audit.entries[0]["tables"]] for d in ("sales", "ref")}
        assert tables == {"sales": ["sales.orders_v1.orders"], "ref": ["ref.countries_v1.countries"]}
        assert world.homes["hr"].audit.entries == []

    asked(tmp_path, test)


def test_equal_questions_give_the_engine_the_very_same_input(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        from hanse.engine.gate import check

        (reference,) = check("FROM sales.orders").references
        first, again = (world.names.found(reference, EVE).given for _ in range(2))
        assert first is again
        assert world.names.found(reference, ALICE).given is not first
        assert first.facts.id == TableId(ProductId("sales", "orders"), 1, "orders")

    asked(tmp_path, test)
