"""What is counted of a table: over all of its rows, and only what holds for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from hanse.engine.profile import ColumnProfile, Profile, profile
from hanse.spec.types import ListOf, Scalar, Struct

Count = Callable[[str], Profile]


@pytest.fixture
def counted(tmp_path: Path) -> Count:
    def count(select: str) -> Profile:
        file = tmp_path / "table.parquet"
        duckdb.execute(f"COPY ({select}) TO '{file}' (FORMAT parquet)")
        return profile(f"read_parquet('{file}')")

    return count


def column(found: Profile, name: str) -> ColumnProfile:
    return next(one for one in found.columns if one.name == name)


def test_a_column_is_required_only_where_no_row_lacks_it(counted: Count) -> None:
    found = counted("SELECT i AS a, CASE WHEN i <> 4999 THEN i END AS b FROM range(5000) t(i)")
    assert (column(found, "a").nulls, column(found, "b").nulls) == (0, 1)


def test_a_key_is_proved_by_counting_all_rows(counted: Count) -> None:
    assert counted("SELECT i AS id, 1 AS one FROM range(5000) t(i)").key == ("id",)
    # one value twice among many: a count of about how many there are cannot tell
    assert counted("SELECT CASE WHEN i = 4999 THEN 0 ELSE i END AS id, 1 AS one FROM range(5000) t(i)").key == ()


def test_two_columns_together_are_a_key_where_none_alone_is(counted: Count) -> None:
    found = counted("SELECT i // 10 AS order_id, i % 10 AS line, 'x' AS note FROM range(1000) t(i)")
    assert found.key == ("order_id", "line")


def test_measures_and_columns_that_may_be_null_are_no_key(counted: Count) -> None:
    assert counted("SELECT i * 1.5::double AS amount, nullif(i, 0) AS id FROM range(100) t(i)").key == ()


def test_few_words_are_told_and_many_or_rare_ones_are_not(counted: Count) -> None:
    found = counted(
        "SELECT ['new', 'paid', 'sent'][1 + i % 3] AS status, 'v' || i AS many, "
        "CASE WHEN i = 7 THEN 'once' ELSE 'often' END AS rare, nullif('x', CASE WHEN i = 0 THEN 'x' END) AS gaps, "
        "['a@b.example', 'c@d.example'][1 + i % 2] AS mail FROM range(300) t(i)"
    )
    assert column(found, "status").words == ("new", "paid", "sent")
    for name in ("many", "rare", "gaps", "mail"):
        assert column(found, name).words == ()


def test_of_a_small_table_no_words_are_told(counted: Count) -> None:
    assert column(counted("SELECT ['new', 'paid'][1 + i % 2] AS status FROM range(40) t(i)"), "status").words == ()


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("'c' || i || '@shop.example'", "email"),
        ("'+49 421 ' || (100000 + i)", "phone"),
        ("'DE' || (10 + i % 80) || '370400440532013000'", "iban"),
        ("'10.0.' || (i % 200) || '.7'", "ip"),
        ("'4111 1111 1111 ' || (1000 + i)", "card"),
    ],
)
def test_shapes_of_texts_are_shared_out(text: str, shape: str, counted: Count) -> None:
    assert column(counted(f"SELECT {text} AS x FROM range(200) t(i)"), "x").shapes[shape] == 1.0


def test_types_of_every_kind_come_back_as_a_contract_says_them(counted: Count) -> None:
    found = counted(
        "SELECT 1::tinyint AS a, 1::uinteger AS b, 1::ubigint AS c, 1.5::decimal(9, 2) AS d, true AS e, "
        "DATE '2026-01-01' AS f, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS g, [1, 2] AS h, {'p': 'x'} AS k, "
        "uuid() AS l, 'x'::blob AS m, INTERVAL 1 DAY AS n"
    )
    told = {one.name: one.type for one in found.columns}
    assert told == {
        "a": Scalar("int32"), "b": Scalar("int64"), "c": Scalar("decimal", 20, 0), "d": Scalar("decimal", 9, 2),
        "e": Scalar("boolean"), "f": Scalar("date"), "g": Scalar("timestamptz"), "h": ListOf(Scalar("int32")),
        "k": Struct(told["k"].fields), "l": Scalar("uuid"), "m": Scalar("binary"), "n": Scalar("string"),
    }  # fmt: skip
    assert column(found, "n").cast == "VARCHAR"


def test_an_empty_table_has_columns_and_nothing_else(counted: Count) -> None:
    found = counted("SELECT i AS id, 'x' AS word FROM range(0) t(i)")
    assert (found.rows, found.key, [one.name for one in found.columns]) == (0, (), ["id", "word"])
