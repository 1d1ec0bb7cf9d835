"""Row policies: one predicate, attributes as literals, and what a predicate may not do."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hanse.governance.row_policies import RowPolicy, load

from .world import findings, person, product


def policy(body: str, header: str = "-- table: sales.orders.orders") -> RowPolicy:
    read, found = load("policies/rows/x.sql", f"{header}\n{body}\n", None)
    assert found == []
    assert read is not None
    return read


def bound(body: str, **attributes: Any) -> str:
    return policy(body).rule(person("eve", "growth", "emea", **attributes), "sales").predicate


@pytest.mark.parametrize(
    ("body", "attributes", "predicate"),
    [
        ("region = principal.region", {"region": "EMEA"}, "region = 'EMEA'"),
        ("region = PRINCIPAL.region", {"region": "x' OR 1=1 --"}, "region = 'x'' OR 1=1 --'"),
        ("id < principal.most", {"most": 7}, "id < 7"),
        ("id < principal.most", {"most": -7}, "id < (-7)"),
        ("x < principal.most", {"most": 0.5}, "x < 0.5e0"),
        ("open = principal.all", {"all": True}, "open = TRUE"),
        ("region IN principal.regions", {"regions": ["A", "B"]}, "region IN ('A', 'B')"),
        ("region IN (principal.regions)", {"regions": ["A"]}, "region IN ('A')"),
        ("region IN (principal.regions, 'Z')", {"regions": ["A"]}, "region IN ('A', 'Z')"),
        ("region IN principal.regions", {"regions": []}, "FALSE"),
        ("region IN (principal.region)", {"region": "A"}, "region IN ('A')"),
        ("list_contains(principal.regions, region)", {"regions": ["A"]}, "ARRAY_CONTAINS(['A'], region)"),
        ("usr = principal.name", {}, "usr = 'eve'"),
        ("team IN principal.teams", {}, "team IN ('emea', 'growth')"),
        ("region = principal.region", {}, "FALSE"),
        ("region = principal.region", {"region": None}, "FALSE"),
        ("NOT region = principal.region", {}, "FALSE"),
        ("x < principal.most", {"most": float("nan")}, "FALSE"),
        ("attrs.ip = 'x' -- why", {}, "attrs.ip = 'x'"),
        ("note = 'principal.region; drop'", {}, "note = 'principal.region; drop'"),
    ],
)
def test_attributes_become_literals(body: str, attributes: dict[str, Any], predicate: str) -> None:
    assert bound(body, **attributes) == predicate


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
def test_no_attribute_value_leaves_its_literal(value: str) -> None:
    predicate = bound("region = principal.region", region=value)
    connection = duckdb.connect()
    rows = connection.execute(f"SELECT region = ? FROM (SELECT ? AS region) WHERE {predicate}", [value, value])
    assert rows.fetchall() == [(True,)]


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans()))
@example(0.00045764017018269524)
def test_numbers_and_truths_keep_their_value(value: float) -> None:
    predicate = bound("x = principal.x", x=value)
    kind = "BOOLEAN" if isinstance(value, bool) else "BIGINT" if isinstance(value, int) else "DOUBLE"
    assert duckdb.connect().execute(f"SELECT {predicate} FROM (SELECT ?::{kind} AS x)", [value]).fetchone() == (True,)


PREDICATES = """
id // 7 = 3
id % 7 = 3
id / 7 > 3
id ^ 2 > 50
-id < -5
region || 'x' = 'r1x'
n IS DISTINCT FROM 5
n IS NOT NULL AND NOT (n = 5)
NOT n = 5 OR n IS NULL
region LIKE 'r!_%' ESCAPE '!'
region ILIKE 'R1'
region SIMILAR TO 'r[12]'
region ~ 'r[12]'
region GLOB 'r*'
region COLLATE NOCASE = 'R1'
region = 'it''s'
region = $$r1$$
region[2] = '1'
region ^@ 'r1'
substring(region, 2, 1) = '1'
regexp_matches(region, '^r[12]$')
split_part(region, 'r', 2) = '1'
left(region, 1) = 'r' AND right(region, 1) = '1'
attrs.ip = '10.0.0.7'
attrs['ip'] = '10.0.0.7'
m['k'] = 5
j->>'a' = '7'
tags[1] = 'a' AND tags[2:2] = ['b1']
'b1' IN tags
tags && ['b1']
list_has_any(tags, ['b1', 'b2'])
len(tags) = 2
year(d) = 2020 AND month(d) < 3
d < DATE '2020-02-01'
d + INTERVAL 5 DAY < DATE '2020-02-01'
date_trunc('month', d) = DATE '2020-02-01'
date_diff('day', DATE '2020-01-01', d) < 5
dayofweek(d) = 1
extract(dow FROM d) = 1
ts::date = DATE '2020-01-02'
ts - INTERVAL '1 hour' < TIMESTAMP '2020-01-01 12:00'
CASE WHEN id > 5 THEN region = 'r1' ELSE false END
try_cast(region AS INT) IS NULL
id BETWEEN 3 AND 9
NOT id IN (1, 2, 3)
(id, region) IN ((1, 'r1'))
id & 3 = 1 AND id << 1 > 4
x = 1 / 7
id = 1e1
id IN (SELECT max(id) FROM s.t)
EXISTS (SELECT 1 FROM s.t AS e WHERE e.id = t.id AND e.id < 4)
id > 3 -- a comment
"""


@pytest.mark.parametrize("body", PREDICATES.strip().splitlines())
def test_a_predicate_keeps_its_meaning_on_the_way(body: str) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA s")
    connection.execute(
        "CREATE TABLE s.t AS SELECT i AS id, i::double / 7 AS x, 'r' || (i % 5) AS region, "
        "['a', 'b' || (i % 3)] AS tags, {'ip': '10.0.0.' || i} AS attrs, "
        "DATE '2020-01-01' + i::int AS d, map {'k': i} AS m, "
        "TIMESTAMP '2020-01-01 10:00' + to_hours(i) AS ts, json_object('a', i) AS j, "
        "CASE WHEN i % 4 <> 0 THEN i END AS n FROM range(60) r(i)"
    )
    wanted = connection.execute(f"SELECT id FROM s.t WHERE {body}").fetchall()
    header = "-- table: s.t.t"
    assert connection.execute(f"SELECT id FROM s.t WHERE {policy(body, header).sql}").fetchall() == wanted


def test_one_and_true_are_not_the_same_attribute() -> None:
    held = policy("x = principal.x")
    shown = [held.rule(person("e", x=value), "sales").predicate for value in (1, True, 1.0, "1")]
    assert shown == ["x = 1", "x = TRUE", "x = 1.0e0", "x = '1'"]


def test_tables_that_are_read_are_told() -> None:
    body = "region IN (SELECT region FROM sales.Entitlements.entitlements AS e WHERE e.usr = principal.name)"
    rule = policy(body).rule(person("eve"), "sales")
    assert rule.reads == {("sales", "entitlements", "entitlements")}
    assert "usr = 'eve'" in rule.predicate
    assert policy("EXISTS (WITH c AS (SELECT 1 AS y FROM sales.e) SELECT y FROM c)").reads == {("sales", "e")}


def test_a_policy_by_tag_reads_only_tables_of_the_domain_it_is_asked_in() -> None:
    held = policy("id IN (SELECT id FROM sales.allowed)", "-- tag: money")
    assert held.rule(person("eve"), "sales").predicate != "FALSE"
    assert held.rule(person("eve"), "finance").predicate == "FALSE"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "id = 1; DROP TABLE x",
        "id = 1;",
        "select 1",
        "delete from x",
        "insert into x values (1)",
        "copy x to 'a'",
        "pragma version",
        "attach 'x'",
        "id = = 1",
        "id = 1) OR (1 = 1",
        "id IN (SELECT id FROM read_csv('/etc/passwd'))",
        "id IN (SELECT id FROM 'file.csv')",
        "id IN (FROM 'file.parquet')",
        "id IN (SELECT content FROM read_text('x'))",
        "id IN (SELECT file FROM glob('*'))",
        "read_text('x') IS NULL",
        "getenv('HOME') = 'x'",
        "current_setting('threads') = '1'",
        "random() < 0.5",
        "d < current_date",
        "d < now()",
        "id = $1",
        "id = ?",
        "principal.a.b = 1",
        "id IN (SELECT id FROM entitlements)",
        "id IN (SELECT id FROM a.b.c.d)",
        "id IN (SELECT id FROM hr.people)",
        "nextval('s') = 1",
        "id IN (SELECT * FROM information_schema.tables)",
        "error('x') IS NULL",
        "repeat('x', 2000000000) = 'y'",
    ],
)
def test_a_predicate_that_does_more_is_refused(body: str) -> None:
    read, found = load("policies/rows/x.sql", f"-- table: sales.orders.orders\n{body}\n", None)
    assert read is None
    assert found[0].code in ("policy.bad-row-policy", "policy.foreign-table")
    assert found[0].line == 2


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("", 1),
        ("-- tabel: sales.orders.orders", 1),
        ("-- table: sales.orders", 1),
        ("-- table: Sales.Orders.X", 1),
        ("-- table: sales.orders.orders\n-- to: growth", 2),
        ("-- table: sales.orders.orders\n-- table: sales.orders.orders", 2),
        ("-- table: sales.orders.orders\n-- domain: sales", 2),
        ("-- tag:", 1),
    ],
)
def test_a_header_that_cannot_be_read_is_told_with_its_line(header: str, line: int) -> None:
    read, found = load("policies/rows/x.sql", f"{header}\nid = 1\n".lstrip("\n"), None)
    assert read is None
    assert (found[0].code, found[0].line) == ("policy.bad-row-policy", line)


def test_a_mistake_is_told_at_its_line_and_column() -> None:
    (found,) = findings({"rows/x.sql": "-- table: sales.orders.orders\n\nid = 1\n  AND = 2\n"})
    assert (found.file, found.line) == ("policies/rows/x.sql", 4)


def test_a_local_policy_is_about_its_own_domain_only() -> None:
    (found,) = findings(local={"rows/x.sql": "-- table: hr.people.people\nid = 1"})
    assert found.code == "policy.foreign-table"
    read, _ = load("sales/policies/rows/x.sql", "-- tag: money\nid = 1", "sales")
    assert read is not None
    assert read.domain == "sales"


@pytest.mark.parametrize(
    ("to", "eve", "basket"),
    [("team:growth", True, False), ("person:eve, product:growth/basket", True, True), ("person:bob", False, False)],
)
def test_a_policy_binds_whom_it_names(to: str, eve: bool, basket: bool) -> None:
    held = policy("id = 1", f"-- table: sales.orders.orders\n-- to: {to}")
    assert held.binds(person("eve", "growth")) is eve
    assert held.binds(product("growth/basket", "kontor")) is basket


def test_a_policy_that_names_nobody_binds_everybody() -> None:
    held = policy("id = 1")
    assert held.binds(person("eve"))
    assert held.binds(product("growth/basket", "growth"))
