"""Relations: masks as SQL, policies as one SELECT, copies that are never wrong, the reader that hands over Arrow."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hanse.engine.engine import Engine, Input
from hanse.engine.errors import DataDamaged, MemoryLimit, NoRoom, PolicyFailed, UnknownColumn
from hanse.engine.gate import check
from hanse.engine.relations.choose import needed
from hanse.engine.relations.masks import masked
from hanse.engine.relations.policy import fingerprint, is_clear, policy_select, visible
from hanse.engine.settings import EngineSettings, Limits
from hanse.governance.decision import (
    Bucket,
    Clear,
    ColumnPath,
    ColumnView,
    Constant,
    HashMask,
    Hidden,
    Last,
    Mask,
    Masked,
    Null,
    RowRule,
    Truncate,
)
from hanse.spec.types import Scalar, Type
from tests.engine.tables import KEY, decided, given, publish

SETTINGS = EngineSettings(workers=2, threads=1, limits=Limits(wall_seconds=20))


def asked(test: Callable[[Engine], Awaitable[None]], settings: EngineSettings = SETTINGS) -> None:
    """Run `test` with a started engine that is closed afterwards."""

    async def main() -> None:
        engine = Engine(settings)
        try:
            await engine.start()
            await test(engine)
        finally:
            await engine.close()

    asyncio.run(main())


async def rows(engine: Engine, sql: str, *inputs: Input, **more: Any) -> list[dict[str, Any]]:
    answer = await engine.run(await engine.gate(sql), inputs, **more)
    return list((await answer.table()).to_pylist())


def people(count: int = 8) -> pa.Table:
    return pa.table(
        {
            "id": pa.array(range(count), pa.int32()),
            "team": ["red" if i % 2 else "blue" for i in range(count)],
            "email": [f"p{i}@corp.example" if i != 3 else None for i in range(count)],
            "born": pa.array([date(1990, 5, 1 + i) for i in range(count)], pa.date32()),
            "pay": [1000.5 * i - 2000 for i in range(count)],
            "home": [{"city": f"c{i}", "geo": {"lat": i / 2, "lon": -i / 2}} if i != 2 else None for i in range(count)],
            "tags": [[f"t{i}", None] for i in range(count)],
            "notes": pa.array([[("a", f"n{i}")] for i in range(count)], pa.map_(pa.string(), pa.string())),
        }
    )


def under(
    home: Path, views: dict[ColumnPath, ColumnView] | None = None, rules: Sequence[RowRule] = (), **more: Any
) -> Input:
    published = publish(home, "hr.people", people())
    return given(home, "hr.people", published, decided(published[0], views=views, rows=rules), **more)


INT, BIG, TEXT, REAL = Scalar("int32"), Scalar("int64"), Scalar("string"), Scalar("float64")
DAY, MOMENT, MONEY = Scalar("date"), Scalar("timestamp"), Scalar("decimal", 9, 2)


@pytest.mark.parametrize(
    ("value", "type_", "mask", "shown"),
    [
        ("7", INT, Null(), None),
        ("'x'", TEXT, Constant("***"), "***"),
        ("NULL", TEXT, Constant("***"), "***"),
        ("7", INT, Constant(0), 0),
        ("7", INT, Constant("gone"), "gone"),
        ("true", Scalar("boolean"), Constant(False), False),
        ("'x'", TEXT, Constant("it's"), "it's"),
        ("'1234-5678'", TEXT, Last(4), "****5678"),
        ("'ab'", TEXT, Last(4), "****ab"),
        ("'ab'", TEXT, Last(0), "****"),
        ("NULL", TEXT, Last(4), None),
        ("1234567", BIG, Last(2), "****67"),
        ("17", INT, Bucket(10), 10),
        ("-17", INT, Bucket(10), -20),
        ("17", INT, Truncate(5), 15),
        ("9223372036854775807", BIG, Bucket(10), 9223372036854775800),
        ("-9223372036854775808", BIG, Bucket(10), None),
        ("17.9", REAL, Bucket(2.5), 17.5),
        ("12.34", MONEY, Bucket(10), Decimal("10.00")),
        ("DATE '2024-07-15'", DAY, Truncate("year"), date(2024, 1, 1)),
        ("DATE '2024-07-15'", DAY, Truncate("month"), date(2024, 7, 1)),
        ("'x'", TEXT, Bucket(10), None),
        ("'x'", TEXT, Truncate("year"), None),
        ("17", INT, Bucket(0), None),
    ],
)
def test_a_mask_shows_what_it_says(value: str, type_: Type, mask: Mask, shown: Any) -> None:
    import duckdb

    sql, kind = masked("raw", type_, mask)
    rows = f"(SELECT CAST({value} AS {type_.sql}) AS raw FROM range(1))"
    row = duckdb.connect().execute(f"SELECT {sql}, typeof({sql}) FROM {rows}").fetchone()
    assert row is not None
    assert row[0] == shown
    assert row[1] == kind.sql


def test_a_hash_is_the_hmac_of_the_homes_key(tmp_path: Path) -> None:
    mask = under(tmp_path, {("email",): Masked(HashMask(), "r")})

    async def test(engine: Engine) -> None:
        found = await rows(engine, "SELECT id, email FROM hr.people ORDER BY id", mask)
        wanted = [hmac.new(KEY, f"p{i}@corp.example".encode(), hashlib.sha256).hexdigest()[:24] for i in range(8)]
        wanted[3] = None  # type: ignore[call-overload]
        assert [row["email"] for row in found] == wanted

    asked(test)


def test_no_sql_of_a_relation_holds_the_mask_key(tmp_path: Path) -> None:
    sql = policy_select(under(tmp_path, {("email",): Masked(HashMask(), "r")})).sql
    assert KEY.hex() not in sql
    assert KEY.decode() not in sql


def test_nested_parts_are_masked_and_hidden_by_path(tmp_path: Path) -> None:
    views: dict[ColumnPath, ColumnView] = {
        ("home", "geo", "lat"): Masked(Null(), "r"),
        ("home", "geo", "lon"): Hidden("r"),
        ("tags", "[]"): Masked(Last(1), "r"),
        ("notes", "{value}"): Masked(Constant("-"), "r"),
    }
    inner = under(tmp_path, views)

    async def test(engine: Engine) -> None:
        found = await rows(engine, "SELECT home, tags, notes FROM hr.people ORDER BY id LIMIT 3", inner)
        assert found[1] == {
            "home": {"city": "c1", "geo": {"lat": None}},
            "tags": ["****1", None],
            "notes": [("a", "-")],
        }
        assert found[2]["home"] is None

    asked(test)


def test_a_map_with_masked_keys_is_null(tmp_path: Path) -> None:
    column = next(c for c in visible(under(tmp_path, {("notes", "{key}"): Masked(Last(1), "r")})) if c.name == "notes")
    assert column.sql.startswith("CAST(NULL AS")


def test_a_struct_whose_fields_are_all_hidden_is_hidden(tmp_path: Path) -> None:
    names = [c.name for c in visible(under(tmp_path, {("home", "city"): Hidden("r"), ("home", "geo"): Hidden("r")}))]
    assert "home" not in names


def test_what_the_decision_does_not_name_is_not_shown(tmp_path: Path) -> None:
    whole = under(tmp_path)
    decision = replace(whole.decision, columns={("id",): Clear()})
    assert [column.name for column in visible(replace(whole, decision=decision))] == ["id"]


def test_what_the_contract_does_not_promise_is_not_shown(tmp_path: Path) -> None:
    whole = under(tmp_path)
    facts = replace(
        whole.facts, columns=tuple(c for c in whole.facts.columns if c.path not in {("pay",), ("home", "city")})
    )
    narrowed = replace(whole, facts=facts)
    assert "pay" not in [column.name for column in visible(narrowed)]
    assert not is_clear(narrowed)
    assert "'city'" not in policy_select(narrowed).sql.partition(" FROM ")[0]


def test_rows_are_filtered_before_columns_are_masked(tmp_path: Path) -> None:
    rule = RowRule("r", "email = 'p1@corp.example'")
    inner = under(tmp_path, {("email",): Masked(Constant("p2@corp.example"), "r")}, [rule])

    async def test(engine: Engine) -> None:
        assert await rows(engine, "SELECT id, email FROM hr.people", inner) == [{"id": 1, "email": "p2@corp.example"}]

    asked(test)


def test_row_policies_are_anded_and_null_shows_nothing(tmp_path: Path) -> None:
    inner = under(tmp_path, rules=[RowRule("a", "team = 'red'"), RowRule("b", "email <> 'p1@corp.example'")])

    async def test(engine: Engine) -> None:
        found = await rows(engine, "SELECT id FROM hr.people ORDER BY id", inner)
        assert [row["id"] for row in found] == [5, 7]

    asked(test)


def test_a_row_policy_reads_a_table_by_subquery(tmp_path: Path) -> None:
    allowed = given(tmp_path, "hr.allowed", publish(tmp_path, "hr.allowed", pa.table({"team": ["blue"]})))
    rule = RowRule("r", "team IN (SELECT team FROM hr.allowed)", frozenset({("hr", "allowed")}))
    inner = under(tmp_path, rules=[rule], reads={("hr", "allowed"): allowed})

    async def test(engine: Engine) -> None:
        assert await rows(engine, "SELECT count(*) AS n FROM hr.people", inner) == [{"n": 4}]

    asked(test)


@pytest.mark.parametrize(
    "predicate",
    [
        "true) OR (true",
        "true; SELECT 1",
        "team IN (SELECT team FROM hr.salaries)",
        "team = getvariable('hanse_inner_pad')",
        "team = (SELECT content FROM read_text('/etc/passwd'))",
        "not sql at all",
    ],
)
def test_a_row_policy_that_is_no_single_predicate_shows_nothing(tmp_path: Path, predicate: str) -> None:
    with pytest.raises(PolicyFailed):
        policy_select(under(tmp_path, rules=[RowRule("r", predicate)]))


def test_a_policy_that_fails_on_a_row_shows_nothing_and_tells_no_value(tmp_path: Path) -> None:
    inner = under(tmp_path, rules=[RowRule("r", "email::INT = 1")])

    async def test(engine: Engine) -> None:
        with pytest.raises(PolicyFailed) as caught:
            await rows(engine, "SELECT id FROM hr.people", inner)
        assert "corp.example" not in str(caught.value.as_problem())

    asked(test)


def test_equal_decisions_share_a_copy_and_different_ones_do_not(tmp_path: Path) -> None:
    masks: dict[ColumnPath, ColumnView] = {("email",): Masked(HashMask(), "one rule")}
    first, second = under(tmp_path, masks), under(tmp_path, {("email",): Masked(HashMask(), "another rule")})
    assert fingerprint(first) == fingerprint(second)
    others = [
        under(tmp_path, {("email",): Masked(Null(), "r")}),
        under(tmp_path, masks, [RowRule("r", "team = 'red'")]),
        replace(first, mask_key=b"another key"),
        replace(first, snapshot=replace(first.snapshot, snapshot_id=2)),
        replace(first, snapshot=replace(first.snapshot, files=())),
    ]
    assert len({fingerprint(one) for one in (first, *others)}) == 1 + len(others)


def test_a_copy_is_made_once_and_dropped_when_it_is_revoked(tmp_path: Path) -> None:
    inner = under(tmp_path, {("pay",): Hidden("r")})

    async def test(engine: Engine) -> None:
        await asyncio.gather(*(rows(engine, "SELECT count(*) FROM hr.people", inner) for _ in range(8)))
        assert len(list(inner.copies.rglob("*.parquet"))) == 1
        assert await asyncio.to_thread(engine.drop_copies, inner.copies, inner.facts.id) == 1
        assert engine.drop_copies(inner.copies, inner.facts.id) == 0
        assert list(inner.copies.rglob("*.parquet")) == []
        assert await rows(engine, "SELECT count(*) AS n FROM hr.people", inner) == [{"n": 8}]
        assert not list(inner.copies.rglob("*.part"))

    asked(test)


def test_a_copy_that_vanishes_under_a_kept_engine_is_made_again(tmp_path: Path) -> None:
    inner = under(tmp_path, {("pay",): Hidden("r")})

    async def test(engine: Engine) -> None:
        for _ in range(2):
            assert await rows(engine, "SELECT count(*) AS n, max(team) AS t FROM hr.people", inner) == [
                {"n": 8, "t": "red"}
            ]
            for path in inner.copies.rglob("*.parquet"):
                path.unlink()

    asked(test)


def test_copies_stay_within_their_budget_least_used_first(tmp_path: Path) -> None:
    inner = [under(tmp_path, rules=[RowRule("r", f"id >= {i}")]) for i in range(4)]

    async def test(engine: Engine) -> None:
        for one in inner:
            assert await rows(engine, "SELECT count(*) > 0 AS ok FROM hr.people", one) == [{"ok": True}]
        left = list((tmp_path / "copies").rglob("*.parquet"))
        assert 1 <= len(left) < 4
        assert sum(path.stat().st_size for path in left) <= 4500

    asked(test, replace(SETTINGS, copy_bytes=4500))


def test_a_copy_that_finds_no_room_is_no_damage_of_the_data(tmp_path: Path) -> None:
    inner = under(tmp_path, {("pay",): Hidden("r")})

    async def test(engine: Engine) -> None:
        with pytest.raises(NoRoom):
            await rows(engine, "SELECT count(*) AS n FROM hr.people", inner)
        assert not [path for path in (tmp_path / "copies").rglob("*") if path.is_file()]

    asked(test, replace(SETTINGS, copy_bytes=64))


def test_copies_of_an_earlier_process_are_found_and_unfinished_ones_removed(tmp_path: Path) -> None:
    inner = under(tmp_path, {("pay",): Hidden("r")})

    async def first(engine: Engine) -> None:
        await rows(engine, "SELECT 1 FROM hr.people", inner)

    asked(first)
    (made,) = (tmp_path / "copies").rglob("*.parquet")
    stamp = made.stat().st_mtime_ns
    (made.parent / ".dead.part").write_bytes(b"x")

    async def second(engine: Engine) -> None:
        await rows(engine, "SELECT 1 FROM hr.people", inner)
        assert made.stat().st_mtime_ns == stamp
        assert not (made.parent / ".dead.part").exists()

    asked(second)


def test_a_large_table_is_streamed_on_its_first_read_and_copied_behind_it(tmp_path: Path) -> None:
    inner = under(tmp_path, {("email",): Masked(HashMask(), "r")}, [RowRule("r", "team = 'red'")])

    async def test(engine: Engine) -> None:
        gated = await engine.gate("SELECT id, email FROM hr.people WHERE id > 2 ORDER BY id")
        answer = await engine.run(gated, [inner])
        assert answer.relations == {"hr.people": "reader"}
        first = (await answer.table()).to_pylist()
        for _ in range(200):
            if list(inner.copies.rglob("*.parquet")):
                break
            await asyncio.sleep(0.05)
        answer = await engine.run(gated, [inner])
        assert answer.relations == {"hr.people": "copy"}
        assert (await answer.table()).to_pylist() == first
        assert [row["id"] for row in first] == [3, 5, 7]
        assert not list(inner.copies.rglob("*.arrow"))

    asked(test, replace(SETTINGS, copy_at_once_bytes=0))


@pytest.mark.parametrize(
    ("sql", "columns", "early"),
    [
        ("SELECT id FROM hr.people WHERE team = 'red'", ["id", "team"], ["team"]),
        ("SELECT p.id FROM hr.people p WHERE p.id BETWEEN 1 AND 3", ["id"], ["id"]),
        ("SELECT * FROM hr.people WHERE id = 1", None, ["id"]),
        ("SELECT p FROM hr.people p", None, []),
        ("SELECT people FROM hr.people", None, []),
        ("SELECT count(*) FROM hr.people", [], []),
        ("SELECT id FROM hr.people WHERE email = 'x'", ["id", "email"], []),
        ("SELECT id FROM hr.people WHERE team = 1", ["id", "team"], []),
        ("SELECT id FROM hr.people WHERE id > 1 OR id < 0", ["id"], []),
        ("SELECT a.id FROM hr.people a JOIN hr.people b USING (id) WHERE a.id = 1", ["id"], []),
        ("SELECT id FROM (SELECT id FROM hr.people) WHERE id = 1", ["id"], []),
        ("SELECT id FROM hr.people LEFT JOIN range(3) r ON true WHERE id = 1", ["id"], []),
        ("WITH w AS (SELECT p.id AS x FROM hr.people p) SELECT x FROM w", ["id"], []),
        ("SELECT 1 WHERE 1 IN (SELECT p.id FROM hr.people p)", ["id"], []),
        ("SELECT x.id FROM (SELECT p AS x FROM hr.people p)", None, []),
        ("SELECT 1 WHERE EXISTS (SELECT * FROM hr.people WHERE id = 1)", ["id"], []),
        ("SELECT 1 WHERE EXISTS (SELECT * FROM (SELECT * FROM hr.people))", None, []),
        ("SELECT 1 WHERE EXISTS (SELECT * EXCLUDE (id) FROM hr.people)", None, []),
        ("SELECT 1 WHERE EXISTS (SELECT DISTINCT * FROM hr.people OFFSET 3)", None, []),
        ("SELECT 1 WHERE EXISTS (SELECT * FROM hr.people GROUP BY ALL HAVING count(*) > 1)", None, []),
        ("SELECT 1 WHERE EXISTS (SELECT * FROM hr.people INTERSECT SELECT * FROM hr.people)", None, []),
    ],
)
def test_the_reader_is_asked_for_no_more_than_the_statement_needs(
    tmp_path: Path, sql: str, columns: list[str] | None, early: list[str]
) -> None:
    inner = under(tmp_path, {("email",): Masked(HashMask(), "r")})
    wanted, comparisons = needed(check(sql), inner)
    assert wanted == columns
    assert [comparison.column for comparison in comparisons] == early


def test_a_first_read_that_takes_too_much_memory_is_answered_from_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = under(tmp_path, {("email",): Masked(HashMask(), "r")})
    sql = "SELECT count(*) AS n, max(id) AS m FROM hr.people"

    async def test(engine: Engine) -> None:
        honest, tries = engine._run, []

        async def full(gated: Any, inputs: Any, relations: Any, **more: Any) -> Any:
            tries.append([relation.kind for relation in relations])
            if relations[0].stream:
                raise MemoryLimit(1)
            return await honest(gated, inputs, relations, **more)

        monkeypatch.setattr(engine, "_run", full)
        answer = await engine.run(await engine.gate(sql), [inner])
        assert (await answer.table()).num_rows == 1
        assert tries == [["reader"], ["copy"]]
        assert not list(inner.copies.rglob("*.arrow"))

    asked(test, replace(SETTINGS, copy_at_once_bytes=0))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM hr.people p WHERE EXISTS (SELECT * FROM hr.people q WHERE q.id = p.id + 1) ORDER BY id",
        "WITH w AS (SELECT email AS e FROM hr.people) SELECT e, count(*) AS n FROM w GROUP BY e ORDER BY e",
        "SELECT (SELECT max(b.id) FROM hr.people b WHERE b.email = a.email) AS m FROM hr.people a ORDER BY m",
        "SELECT count(*) AS n FROM hr.people WHERE EXISTS (SELECT DISTINCT * FROM hr.people OFFSET 3)",
    ],
)
def test_a_first_read_answers_like_a_copy_at_any_depth(tmp_path: Path, sql: str) -> None:
    inner = under(tmp_path, {("email",): Masked(HashMask(), "r")}, [RowRule("r", "id <> 3")])

    async def test(engine: Engine) -> None:
        gated = await engine.gate(sql)
        answers = []
        for kind in ("reader", "copy"):
            while True:
                answer = await engine.run(gated, [inner])
                answers.append((await answer.table()).to_pylist())
                if answer.relations == {"hr.people": kind}:
                    break
                await asyncio.sleep(0.05)
        assert all(answer == answers[0] for answer in answers)

    asked(test, replace(SETTINGS, copy_at_once_bytes=0))


def test_a_literal_that_is_no_date_raises_in_the_worker_only(tmp_path: Path) -> None:
    inner = under(tmp_path, {("pay",): Hidden("r")})
    gated = check("SELECT id FROM hr.people WHERE born > DATE 'soon'")
    columns, comparisons = needed(gated, inner)
    import duckdb

    assert duckdb.connect().execute(policy_select(inner, columns, comparisons).sql).fetchall()


def test_a_clear_table_reads_the_snapshots_own_files(tmp_path: Path) -> None:
    clear = under(tmp_path)

    async def test(engine: Engine) -> None:
        answer = await engine.run(await engine.gate("SELECT count(*) AS n FROM hr.people"), [clear])
        assert answer.relations == {"hr.people": "clear"}
        assert not clear.copies.exists()

    asked(test)


def test_a_table_with_a_hidden_column_is_never_read_from_its_own_files(tmp_path: Path) -> None:
    assert is_clear(under(tmp_path))
    assert not is_clear(under(tmp_path, {("pay",): Hidden("r")}))
    assert not is_clear(under(tmp_path, {("home", "city"): Hidden("r")}))
    assert not is_clear(under(tmp_path, rules=[RowRule("r", "true")]))


def test_a_hidden_column_is_unknown_and_never_offered(tmp_path: Path) -> None:
    inner = under(tmp_path, {("pay",): Hidden("r")})

    async def test(engine: Engine) -> None:
        for name in ("pay", "pai", "nothing"):
            with pytest.raises(UnknownColumn) as caught:
                await rows(engine, f"SELECT {name} FROM hr.people", inner)
            assert caught.value.where == "1:8"
            assert "pay" not in caught.value.mend
        with pytest.raises(UnknownColumn) as caught:
            await rows(engine, "SELECT id, emial FROM hr.people", inner)
        assert (caught.value.where, caught.value.mend) == ("1:12", "nearest: email")

    asked(test)


def test_a_missing_file_is_an_error_that_names_the_product_and_no_path(tmp_path: Path) -> None:
    clear = under(tmp_path)
    os.unlink(tmp_path / clear.snapshot.files[0].path)

    async def test(engine: Engine) -> None:
        with pytest.raises(DataDamaged) as caught:
            await rows(engine, "SELECT * FROM hr.people", clear)
        text = str(caught.value.as_problem())
        assert "hr.people" in text
        assert str(tmp_path) not in text

    asked(test)


def test_a_column_promised_later_is_null_in_an_older_snapshot(tmp_path: Path) -> None:
    clear = under(tmp_path)
    older = replace(clear, snapshot=replace(clear.snapshot, columns=clear.snapshot.columns[:3]))

    async def test(engine: Engine) -> None:
        (first,) = await rows(engine, "SELECT * FROM hr.people LIMIT 1", older)
        assert list(first) == [column.name for column in clear.snapshot.columns]
        assert first["id"] == 0
        assert first["pay"] is None

    asked(test)


@pytest.mark.parametrize("masks", [False, True])
def test_one_changed_bit_of_a_published_file_is_an_error_that_names_the_table(tmp_path: Path, masks: bool) -> None:
    asked_for = under(tmp_path, {("email",): Masked(Null(), "r")} if masks else None)
    path = tmp_path / asked_for.snapshot.files[0].path
    good = path.read_bytes()

    async def test(engine: Engine) -> None:
        for at in range(8, len(good), len(good) // 12):
            path.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
            for _ in range(2):
                with pytest.raises(DataDamaged) as caught:
                    await rows(engine, "SELECT sum(pay), min(team) FROM hr.people", asked_for)
                assert "hr.people" in str(caught.value)
        path.write_bytes(good)
        assert (await rows(engine, "SELECT count(*) AS n FROM hr.people", asked_for)) == [{"n": 8}]

    asked(test)


def test_a_table_that_a_policy_reads_is_whole_too(tmp_path: Path) -> None:
    allowed = publish(tmp_path, "hr.allowed", pa.table({"team": ["red"]}))
    rule = RowRule("own", "team IN (SELECT team FROM hr.allowed)", frozenset({("hr", "allowed")}))
    reads = {("hr", "allowed"): given(tmp_path, "hr.allowed", allowed)}
    asked_for = under(tmp_path, rules=[rule], reads=reads)
    path = tmp_path / allowed[1].files[0].path
    path.write_bytes(path.read_bytes().replace(b"red", b"blu"))

    async def test(engine: Engine) -> None:
        with pytest.raises(DataDamaged) as caught:
            await rows(engine, "SELECT count(*) FROM hr.people", asked_for)
        assert "hr.allowed" in str(caught.value)

    asked(test)


@pytest.mark.parametrize("again", [False, True])
def test_a_damaged_copy_is_made_again_also_by_the_next_process(tmp_path: Path, again: bool) -> None:
    masked_email = under(tmp_path, {("email",): Masked(Last(2), "r")})
    question = "SELECT sum(id) AS s, min(email) AS e FROM hr.people"
    wanted = [{"s": 28, "e": "****le"}]

    async def test(engine: Engine) -> None:
        assert await rows(engine, question, masked_email) == wanted
        (copy,) = (tmp_path / "copies").rglob("*.parquet")
        good = copy.read_bytes()
        for bad in (good[: len(good) // 2], b"", *(good[:at] + b"\xff" + good[at + 1 :] for at in (12, 80, 200))):
            copy.write_bytes(bad)
            async with _maybe_another(engine, again) as asked_one:
                assert await rows(asked_one, question, masked_email) == wanted
        copy.with_suffix(".sum").unlink()
        async with _maybe_another(engine, again) as asked_one:
            assert await rows(asked_one, question, masked_email) == wanted

    asked(test)


@contextlib.asynccontextmanager
async def _maybe_another(engine: Engine, another: bool) -> AsyncIterator[Engine]:
    if not another:
        yield engine
        return
    second = Engine(SETTINGS)
    try:
        yield second
    finally:
        await second.close()
