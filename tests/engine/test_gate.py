"""The gate: what passes, what is refused, and which tables a statement names."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse.engine import gate_lists
from hanse.engine.errors import BadParameter, NotAllowed, QuerySyntax, StatementTooLong
from hanse.engine.gate import check

REFUSED = [
    "SELECT 1; SELECT 2",
    "",
    ";",
    "INSERT INTO sales.orders VALUES (1)",
    "WITH u AS (DELETE FROM sales.orders RETURNING *) SELECT * FROM u",
    "COPY sales.orders TO 'x.csv'",
    "ATTACH 'x' AS y",
    "USE sales",
    "SET threads = 4",
    "RESET threads",
    "PRAGMA table_info('x')",
    "CALL pragma_version()",
    "LOAD httpfs",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "VACUUM",
    "CHECKPOINT",
    "EXPORT DATABASE 'x'",
    "PIVOT sales.orders ON region USING sum(x)",
    "SELECT * FROM (DESCRIBE sales.orders)",
    "SELECT * FROM (SHOW TABLES)",
    "SHOW TABLES FROM sales",
    "SELECT * FROM read_parquet('x.parquet')",
    "SELECT * FROM glob('*')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('x')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM json_execute_serialized_sql('x')",
    "SELECT current_setting('threads')",
    "SELECT getvariable('x')",
    "SELECT getenv('HOME')",
    "SELECT nextval('s')",
    "SELECT setseed(0.5)",
    "SELECT pg_sleep(1)",
    "SELECT sleep_ms(1)",
    "SELECT write_log('x')",
    "SELECT stats(1)",
    "SELECT current_query()",
    "SELECT txid_current()",
    "SELECT json_serialize_plan('SELECT 1')",
    "SELECT json_deserialize_sql('{}')",
    "SELECT a.b(1)",
    "SELECT other.main.upper('x')",
    "SELECT 'x'::other.thing",
    "SELECT DEFAULT",
    "SELECT sum(getvariable('x')) OVER () FROM sales.orders",
    "SELECT current_setting('threads') OVER () FROM sales.orders",
    "SELECT list_transform([1], lambda x: getvariable('y'))",
    "SELECT 1 ORDER BY getvariable('x')",
    "SELECT 1 LIMIT (SELECT getvariable('x'))",
    "SELECT CASE WHEN true THEN getvariable('x') END",
    "SELECT * FROM range((SELECT getvariable('x')))",
    "SELECT * REPLACE (getvariable('x') AS a) FROM sales.orders",
    "SELECT * FROM (VALUES (getvariable('x')))",
    "SELECT DISTINCT ON (getvariable('x')) 1",
    "SELECT 1 GROUP BY GROUPING SETS ((getvariable('x')))",
    "WITH RECURSIVE r USING KEY (a) AS (SELECT 1 AS a UNION SELECT getvariable('x') FROM r) SELECT * FROM r",
    "EXPLAIN DELETE FROM sales.orders",
    "EXPLAIN ANALYZE SELECT getvariable('x')",
    "SELECT x FROM sales.orders AT (VERSION => 1 + 1)",
    "SELECT x FROM sales.orders AT (VERSION => ?)",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_a_statement_that_is_more_than_a_question_is_refused(sql: str) -> None:
    with pytest.raises(NotAllowed):
        check(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'SELECT * FROM read_csv' AS s",
        "SELECT 1;",
        "FROM sales.orders",
        "TABLE sales.orders",
        "VALUES (1, 2)",
        "SELECT * EXCLUDE (a) REPLACE (1 AS b) RENAME (c AS d) FROM sales.orders",
        "SELECT COLUMNS('a.*'), o.* FROM sales.orders o",
        "SELECT count(*) FILTER (WHERE x > 1), sum(x) OVER (PARTITION BY y ORDER BY z) FROM sales.orders",
        "SELECT list_transform([1, 2], lambda x: x + 1), [y FOR y IN [1, 2] IF y > 1], {'a': 1}.a, MAP {'k': 1}['k']",
        "SELECT * FROM sales.orders TABLESAMPLE 10%",
        "FROM sales.orders PIVOT (sum(x) FOR region IN ('a', 'b'))",
        "SELECT * FROM sales.orders UNPIVOT (v FOR n IN (a, b))",
        "SELECT * FROM a.b ASOF JOIN c.d ON b.x >= d.x",
        "SELECT x FROM a.b GROUP BY ALL HAVING count(*) > 1 QUALIFY row_number() OVER () = 1 ORDER BY ALL LIMIT 10%",
        "SELECT current_date, now(), date_trunc('month', x), x AT TIME ZONE 'UTC', INTERVAL 1 DAY FROM a.b",
        "SELECT system.main.upper('x'), CAST(x AS DECIMAL(10, 2)), TRY_CAST(x AS STRUCT(a INTEGER[])) FROM a.b",
        "SELECT (SELECT max(x) FROM a.b), EXISTS (FROM a.b), x IN (SELECT y FROM a.b), x = ANY (SELECT 1) FROM a.b",
        "SELECT * FROM range(3), generate_series(1, 2), unnest([1])",
        "SELECT json_extract(a, '$.x'), a -> 'x', a ->> 'x' FROM a.b",
        "SELECT error('no') FROM a.b",
    ],
)
def test_a_question_passes(sql: str) -> None:
    assert check(sql).kind == "select"


def named(sql: str) -> list[str]:
    return [reference.text for reference in check(sql).references]


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT * FROM sales.orders", ["sales.orders"]),
        ("SELECT * FROM SALES.Orders_V1.LINES", ["sales.orders_v1.lines"]),
        ('SELECT * FROM "Ä".b', ["Ä.b"]),
        ("SELECT * FROM hr/*x*/.salaries", ["hr.salaries"]),
        ("WITH x AS (SELECT 1) SELECT * FROM X", []),
        ("WITH x AS (SELECT * FROM x) SELECT * FROM x", ["x"]),
        ("WITH a AS (FROM b), b AS (FROM a) SELECT * FROM a, b", ["b"]),
        ("SELECT (WITH z AS (SELECT 1) SELECT * FROM z), (SELECT count(*) FROM z)", ["z"]),
        ("WITH a AS (SELECT 1) SELECT * FROM (WITH b AS (FROM a) FROM b), a, b", ["b"]),
        ("WITH a AS (SELECT 1) SELECT * FROM sales.a", ["sales.a"]),
        ("WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r WHERE x < 3) FROM r", []),
        ("WITH RECURSIVE r AS (SELECT x FROM r UNION ALL SELECT 1) FROM r", ["r"]),
        ("WITH RECURSIVE r AS (FROM a.b UNION ALL (WITH c AS (FROM r) FROM c)) FROM r", ["a.b"]),
        ("FROM recurring.r", ["recurring.r"]),
        ("SELECT 1 FROM a.b UNION SELECT 1 FROM c.d EXCEPT SELECT 1 FROM e.f", ["a.b", "c.d", "e.f"]),
        ("SELECT * FROM a.b, LATERAL (SELECT * FROM c.d WHERE d.x = b.x)", ["a.b", "c.d"]),
        ("SELECT * FROM a.b ORDER BY (SELECT max(x) FROM c.d)", ["a.b", "c.d"]),
        ("SELECT 1 LIMIT (SELECT count(*) FROM a.b)", ["a.b"]),
        ("SELECT * FROM 'data.parquet'", ["data.parquet"]),
        ("SELECT * FROM information_schema.tables", ["information_schema.tables"]),
        ("DESCRIBE sales.orders", ["sales.orders"]),
        ("SUMMARIZE SELECT * FROM sales.orders", ["sales.orders"]),
        ("EXPLAIN SELECT * FROM sales.orders", ["sales.orders"]),
        ("/* a */ EXPLAIN -- b\n SELECT * FROM sales.orders", ["sales.orders"]),
    ],
)
def test_every_table_is_a_reference_or_a_cte_in_scope(sql: str, tables: list[str]) -> None:
    assert sorted(named(sql)) == sorted(tables)


@pytest.mark.parametrize(
    ("sql", "kind", "subject"),
    [
        ("DESCRIBE sales.orders", "describe", "sales.orders"),
        ("SHOW sales.orders", "describe", "sales.orders"),
        ("DESCRIBE SELECT * FROM sales.orders", "describe", None),
        ("SUMMARIZE sales.orders", "summarize", "sales.orders"),
        ("SHOW TABLES", "show", None),
        ("SHOW ALL TABLES", "show", None),
        ("SHOW DATABASES", "show", None),
        ("EXPLAIN SELECT 1", "explain", None),
    ],
)
def test_questions_about_tables_are_told_apart(sql: str, kind: str, subject: str | None) -> None:
    gated = check(sql)
    assert gated.kind == kind
    assert (gated.subject.text if gated.subject else None) == subject


def test_time_travel_is_read_and_becomes_a_name_of_its_own() -> None:
    gated = check(
        "SELECT o.x FROM sales.orders o AT (VERSION => 41), sales.orders.lines AT (TIMESTAMP => '2026-01-02 03:04:05')"
    )
    first, second = gated.references
    assert (first.text, first.version, first.timestamp) == ("sales.orders", 41, None)
    assert (second.text, second.timestamp) == ("sales.orders.lines", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert "AT (" not in gated.sql
    assert [reference.called for reference in check(gated.sql).references] == [first.called, second.called]


def test_the_same_table_at_two_times_is_two_references() -> None:
    gated = check("SELECT * FROM a.b x AT (VERSION => 1) JOIN a.b y USING (id)")
    assert [(r.text, r.version) for r in gated.references] == [("a.b", 1), ("a.b", None)]
    assert len({r.called for r in gated.references}) == 2


def test_a_syntax_error_tells_its_place() -> None:
    with pytest.raises(QuerySyntax) as caught:
        check("SELECT 1\nFROM FROM x")
    assert caught.value.where == "2:6"


def test_a_name_of_four_parts_is_told_in_our_words() -> None:
    with pytest.raises(QuerySyntax, match="three parts"):
        check("SELECT * FROM a.b.c.d")


def test_a_refused_function_tells_its_place() -> None:
    with pytest.raises(NotAllowed) as caught:
        check("SELECT 1,\n  getvariable('é')")
    assert caught.value.where == "2:3"


def test_a_statement_over_its_length_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(StatementTooLong):
        check("SELECT '" + "x" * (256 * 1024) + "'")


@pytest.mark.parametrize("sql", ["SELECT " + "(" * 4000 + "1" + ")" * 4000, "SELECT 1" + "+1" * 4000])
def test_deep_nesting_ends_in_an_answer_or_a_refusal(sql: str) -> None:
    with contextlib.suppress(NotAllowed, QuerySyntax):
        check(sql)


def test_parameters_must_fit() -> None:
    check("SELECT ?, ?", [1, 2])
    check("SELECT $a", {"a": 1})
    for sql, given_ in (("SELECT ?", []), ("SELECT ?", [1, 2]), ("SELECT $a", {"b": 1}), ("SELECT 1", [1])):
        with pytest.raises(BadParameter):
            check(sql, given_)


def test_columns_that_a_statement_may_touch_are_told() -> None:
    assert check("SELECT a FROM x.t WHERE b = 1").identifiers == {"a", "b", "t"}
    for sql in ("SELECT * FROM x.t", "SELECT a FROM x.t NATURAL JOIN x.u", "SELECT COLUMNS('a') FROM x.t"):
        assert check(sql).identifiers is None


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("a = 1", [("a", "=")]),
        ("1 < a", [("a", ">")]),
        ("a = 1 AND b IN ('x', 'y')", [("a", "="), ("b", "in")]),
        ("c BETWEEN 1 AND 2 AND d IS NULL", [("c", "between"), ("d", "is-null")]),
        ("d >= DATE '2026-01-01'", [("d", ">=")]),
        ("a = 1 OR b = 2", []),
        ("a = b", []),
        ("upper(a) = 'X'", []),
        ("a::INT = 1", []),
        ("a = ?", []),
        ("a LIKE 'x%'", []),
        ("NOT (a = 1)", [("a", "<>")]),
        ("a IN (SELECT 1)", []),
        ("a = NULL", []),
    ],
)  # fmt: skip
def test_only_comparisons_that_cannot_raise_may_run_early(where: str, found: list[tuple[str, str]]) -> None:
    gated = check(f"SELECT x FROM s.t WHERE {where}")
    assert [(c.column, c.operator) for c in gated.comparisons] == found


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT x FROM s.t JOIN s.t u USING (x) WHERE t.x = 1",
        "SELECT x FROM s.t LEFT JOIN s.u USING (x) WHERE t.x = 1",
        "SELECT x FROM (FROM s.t) WHERE x = 1",
        "WITH c AS (FROM s.t) SELECT x FROM c WHERE x = 1",
    ],
)
def test_nothing_runs_early_beside_outer_joins_second_scans_and_subqueries(sql: str) -> None:
    gated = check(sql)
    assert not gated.scans or not gated.comparisons or all(gated.sql.count("s.t") == 1 for _ in gated.scans)


def test_every_listed_function_exists_or_is_syntax() -> None:
    known = {
        name.lower() for (name,) in duckdb.connect().execute("SELECT function_name FROM duckdb_functions()").fetchall()
    }
    # made by the parser, without an entry in the catalogue
    assert gate_lists.FUNCTIONS - known <= {"coalesce", "ifnull", "unnest", "->"}


def test_no_listed_function_has_side_effects_by_its_own_declaration() -> None:
    volatile = {
        name
        for (name,) in duckdb.connect()
        .execute("SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE has_side_effects")
        .fetchall()
    }
    # random values and error() are fine: they change nothing that another may see
    assert gate_lists.FUNCTIONS & volatile <= {"random", "gen_random_uuid", "uuid", "uuidv4", "uuidv7", "error"}


@given(st.text(max_size=80))
def test_any_text_is_gated_or_refused_and_nothing_else(text: str) -> None:
    with contextlib.suppress(QuerySyntax, NotAllowed):
        assert check(text).kind in ("select", "describe", "show", "summarize", "explain")
