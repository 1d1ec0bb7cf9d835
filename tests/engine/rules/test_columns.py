"""What a contract's properties promise is found out about the data, exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hanse.engine.rules.model import CheckResult, Status, TestReport

Tested = Callable[..., TestReport]
Results = Callable[[TestReport], dict[str, CheckResult]]


def column(name: str, rest: str) -> str:
    return f"schema:\n  - name: things\n    properties:\n      - {{name: {name}, {rest}}}\n"


CASES = [
    # (property, values, check, bad rows)
    ("logicalType: integer, required: true", "VALUES (1), (NULL), (NULL)", "required", 2),
    ("logicalType: integer, unique: true", "VALUES (1), (1), (1), (2), (NULL), (NULL)", "unique", 2),
    ("logicalType: string, unique: true", "VALUES ('a'), ('b'), ('b'), (NULL), (NULL)", "unique", 1),
    ("logicalType: integer, unique: true", "VALUES (-9000000000000000), (9000000000000000), (5), (5)", "unique", 1),
    ("logicalType: integer, primaryKey: true", "VALUES (1), (1), (NULL)", "primary-key", 1),
    ("logicalType: integer, primaryKey: true", "VALUES (1), (1), (NULL)", "required", 1),
    ("logicalType: integer, logicalTypeOptions: {minimum: 2}", "VALUES (1), (2), (NULL)", "minimum", 1),
    ("logicalType: integer, logicalTypeOptions: {maximum: 2}", "VALUES (1), (2), (3)", "maximum", 1),
    ("logicalType: integer, logicalTypeOptions: {exclusiveMinimum: 2}", "VALUES (1), (2), (3)", "exclusiveMinimum", 2),
    ("logicalType: integer, logicalTypeOptions: {exclusiveMaximum: 2}", "VALUES (1), (2), (3)", "exclusiveMaximum", 2),
    ("logicalType: integer, logicalTypeOptions: {multipleOf: 5}", "VALUES (5), (-10), (0), (7)", "multipleOf", 1),
    ("logicalType: number, logicalTypeOptions: {multipleOf: 0.1}", "VALUES (0.3::DOUBLE), (0.35)", "multipleOf", 1),
    (
        "logicalType: number, physicalType: 'decimal(9,3)', logicalTypeOptions: {multipleOf: 0.01}",
        "VALUES (1.010::DECIMAL(9,3)), (1.015)",
        "multipleOf",
        1,
    ),
    ("logicalType: integer, logicalTypeOptions: {format: u8}", "VALUES (0), (255), (256), (-1)", "format", 2),
    (
        "logicalType: date, logicalTypeOptions: {minimum: '2024-02-01'}",
        "VALUES (DATE '2024-01-31'), (DATE '2024-02-01')",
        "minimum",
        1,
    ),
    (
        "logicalType: timestamp, logicalTypeOptions: {exclusiveMaximum: '2024-02-01T00:00:00'}",
        "VALUES (TIMESTAMP '2024-01-31 23:59:59'), (TIMESTAMP '2024-02-01 00:00:00')",
        "exclusiveMaximum",
        1,
    ),
    ("logicalType: string, logicalTypeOptions: {minLength: 2}", "VALUES ('é'), ('éé'), ('')", "minLength", 2),
    ("logicalType: string, logicalTypeOptions: {maxLength: 2}", "VALUES ('éé'), ('ééé')", "maxLength", 1),
    ("logicalType: string, logicalTypeOptions: {pattern: '^[a-z]+$'}", "VALUES ('a'), ('A'), (NULL)", "pattern", 1),
    (
        "logicalType: string, logicalTypeOptions: {format: email}",
        "VALUES ('a@b.se'), ('a@b@c'), ('a b@c')",
        "format",
        2,
    ),
    (
        "logicalType: string, logicalTypeOptions: {format: uuid}",
        "VALUES ('123e4567-e89b-12d3-a456-426614174000'), ('123e4567')",
        "format",
        1,
    ),
    (
        "logicalType: string, logicalTypeOptions: {format: ipv4}",
        "VALUES ('10.0.0.1'), ('10.0.0.256'), ('1.2.3')",
        "format",
        2,
    ),
    (
        "logicalType: string, logicalTypeOptions: {format: ipv6}",
        "VALUES ('::1'), ('1::2::3'), ('fe80::1')",
        "format",
        1,
    ),
    (
        "logicalType: string, logicalTypeOptions: {format: uri}",
        "VALUES ('https://a.se/x?y=1'), ('a b'), ('x')",
        "format",
        2,
    ),
    ("logicalType: string, logicalTypeOptions: {format: hostname}", "VALUES ('a.se'), ('-a.se'), ('a_b')", "format", 2),
    (
        "logicalType: string, logicalTypeOptions: {format: yyyy-MM-dd}",
        "VALUES ('2024-02-29'), ('2023-02-29'), ('2024-2-9'), ('x')",
        "format",
        3,
    ),
    (
        "logicalType: array, items: {logicalType: integer}, logicalTypeOptions: {minItems: 1}",
        "VALUES ([1]), ([]::INTEGER[]), (NULL)",
        "minItems",
        1,
    ),
    (
        "logicalType: array, items: {logicalType: integer}, logicalTypeOptions: {maxItems: 1}",
        "VALUES ([1]), ([1, 2])",
        "maxItems",
        1,
    ),
    (
        "logicalType: array, items: {logicalType: integer}, logicalTypeOptions: {uniqueItems: true}",
        "VALUES ([1, 2]), ([1, 1]), ([1, NULL]), ([NULL, NULL]::INTEGER[])",
        "uniqueItems",
        2,
    ),
]


@pytest.mark.parametrize(("promise", "values", "kind", "bad"), CASES, ids=[f"{c[2]}-{i}" for i, c in enumerate(CASES)])
def test_a_promise_counts_exactly_its_bad_rows(
    tested: Tested, results: Results, promise: str, values: str, kind: str, bad: int
) -> None:
    report = tested(column("thing", promise), {"things": f"SELECT * FROM ({values}) t(thing)"})
    result = results(report)[f"things.thing.{kind}"]
    assert (result.status, result.count) == (Status.FAIL, bad), result.message
    assert results(report)["things.thing.type"].status is Status.OK


def test_an_enum_counts_what_is_not_in_it_and_leaves_nulls_to_required(tested: Tested, results: Results) -> None:
    schema = column("thing", "logicalType: string, enum: [{value: a}, {value: b}]")
    report = tested(schema, {"things": "FROM (VALUES ('a'), ('c'), (NULL)) t(thing)"}, version="v3.2.0")
    assert results(report)["things.thing.enum"].count == 1
    assert report.samples["things.thing.enum"].values == (("c", 1),)


def test_parts_of_objects_and_lists_are_checked_by_their_path(tested: Tested, results: Results) -> None:
    schema = """\
schema:
  - name: things
    properties:
      - name: address
        logicalType: object
        logicalTypeOptions: {minProperties: 2, required: [city]}
        properties:
          - {name: city, logicalType: string, required: true, logicalTypeOptions: {minLength: 2}}
          - {name: zip, logicalType: string}
      - name: lines
        logicalType: array
        items:
          logicalType: object
          properties:
            - {name: price, logicalType: number, required: true, logicalTypeOptions: {minimum: 0}}
"""
    data = """
    SELECT {'city': 'Lund', 'zip': '1'} AS address, [{'price': 1.0::DOUBLE}] AS lines
    UNION ALL SELECT {'city': NULL, 'zip': '1'}, [{'price': -1.0}, {'price': NULL}]
    UNION ALL SELECT {'city': 'X', 'zip': NULL}, []
    UNION ALL SELECT NULL, NULL"""
    found = results(tested(schema, {"things": data}))
    assert found["things.address.city.required"].count == 1
    assert found["things.address.city.minLength"].count == 1
    assert found["things.address.required-city"].count == 1
    assert found["things.address.minProperties"].count == 2
    lines = {id: r.count for id, r in found.items() if id.startswith("things.lines[].price.")}
    assert lines == {"things.lines[].price.required": 1, "things.lines[].price.minimum": 1}


def test_a_composite_key_is_in_the_order_of_its_positions_and_counts_repetitions(
    tested: Tested, results: Results
) -> None:
    schema = """\
schema:
  - name: things
    properties:
      - {name: a, logicalType: integer, primaryKey: true, primaryKeyPosition: 2}
      - {name: b, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
"""
    data = "FROM (VALUES (1, 'x'), (1, 'y'), (1, 'x'), (2, NULL)) t(a, b)"
    found = results(tested(schema, {"things": data}))
    assert found["things.primary-key"].check.expected == "primary key (b, a)"
    assert found["things.primary-key"].count == 1
    assert found["things.b.required"].count == 1


def test_a_large_unsorted_key_is_proved_unique_or_counted_without_error(tested: Tested, results: Results) -> None:
    data = "SELECT ((i * 7919) % 200000)::BIGINT AS a, 'k' || ((i * 104729) % 199999) AS b FROM range(200000) t(i)"
    schema = """\
schema:
  - name: things
    properties:
      - {name: a, logicalType: integer, unique: true}
      - {name: b, logicalType: string, unique: true}
"""
    found = results(tested(schema, {"things": data}))
    assert found["things.a.unique"].status is Status.OK
    assert found["things.b.unique"].count == 1


@pytest.mark.parametrize(
    ("promise", "value", "status"),
    [
        ("logicalType: integer", "1::INTEGER", Status.OK),
        ("logicalType: integer", "1::BIGINT", Status.OK),
        ("logicalType: integer", "1::DOUBLE", Status.FAIL),
        ("logicalType: integer, physicalType: INTEGER", "1::INTEGER", Status.OK),
        ("logicalType: integer, physicalType: INTEGER", "1::BIGINT", Status.FAIL),
        ("logicalType: number", "1::DECIMAL(9,2)", Status.OK),
        ("logicalType: number, physicalType: 'decimal(9,2)'", "1::DECIMAL(9,2)", Status.OK),
        ("logicalType: number, physicalType: 'decimal(9,2)'", "1::DECIMAL(9,3)", Status.FAIL),
        ("logicalType: number, physicalType: NUMERIC", "1::DECIMAL(9,3)", Status.OK),
        ("logicalType: string", "1::INTEGER", Status.FAIL),
        ("logicalType: string, physicalType: varchar(20)", "'x'", Status.OK),
        ("logicalType: date", "DATE '2024-01-01'", Status.OK),
        ("logicalType: date", "'2024-01-01'", Status.FAIL),
        ("logicalType: timestamp", "TIMESTAMPTZ '2024-01-01 00:00:00+00'", Status.OK),
        (
            "logicalType: timestamp, logicalTypeOptions: {timezone: true}",
            "TIMESTAMP '2024-01-01 00:00:00'",
            Status.FAIL,
        ),
        ("logicalType: timestamp, physicalType: TIMESTAMP", "TIMESTAMPTZ '2024-01-01 00:00:00+00'", Status.FAIL),
        ("logicalType: boolean", "true", Status.OK),
        ("logicalType: boolean", "1", Status.FAIL),
        ("logicalType: array, items: {logicalType: string}", "['x']", Status.OK),
        ("logicalType: array, items: {logicalType: string}", "[1]", Status.FAIL),
        ("logicalType: object, properties: [{name: a, logicalType: string}]", "{'a': 'x', 'b': 1}", Status.OK),
        ("logicalType: object, properties: [{name: a, logicalType: string}]", "{'b': 'x'}", Status.FAIL),
    ],
)
def test_types_are_really_compared(tested: Tested, results: Results, promise: str, value: str, status: Status) -> None:
    report = tested(column("thing", promise), {"things": f"SELECT {value} AS thing"})
    assert results(report)["things.thing.type"].status is status


def test_columns_may_stand_in_any_order_and_each_missing_or_further_one_is_named(
    tested: Tested, results: Results
) -> None:
    schema = """\
schema:
  - name: things
    properties:
      - {name: a, logicalType: integer}
      - {name: b, logicalType: integer}
"""
    assert results(tested(schema, {"things": "SELECT 1 AS b, 2 AS a"}))["things.schema"].status is Status.OK


def test_a_further_column_warns_and_one_written_otherwise_fails(tested: Tested, results: Results) -> None:
    report = tested(column("a", "logicalType: integer"), {"things": "SELECT 1 AS a, 2 AS extra"})
    assert results(report)["things.schema"].status is Status.WARN
    assert "extra" in results(report)["things.schema"].message


def test_a_column_in_other_case_fails_the_schema_and_is_checked_all_the_same(tested: Tested, results: Results) -> None:
    report = tested(
        column("Thing", "logicalType: integer, required: true"), {"things": "SELECT NULL::INTEGER AS thing"}
    )
    assert "Thing is written thing" in results(report)["things.schema"].message
    assert results(report)["things.Thing.required"].count == 1


def test_a_missing_column_fails_its_own_checks_and_the_others_run(tested: Tested, results: Results) -> None:
    schema = """\
schema:
  - name: things
    properties:
      - name: gone
        logicalType: integer
        required: true
        logicalTypeOptions: {minimum: 1}
        quality: [{metric: nullValues, mustBe: 0}]
      - {name: here, logicalType: integer, required: true}
"""
    found = results(tested(schema, {"things": "SELECT 1 AS here"}))
    gone = [r for r in found.values() if r.check.column == ("gone",)]
    assert len(gone) == 4
    assert {r.status for r in gone} == {Status.FAIL}
    assert all("no column gone" in r.message for r in gone)
    assert found["things.here.required"].status is Status.OK


def test_a_wrong_type_fails_its_type_and_the_other_checks_read_it_as_promised(tested: Tested, results: Results) -> None:
    promise = "logicalType: integer, physicalType: INTEGER, logicalTypeOptions: {minimum: 10}"
    found = results(tested(column("thing", promise), {"things": "FROM (VALUES ('9'), ('11'), ('x')) t(thing)"}))
    assert found["things.thing.type"].status is Status.FAIL
    assert found["things.thing.minimum"].count == 1


def test_a_pattern_that_the_engine_cannot_run_is_told_and_not_guessed(tested: Tested, results: Results) -> None:
    promise = r"logicalType: string, logicalTypeOptions: {pattern: '^(?!x).*$', maxLength: 3}"
    found = results(tested(column("thing", promise), {"things": "SELECT 'abcd' AS thing"}))
    assert found["things.thing.pattern"].status is Status.NOT_RUN
    assert "look-ahead" in found["things.thing.pattern"].message
    assert found["things.thing.maxLength"].count == 1


def test_a_pattern_that_breaks_in_the_engine_voids_no_other_check(tested: Tested, results: Results) -> None:
    promise = "logicalType: string, required: true, logicalTypeOptions: {pattern: '^a{2000}$', minLength: 2}"
    found = results(tested(column("thing", promise), {"things": "FROM (VALUES ('a'), (NULL)) t(thing)"}))
    assert found["things.thing.pattern"].status is Status.ERROR
    assert found["things.thing.required"].count == 1
    assert found["things.thing.minLength"].count == 1


def test_csv_has_no_types_so_its_values_are_read_as_promised(tested: Tested, results: Results) -> None:
    schema = """\
schema:
  - name: things
    properties:
      - {name: zip, logicalType: string, required: true, logicalTypeOptions: {minLength: 5}}
      - {name: price, logicalType: number, logicalTypeOptions: {maximum: 10}}
      - {name: day, logicalType: date}
"""
    rows = "('01234', '9.5', '2024-01-01'), ('1', 'cheap', '2024-13-01'), (NULL, '11', NULL)"
    data = f"FROM (VALUES {rows}) t(zip, price, day)"
    found = results(tested(schema, {"things": data}, format="csv"))
    assert found["things.zip.minLength"].count == 1
    assert found["things.zip.required"].count == 1
    assert found["things.price.type"].count == 1
    assert found["things.price.maximum"].count == 1
    assert found["things.day.type"].count == 1


def test_json_is_read_as_promised(tested: Tested, results: Results) -> None:
    schema = column("day", "logicalType: date, required: true")
    found = results(tested(schema, {"things": "FROM (VALUES ('2024-01-01'), ('soon')) t(day)"}, format="json"))
    assert found["things.day.type"].count == 1
