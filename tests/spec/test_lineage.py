"""Lineage of transforms: what is not understood is unknown, never empty."""

from __future__ import annotations

import time

import pytest

from hanse.names import ProductId, TableId
from hanse.spec.lineage import product_lineage, sql_lineage
from tests.spec.mesh_texts import read

ORDERS = ("s", "o_v1", "o")
SCHEMAS = {ORDERS: ["id", "Email", "x"]}

KNOWN = [
    ("SELECT * FROM s.o_v1.o", {"id": {"id"}, "email": {"Email"}, "x": {"x"}}),
    ("WITH o AS (SELECT id FROM s.o_v1.o) SELECT o.id + 1 AS i, count(*) AS c FROM o", {"i": {"id"}, "c": set()}),
    ("SELECT (SELECT max(\"Email\") FROM s.o_v1.o) AS m, id FROM s.o_v1.o p", {"m": {"Email"}, "id": {"id"}}),
    ("SELECT s.o_v1.o.id FROM s.o_v1.o", {"id": {"id"}}),
    ("FROM S.O_V1.O SELECT ID", {"id": {"id"}}),
    ("SELECT id FROM s.o_v1.o UNION ALL SELECT x FROM s.o_v1.o", {"id": {"id", "x"}}),
    ("SELECT unnest([id, x]) AS u FROM s.o_v1.o", {"u": {"id", "x"}}),
    ("SELECT * EXCLUDE (id) FROM s.o_v1.o", {"email": {"Email"}, "x": {"x"}}),
    ("SELECT {'a': id, 'b': x} AS st FROM s.o_v1.o", {"st": {"id", "x"}}),
    ("SELECT sum(x) OVER (PARTITION BY id) AS w FROM s.o_v1.o", {"w": {"id", "x"}}),
    ("SELECT coalesce(p.x, q.id) AS y FROM s.o_v1.o p JOIN s.o_v1.o q USING (id)", {"y": {"id", "x"}}),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), KNOWN)
def test_a_column_is_made_of_these(sql: str, expected: dict[str, set[str]]) -> None:
    found = sql_lineage(sql, SCHEMAS)
    assert found.tables == {ORDERS}
    assert {name: {c for _, c in origins or ()} for name, origins in found.columns.items()} == expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT o AS y FROM s.o_v1.o",
        "SELECT p AS y FROM s.o_v1.o p",
        "SELECT COLUMNS('y') FROM s.o_v1.o",
        "PIVOT s.o_v1.o ON id USING sum(x)",
        "SELECT * FROM raw",
        "not SQL at all (",
        "SELECT " + "(" * 3000 + "1" + ")" * 3000 + " AS y",
    ],
)
def test_what_is_not_understood_is_unknown(sql: str) -> None:
    assert sql_lineage(sql, SCHEMAS).columns.get("y") is None


def test_a_name_in_an_inner_question_may_be_the_outer_one_s() -> None:
    # `raw` has columns that nobody states: "Email" may be its own or that of o
    assert sql_lineage('SELECT (SELECT max("Email") FROM raw) AS y FROM s.o_v1.o', SCHEMAS).columns.get("y") is None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "+".join(["x"] * 20_000) + " AS y FROM s.o_v1.o",
        "SELECT " + " || ".join(["x"] * 900) + " AS y FROM s.o_v1.o",
        " UNION ALL ".join(["SELECT x AS y FROM s.o_v1.o"] * 3_000),
        "SELECT x AS y FROM s.o_v1.o WHERE " + " OR ".join(f"id = {i}" for i in range(5_000)),
        "WITH a0 AS (SELECT * FROM s.o_v1.o)"
        + "".join(f", a{i} AS (SELECT * FROM a{i - 1} p, a{i - 1} q)" for i in range(1, 40))
        + " SELECT * FROM a39",
    ],
    ids=["sum", "text", "union", "or", "stars"],
)
def test_what_is_made_to_be_slow_is_unknown_in_time(sql: str) -> None:
    began = time.process_time()
    found = sql_lineage(sql, SCHEMAS)
    assert time.process_time() - began < 3
    assert found.columns.get("y") in (None, frozenset({(ORDERS, "x")}))


def test_wide_tables_are_followed_in_time() -> None:
    wide = {ORDERS: [f"c{i}" for i in range(500)]}
    began = time.process_time()
    found = sql_lineage("WITH a AS (SELECT * FROM s.o_v1.o), b AS (SELECT * FROM a) SELECT * FROM b", wide)
    assert time.process_time() - began < 2
    assert found.columns == {name: frozenset({(ORDERS, name)}) for name in wide[ORDERS]}


@pytest.mark.parametrize(
    "sql",
    ["", ";", "SELECT 1; SELECT 2", "SUMMARIZE s.o_v1.o", "SELECT y FROM (SUMMARIZE s.o_v1.o) q",
     "CREATE TABLE a AS SELECT 1", "INSERT INTO a SELECT id FROM s.o_v1.o", "not SQL at all ("],
)  # fmt: skip
def test_what_is_no_question_is_told_as_not_readable(sql: str) -> None:
    found = sql_lineage(sql, SCHEMAS)
    assert (found.readable, found.tables, found.columns) == (False, frozenset(), {})


def test_what_cannot_be_read_is_made_of_all_that_is_declared() -> None:
    whole, _ = read(**{"growth/baskets/baskets.sql": "SELECT ( FROM sales.orders_v1.orders"})
    baskets = TableId(ProductId("growth", "baskets"), 1, "baskets")
    found = product_lineage(whole, baskets.product)[baskets]
    assert found.tables == {("sales", "orders_v1", "orders")}
    assert found.columns == {"item": None, "orders": None}


@pytest.mark.parametrize("end", [";", "; -- the end", "  ;;"])
def test_a_semicolon_at_the_end_is_no_second_statement(end: str) -> None:
    assert sql_lineage("SELECT id FROM s.o_v1.o" + end, SCHEMAS).columns == {"id": frozenset({(ORDERS, "id")})}


def test_a_cte_is_known_whatever_its_case() -> None:
    assert sql_lineage("WITH Raw AS (SELECT id FROM s.o_v1.o) SELECT id FROM raw", SCHEMAS).tables == {ORDERS}


def test_a_cte_is_no_table_and_shadows_only_where_it_is_in_scope() -> None:
    assert sql_lineage("WITH raw AS (SELECT 1 AS a) SELECT a FROM raw", {}).tables == frozenset()
    found = sql_lineage("SELECT a FROM raw WHERE a IN (WITH raw AS (SELECT 1 AS a) SELECT a FROM raw)", {})
    assert found.tables == {("raw",)}
