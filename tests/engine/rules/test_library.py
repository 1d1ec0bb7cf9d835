"""Quality rules: metrics with their arguments, operators, units, SQL, relationships, service levels."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from hanse.engine.rules import alone
from hanse.engine.rules.model import CheckResult, Relation, Status, TestReport
from hanse.engine.rules.operators import holds, problem
from hanse.errors import RejectedError
from hanse.spec.document import load
from hanse.spec.read import contract as read_contract

Tested = Callable[..., TestReport]
Results = Callable[[TestReport], dict[str, CheckResult]]
FIVE = "FROM (VALUES (1, 'a'), (2, ''), (3, 'N/A'), (4, NULL), (4, 'a')) t(id, word)"


def rule(quality: str, *, table: bool = False) -> str:
    table_rules = f"    quality: [{quality}]\n" if table else ""
    column_rules = "" if table else f"        quality: [{quality}]\n"
    return f"""\
schema:
  - name: things
{table_rules}    properties:
      - {{name: id, logicalType: integer}}
      - name: word
        logicalType: string
{column_rules}"""


@pytest.mark.parametrize(
    ("operator", "goal", "good", "bad"),
    [
        ("mustBe", 5, [5], [4, 6]),
        ("mustNotBe", 5, [4, 6], [5]),
        ("mustBeGreaterThan", 5, [6], [5]),
        ("mustBeGreaterOrEqualTo", 5, [5, 6], [4]),
        ("mustBeLessThan", 5, [4], [5]),
        ("mustBeLessOrEqualTo", 5, [4, 5], [6]),
        ("mustBeBetween", [3, 5], [3, 4, 5], [2, 6]),
        ("mustNotBeBetween", [3, 5], [2, 6], [3, 4, 5]),
    ],
)
def test_each_operator_judges_as_the_standard_says(
    operator: str, goal: object, good: list[int], bad: list[int]
) -> None:
    assert problem(operator, goal) is None
    assert all(holds(value, operator, goal) for value in good)
    assert not any(holds(value, operator, goal) for value in bad)


@pytest.mark.parametrize(
    ("operator", "goal"),
    [(None, None), ("mustBe", "x"), ("mustBeBetween", [1]), ("mustBeBetween", [5, 3]), ("mustBeLessThan", True)],
)
def test_a_rule_that_cannot_judge_says_why(operator: str | None, goal: object) -> None:
    assert problem(operator, goal)


@pytest.mark.parametrize(
    ("quality", "count"),
    [
        ("{name: r, metric: nullValues, mustBe: 99}", 1),
        ("{name: r, metric: missingValues, arguments: {missingValues: [null, '', N/A]}, mustBe: 99}", 3),
        ("{name: r, metric: missingValues, arguments: {missingValues: [N/A]}, mustBe: 99}", 1),
        ("{name: r, metric: missingValues, mustBe: 99}", 2),
        ("{name: r, metric: invalidValues, arguments: {validValues: [a]}, mustBe: 99}", 2),
        ("{name: r, metric: invalidValues, arguments: {pattern: '^[a-z]+$'}, mustBe: 99}", 2),
        ("{name: r, metric: duplicateValues, mustBe: 99}", 1),
    ],
)
def test_a_metric_of_a_column_counts_rows(tested: Tested, results: Results, quality: str, count: int) -> None:
    found = results(tested(rule(quality), {"things": FIVE}))["things.r"]
    assert (found.status, found.count, found.rows) == (Status.FAIL, count, 5)


def test_percent_is_of_all_rows(tested: Tested, results: Results) -> None:
    quality = "{name: r, metric: nullValues, unit: percent, mustBe: 20}"
    found = results(tested(rule(quality), {"things": FIVE}))["things.r"]
    assert (found.status, found.value) == (Status.OK, 20.0)


@pytest.mark.parametrize(
    ("quality", "status", "value"),
    [
        ("{name: r, metric: rowCount, mustBe: 5}", Status.OK, 5),
        ("{name: r, metric: rowCount, mustBeBetween: [6, 9]}", Status.FAIL, 5),
        ("{name: r, metric: duplicateValues, arguments: {properties: [id]}, mustBe: 0}", Status.FAIL, 1),
        ("{name: r, metric: duplicateValues, arguments: {properties: [id, word]}, mustBe: 0}", Status.OK, 0),
        ("{name: r, metric: rowCount, unit: percent, mustBe: 5}", Status.NOT_RUN, None),
        ("{name: r, type: text, description: all is well}", Status.NOT_RUN, None),
        ("{name: r, type: custom, engine: soda, implementation: x}", Status.NOT_RUN, None),
        ("{name: r, metric: rowCount, mustBe: 4, severity: warning}", Status.WARN, 5),
        ("{name: r, metric: rowCount, mustBe: 4, severity: info}", Status.WARN, 5),
        ("{name: r, metric: rowCount, mustBe: 4, severity: error}", Status.FAIL, 5),
    ],
)
def test_a_rule_of_a_table_ends_as_it_should(
    tested: Tested, results: Results, quality: str, status: Status, value: float | None
) -> None:
    found = results(tested(rule(quality, table=True), {"things": FIVE}))["things.r"]
    assert (found.status, found.value) == (status, value), found.message
    assert (status is Status.NOT_RUN) == bool(found.message)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM ${table} WHERE ${column} IS NULL",
        "SELECT count(*) FROM {table} WHERE {column} IS NULL",
        "SELECT count(*) FROM {object} WHERE {property} IS NULL",
        "SELECT count(*) FROM {model} WHERE {field} IS NULL",
        "SELECT count(*) FROM things WHERE word IS NULL",
    ],
)
def test_sql_knows_every_spelling_of_its_placeholders(tested: Tested, results: Results, query: str) -> None:
    found = results(tested(rule(f"{{name: r, type: sql, query: '{query}', mustBe: 1}}"), {"things": FIVE}))["things.r"]
    assert (found.status, found.value) == (Status.OK, 1), found.message


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT count(*) FROM others", "others"),
        ("SELECT word FROM things LIMIT 1", "a str"),
        ("SELECT id FROM things", "one row"),
        ("SELECT id, id FROM things LIMIT 1", "one value"),
        ("SELECT nothing FROM things", "nothing"),
    ],
)
def test_sql_that_is_more_than_a_question_about_the_table_is_not_run(
    tested: Tested, results: Results, query: str, says: str
) -> None:
    schema = rule(f"{{name: r, type: sql, query: '{query}', mustBe: 1}}", table=True)
    found = results(tested(schema, {"things": FIVE}))
    assert found["things.r"].status is Status.ERROR
    assert says in found["things.r"].message
    assert found["things.schema"].status is Status.OK


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM read_csv(''/etc/passwd'')",
        "SELECT count(*) FROM duckdb_secrets()",
        "DELETE FROM things",
        "SELECT current_setting(''threads'')::INTEGER",
        "SELECT length(getenv(''HOME''))",
        "SELECT count(*) FROM things; SELECT 1",
    ],
)
def test_sql_that_reaches_elsewhere_rejects_the_contract_before_any_data_is_read(tested: Tested, query: str) -> None:
    with pytest.raises(RejectedError):
        tested(rule(f"{{name: r, type: sql, query: '{query}', mustBe: 1}}", table=True), {"things": FIVE})


def test_sql_may_give_true_or_false_and_join_tables_of_the_contract(tested: Tested, results: Results) -> None:
    schema = """\
schema:
  - name: things
    quality:
      - {name: whole, type: sql, query: 'SELECT count(*) = 2 FROM things', mustBe: 1}
      - {name: joined, type: sql, query: 'SELECT count(*) FROM {object} t JOIN kinds k ON t.kind = k.id', mustBe: 1}
    properties:
      - {name: kind, logicalType: integer}
  - name: kinds
    properties:
      - {name: id, logicalType: integer}
"""
    found = results(tested(schema, {"things": "FROM (VALUES (1), (2)) t(kind)", "kinds": "SELECT 1 AS id"}))
    assert found["things.whole"].status is Status.OK
    assert found["things.joined"].status is Status.OK


RELATED = """\
schema:
  - name: things
    {at_table}
    properties:
      - name: kind
        logicalType: integer
        {at_column}
      - {{name: sub, logicalType: integer}}
  - name: kinds
    properties:
      - {{name: id, logicalType: integer}}
      - {{name: sub, logicalType: integer}}
"""
THINGS = "FROM (VALUES (1, 1), (2, 1), (2, 1), (NULL, 1)) t(kind, sub)"
KINDS = "FROM (VALUES (1, 1), (3, 3)) t(id, sub)"


def test_a_reference_within_the_contract_counts_its_orphans(tested: Tested, results: Results) -> None:
    schema = RELATED.format(at_table="quality: []", at_column="relationships: [{to: kinds.id}]")
    report = tested(schema, {"things": THINGS, "kinds": KINDS})
    found = results(report)["things.kind.in.kinds"]
    assert (found.status, found.count) == (Status.FAIL, 2)
    assert report.samples["things.kind.in.kinds"].values == (("2", 2),)


def test_a_composite_reference_leaves_out_rows_with_a_null_and_may_only_warn(tested: Tested, results: Results) -> None:
    at_table = (
        "relationships: [{from: [things.kind, things.sub], to: [kinds.id, kinds.sub], "
        "customProperties: [{property: severity, value: warning}]}]"
    )
    schema = RELATED.format(at_table=at_table, at_column="description: x")
    found = results(tested(schema, {"things": THINGS, "kinds": KINDS}))["things.kind-sub.in.kinds"]
    assert (found.status, found.count) == (Status.WARN, 2)


@pytest.mark.parametrize(
    ("level", "status", "says"),
    [
        ("{property: latency, value: 2, unit: d, element: things.seen}", Status.OK, "36 h"),
        ("{property: latency, value: 1, unit: d, element: seen}", Status.WARN, "36 h"),
        (
            "{property: latency, value: 1, unit: d, element: seen, "
            "customProperties: [{property: severity, value: error}]}",
            Status.FAIL,
            "36 h",
        ),
        ("{property: freshness, value: 40, unit: h, element: things.seen}", Status.OK, "36 h"),
        ("{property: retention, value: 1, unit: y, element: things.seen}", Status.WARN, "years"),
        ("{property: retention, value: 5, unit: y, element: things.seen}", Status.OK, "years"),
        ("{property: frequency, value: 1, unit: d, element: things.seen}", Status.NOT_RUN, "published"),
        ("{property: availability, value: 99.9}", Status.NOT_RUN, "running service"),
        ("{property: latency, value: 1, unit: d}", Status.NOT_RUN, "no element"),
    ],
)
def test_service_levels_that_data_can_tell_are_told(
    tested: Tested, results: Results, level: str, status: Status, says: str
) -> None:
    schema = f"""\
schema:
  - name: things
    properties:
      - {{name: seen, logicalType: timestamp}}
slaProperties: [{level}]
"""
    data = "FROM (VALUES (TIMESTAMP '2026-11-24 00:00:00'), (TIMESTAMP '2024-01-01 00:00:00')) t(seen)"
    found = [r for r in tested(schema, {"things": data}).results if "service-level" in r.check.id]
    assert [r.status for r in found] == [status]
    assert says in found[0].found + found[0].message


def test_a_broken_rule_is_an_error_of_its_own_and_fails_the_report(tested: Tested, results: Results) -> None:
    schema = rule("{name: r, type: sql, query: 'SELECT count(*) FROM things WHERE word > 1', mustBe: 0}", table=True)
    report = tested(schema, {"things": FIVE})
    assert results(report)["things.r"].status is Status.ERROR
    assert not report.good()
    assert report.count(Status.ERROR) == 1


def test_only_what_is_asked_for_is_run(tested: Tested) -> None:
    schema = rule("{name: r, metric: nullValues, mustBe: 1}")
    report = tested(schema, {"things": FIVE}, only=lambda check: check.name == "r")
    assert [r.check.id for r in report.results] == ["things.r"]


def test_reports_hold_counts_and_no_value_of_a_row(tested: Tested) -> None:
    from hanse.engine.rules.wire import value

    schema = rule("{name: r, metric: invalidValues, arguments: {validValues: [a]}, mustBe: 0}")
    data = "FROM (VALUES (1, 'a'), (777001, 'secret-word')) t(id, word)"
    report = tested(schema, {"things": data})
    told = repr(value(report))
    assert "secret-word" not in told
    assert "777001" not in told
    assert report.samples["things.r"].values == (("secret-word", 1),)


def test_an_empty_table_passes_and_a_table_without_data_does_not(tested: Tested, results: Results) -> None:
    schema = rule("{name: r, metric: nullValues, unit: percent, mustBe: 0}")
    assert tested(schema, {"things": "SELECT 1 AS id, 'a' AS word WHERE false"}).good()


def test_a_table_that_is_not_there_fails_once_and_the_rest_is_not_run(tested: Tested, results: Results) -> None:
    report = tested(rule("{name: r, metric: rowCount, mustBe: 0}", table=True), {})
    assert results(report)["things.schema"].status is Status.FAIL
    assert "no file" in results(report)["things.schema"].message
    assert report.count(Status.NOT_RUN) == len(report.results) - 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM read_csv('/etc/passwd')",
        "SELECT length(getenv('HOME'))",
        "DROP VIEW things",
        "SHOW TABLES",
    ],
)
def test_the_gate_stands_before_the_engine_even_when_validation_was_not_asked(query: str) -> None:
    contract, _ = read_contract(
        load(
            f"""\
apiVersion: v3.1.0
kind: DataContract
id: things
version: 1.0.0
status: active
schema:
  - name: things
    quality: [{{name: r, type: sql, query: "{query}", mustBe: 1}}]
    properties: [{{name: id, logicalType: integer}}]
""",
            "things.odcs.yaml",
        )[0]
    )
    connection = alone.engine()
    data = {"things": Relation("(SELECT 1 AS id)", "one row")}
    report = alone.report(
        connection, contract, data, file="", source="", server=None, started_at=datetime.now(UTC), started=0
    )
    found = {r.check.id: r for r in report.results}["things.r"]
    assert found.status is Status.ERROR
    assert "not allowed" in found.message or "not a SELECT" in found.message


def test_an_error_of_the_engine_repeats_no_value_of_a_row(tested: Tested, results: Results) -> None:
    schema = rule("{name: r, type: sql, query: 'SELECT sum(CAST(word AS INTEGER)) FROM things', mustBe: 0}", table=True)
    found = results(tested(schema, {"things": "SELECT 1 AS id, 'secret-word' AS word"}))["things.r"]
    assert found.status is Status.ERROR
    assert "secret-word" not in found.message
    assert "Conversion Error" in found.message
