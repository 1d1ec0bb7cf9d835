"""Lineage of transforms: what is not understood is unknown, never empty."""

from __future__ import annotations

import pytest

from hanse.spec.lineage import sql_lineage

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


def test_a_cte_is_no_table_and_shadows_only_where_it_is_in_scope() -> None:
    assert sql_lineage("WITH raw AS (SELECT 1 AS a) SELECT a FROM raw", {}).tables == frozenset()
    found = sql_lineage("SELECT a FROM raw WHERE a IN (WITH raw AS (SELECT 1 AS a) SELECT a FROM raw)", {})
    assert found.tables == {("raw",)}
