"""Every kind of change has its step: one row of the table, one test; and versions are judged by them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse.errors import Finding, Severity
from hanse.spec import document, read
from hanse.spec.compat import Change, Step, changes, version_findings
from hanse.spec.compat_rules import RULES
from hanse.spec.compat_values import _allowed, _limits
from hanse.spec.model import Contract, Rule

CLASSES = ("public", "internal", "restricted")
Tree = dict[str, Any]

BASE: Tree = {
    "apiVersion": "v3.2.0",
    "kind": "DataContract",
    "id": "sales.orders.v1",
    "name": "orders",
    "version": "1.2.0",
    "status": "active",
    "tags": ["sales"],
    "description": {"purpose": "Orders"},
    "servers": [{"server": "local", "type": "local", "path": "data/orders.parquet", "format": "parquet"}],
    "schema": [
        {
            "name": "orders",
            "id": "t1",
            "logicalType": "object",
            "physicalName": "orders_raw",
            "description": "Orders.",
            "tags": ["order"],
            "properties": [
                {"name": "id", "id": "c1", "logicalType": "integer", "physicalType": "BIGINT", "primaryKey": True,
                 "primaryKeyPosition": 1, "required": True, "unique": True},
                {"name": "buyer", "id": "c2", "logicalType": "string", "physicalType": "VARCHAR(20)", "required": True,
                 "classification": "internal", "tags": ["person"], "description": "Who bought.",
                 "logicalTypeOptions": {"pattern": "^b[0-9]+$", "minLength": 2, "maxLength": 10, "format": "uuid"},
                 "enum": [{"value": "b1"}, {"value": "b2"}]},
                {"name": "amount", "id": "c3", "logicalType": "number", "physicalType": "DECIMAL(10,2)",
                 "logicalTypeOptions": {"minimum": 0, "maximum": 100, "multipleOf": 2},
                 "customProperties": [{"property": "unit", "value": "EUR"}],
                 "quality": [
                     {"name": "few_nulls", "type": "library", "metric": "nullValues", "mustBeLessThan": 10},
                     {"name": "hint", "type": "library", "metric": "nullValues", "mustBe": 0, "severity": "warning"},
                 ]},
                {"name": "item", "id": "c4", "logicalType": "object", "properties": [
                    {"name": "code", "logicalType": "string"}, {"name": "size", "logicalType": "integer"}]},
            ],
            "quality": [
                {"name": "any", "type": "sql", "query": "SELECT count(*) FROM {table}", "mustBeGreaterThan": 0}],
            "relationships": [{"from": "orders.buyer", "to": "buyers.id"}],
        },
        {"name": "buyers", "id": "t2", "logicalType": "object", "properties": [
            {"name": "id", "logicalType": "string", "physicalType": "VARCHAR"},
            {"name": "born", "logicalType": "integer", "physicalType": "INTEGER"}]},
    ],
    "slaProperties": [
        {"property": "frequency", "value": 1, "unit": "d", "element": "orders.id"},
        {"property": "retention", "value": 3, "unit": "y"},
        {"property": "availability", "value": 99.5},
        {"property": "endOfSupport", "value": "2030-01-01"},
    ],
}  # fmt: skip


def contract(tree: Tree, version: str | None = None) -> Contract:
    text = json.dumps({**tree, "version": version or tree["version"]}, indent=1)
    loaded, findings = document.load(text, "orders.v1.odcs.yaml")
    assert loaded is not None, findings
    found, findings = read.contract(loaded)
    assert found is not None, findings
    return found


def put(path: str, value: Any = None) -> Callable[[Tree], None]:
    """Set what lies at `path` (`…/-` appends), or remove it when `value` is None."""

    def apply(tree: Tree) -> None:
        *parents, last = path.split("/")
        at: Any = tree
        for part in parents:
            at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
        if isinstance(at, list):
            if value is None:
                del at[int(last)]
            elif last == "-":
                at.append(value)
            else:
                at[int(last)] = value
        elif value is None:
            del at[last]
        else:
            at[last] = value

    return apply


def after(*edits: Callable[[Tree], None], base: Tree = BASE) -> Tree:
    tree = copy.deepcopy(base)
    for edit in edits:
        edit(tree)
    return tree


def found(old: Tree, new: Tree, **mains: str) -> tuple[Change, ...]:
    return changes(contract(old), contract(new), CLASSES, **mains)


ID, BUYER, AMOUNT, ITEM = (f"schema/0/properties/{i}" for i in range(4))
BORN = "schema/1/properties/1"
OPTIONS = f"{BUYER}/logicalTypeOptions"
NUMBERS = f"{AMOUNT}/logicalTypeOptions"
COLUMN = {"name": "note", "logicalType": "string"}
TABLE = {"name": "notes", "logicalType": "object", "properties": [COLUMN]}
RULE = {"name": "more", "type": "library", "metric": "duplicateValues", "mustBe": 0}
LEVEL = {"property": "latency", "value": 1, "unit": "h"}

# (row of the table, table, column, edits); with "back" the edits lead from the new state to the old one
ROWS: list[tuple[str, str, str | None, list[Callable[[Tree], None]], str]] = [
    ("id-changed", "", None, [put("id", "sales.orders.w1")], ""),
    ("table-removed", "buyers", None, [put("schema/0/relationships"), put("schema/1")], ""),
    ("table-added", "notes", None, [put("schema/-", TABLE)], ""),
    ("table-renamed", "sellers", None, [put("schema/0/relationships"), put("schema/1/name", "sellers")], ""),
    ("column-removed", "buyers", "born", [put(BORN)], ""),
    ("column-removed", "orders", "item.size", [put(f"{ITEM}/properties/1")], ""),
    ("column-added", "orders", "note", [put("schema/0/properties/-", COLUMN)], ""),
    ("column-added", "orders", "item.note", [put(f"{ITEM}/properties/-", COLUMN)], ""),
    ("column-renamed", "orders", "total", [put(f"{AMOUNT}/name", "total")], ""),
    ("type-narrowed", "orders", "id", [put(f"{ID}/physicalType", "INTEGER")], ""),
    ("type-narrowed", "orders", "amount", [put(f"{AMOUNT}/physicalType", "DECIMAL(8,2)")], ""),
    ("type-narrowed", "orders", "buyer", [put(f"{BUYER}/physicalType", "VARCHAR(10)")], ""),
    ("type-widened", "buyers", "born", [put(f"{BORN}/physicalType", "BIGINT")], ""),
    ("type-widened", "orders", "amount", [put(f"{AMOUNT}/physicalType", "DECIMAL(12,2)")], ""),
    ("type-widened", "orders", "buyer", [put(f"{BUYER}/physicalType", "VARCHAR(40)")], ""),
    ("type-changed", "buyers", "born", [put(BORN, {"name": "born", "logicalType": "date"})], ""),
    ("type-changed", "orders", "amount", [put(f"{AMOUNT}/physicalType", "DECIMAL(12,4)")], ""),
    ("required-dropped", "orders", "buyer", [put(f"{BUYER}/required", False)], ""),
    ("required-added", "orders", "amount", [put(f"{AMOUNT}/required", True)], ""),
    ("unique-dropped", "orders", "id", [put(f"{ID}/unique", False)], ""),
    ("unique-added", "buyers", "id", [put("schema/1/properties/0/unique", True)], ""),
    ("primary-key-removed", "orders", None, [put(f"{ID}/primaryKey"), put(f"{ID}/primaryKeyPosition")], ""),
    ("primary-key-added", "buyers", None, [put("schema/1/properties/0/primaryKey", True)], ""),
    ("primary-key-changed", "orders", None,
     [put(f"{ID}/primaryKey", False), put(f"{ID}/primaryKeyPosition"), put(f"{BUYER}/primaryKey", True)], ""),
    ("enum-grown", "orders", "buyer", [put(f"{BUYER}/enum/-", {"value": "b3"})], ""),
    ("enum-shrunk", "orders", "buyer", [put(f"{BUYER}/enum/1")], ""),
    ("enum-removed", "orders", "buyer", [put(f"{BUYER}/enum")], ""),
    ("enum-added", "orders", "buyer", [put(f"{BUYER}/enum")], "back"),
    ("unit-changed", "orders", "amount", [put(f"{AMOUNT}/customProperties/0/value", "USD")], ""),
    ("unit-removed", "orders", "amount", [put(f"{AMOUNT}/customProperties")], ""),
    ("unit-added", "orders", "amount", [put(f"{AMOUNT}/customProperties")], "back"),
    ("format-changed", "orders", "buyer", [put(f"{OPTIONS}/format", "email")], ""),
    ("format-removed", "orders", "buyer", [put(f"{OPTIONS}/format")], ""),
    ("format-added", "orders", "buyer", [put(f"{OPTIONS}/format")], "back"),
    ("pattern-changed", "orders", "buyer", [put(f"{OPTIONS}/pattern", "^b.*$")], ""),
    ("pattern-removed", "orders", "buyer", [put(f"{OPTIONS}/pattern")], ""),
    ("pattern-added", "orders", "buyer", [put(f"{OPTIONS}/pattern")], "back"),
    ("bound-loosened", "orders", "amount", [put(f"{NUMBERS}/maximum", 200)], ""),
    ("bound-loosened", "orders", "amount", [put(f"{NUMBERS}/minimum", -1)], ""),
    ("bound-loosened", "orders", "buyer", [put(f"{OPTIONS}/maxLength", 11)], ""),
    ("bound-loosened", "orders", "buyer", [put(f"{OPTIONS}/minLength", 1)], ""),
    ("bound-loosened", "orders", "amount", [put(f"{NUMBERS}/multipleOf", 1)], ""),
    ("bound-tightened", "orders", "amount", [put(f"{NUMBERS}/maximum", 50)], ""),
    ("bound-tightened", "orders", "amount", [put(f"{NUMBERS}/maximum"), put(f"{NUMBERS}/exclusiveMaximum", 100)], ""),
    ("bound-tightened", "orders", "amount", [put(f"{NUMBERS}/minimum", 1)], ""),
    ("bound-tightened", "orders", "buyer", [put(f"{OPTIONS}/minLength", 3)], ""),
    ("bound-tightened", "orders", "amount", [put(f"{NUMBERS}/multipleOf", 4)], ""),
    ("bound-removed", "orders", "amount", [put(f"{NUMBERS}/maximum")], ""),
    ("bound-added", "orders", "amount", [put(f"{NUMBERS}/maximum")], "back"),
    ("classification-raised", "orders", "buyer", [put(f"{BUYER}/classification", "restricted")], ""),
    ("classification-raised", "orders", "amount", [put(f"{AMOUNT}/classification", "nobody_knows")], ""),
    ("classification-lowered", "orders", "buyer", [put(f"{BUYER}/classification", "public")], ""),
    ("rule-removed", "orders", "amount", [put(f"{AMOUNT}/quality/0")], ""),
    ("rule-added", "orders", "amount", [put(f"{AMOUNT}/quality/-", RULE)], ""),
    ("rule-added", "orders", None, [put("schema/0/quality/-", {**RULE, "metric": "rowCount"})], ""),
    ("rule-relaxed", "orders", "amount", [put(f"{AMOUNT}/quality/0/mustBeLessThan", 20)], ""),
    ("rule-relaxed", "orders", "amount", [put(f"{AMOUNT}/quality/0/severity", "warning")], ""),
    ("rule-tightened", "orders", "amount", [put(f"{AMOUNT}/quality/0/mustBeLessThan", 5)], ""),
    ("rule-tightened", "orders", "amount", [put(f"{AMOUNT}/quality/1/severity", "error")], ""),
    ("rule-tightened", "orders", "amount",
     [put(f"{AMOUNT}/quality/0/mustBeLessThan"), put(f"{AMOUNT}/quality/0/mustBe", 0)], ""),
    ("rule-changed", "orders", None, [put("schema/0/quality/0/query", "SELECT sum(amount) FROM {table}")], ""),
    ("rule-changed", "orders", "amount", [put(f"{AMOUNT}/quality/0/unit", "percent")], ""),
    ("warning-changed", "orders", "amount", [put(f"{AMOUNT}/quality/1/mustBe", 5)], ""),
    ("warning-changed", "orders", "amount", [put(f"{AMOUNT}/quality/1")], ""),
    ("service-level-worse", "", None, [put("slaProperties/0/value", 2)], ""),
    ("service-level-worse", "", None, [put("slaProperties/1/value", 2)], ""),
    ("service-level-worse", "", None, [put("slaProperties/2/value", 99)], ""),
    ("service-level-worse", "", None, [put("slaProperties/3/value", "2029-12-31")], ""),
    ("service-level-better", "", None, [put("slaProperties/0/unit", "h")], ""),
    ("service-level-better", "", None, [put("slaProperties/1/value", 4)], ""),
    ("service-level-changed", "", None, [put("slaProperties/-", {"property": "tone", "value": "kind"})], "from"),
    ("service-level-removed", "", None, [put("slaProperties/1")], ""),
    ("service-level-added", "", None, [put("slaProperties/-", LEVEL)], ""),
    ("relationship-removed", "orders", "buyer", [put("schema/0/relationships")], ""),
    ("relationship-added", "orders", "buyer", [put("schema/0/relationships")], "back"),
    ("physical-changed", "orders", None, [put("schema/0/physicalName", "orders_2")], ""),
    ("physical-changed", "buyers", "id", [put("schema/1/properties/0/physicalType", "TEXT")], ""),
    ("column-moved", "buyers", None, [lambda tree: tree["schema"][1]["properties"].reverse()], ""),
    ("description-changed", "orders", "buyer", [put(f"{BUYER}/description", "Somebody.")], ""),
    ("description-changed", "", None, [put("description/purpose", "All orders")], ""),
    ("tags-changed", "", None, [put("tags/-", "gold")], ""),
    ("tags-changed", "orders", "buyer", [put(f"{BUYER}/tags")], ""),
    ("servers-changed", "", None, [put("servers/0/path", "data/o.parquet")], ""),
    ("status-changed", "", None, [put("status", "deprecated")], ""),
    ("other-changed", "", None, [put("team", {"name": "sellers"})], ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "table", "column", "edits", "way"), ROWS, ids=[f"{row[0]}-{i}" for i, row in enumerate(ROWS)]
)
def test_a_change_has_its_row_and_its_reason(
    what: str, table: str, column: str | None, edits: list[Callable[[Tree], None]], way: str
) -> None:
    old, new = BASE, after(*edits)
    if way == "back":
        old, new = new, old
    if way == "from":  # the edits are common to both, and one value differs
        old, new = new, after(put("slaProperties/4/value", "cold"), base=new)
    told = [c for c in found(old, new) if (c.what, c.table, c.column) == (what, table, column)]
    assert told, [(c.what, c.table, c.column) for c in found(old, new)]
    assert told[0].step is RULES[what].step
    assert told[0].reason
    assert "{" not in told[0].reason
    assert told[0].place.file == "orders.v1.odcs.yaml"


def test_every_row_of_the_table_has_a_test() -> None:
    assert {row[0] for row in ROWS} | {"main-table-changed"} == set(RULES)


def test_the_main_table_is_part_of_the_promise() -> None:
    told = found(BASE, BASE, old_main="orders", new_main="buyers")
    assert [(c.what, c.step) for c in told] == [("main-table-changed", Step.MAJOR)]


def test_a_single_edit_is_told_once() -> None:
    single = [row for row in ROWS if len(row[3]) == 1 and row[4] == "" and not row[0].startswith("primary-key")]
    for what, table, column, edits, _ in single:
        told = found(BASE, after(*edits))
        assert [(c.what, c.table, c.column) for c in told] == [(what, table, column)]


def test_nothing_changed_is_no_change() -> None:
    assert found(BASE, BASE) == ()
    assert found(BASE, {**BASE, "version": "1.3.0"}) == ()


def test_names_are_compared_ignoring_case_as_sql_does() -> None:
    told = found(BASE, after(put(f"{AMOUNT}/name", "Amount")))
    assert [(c.what, c.step) for c in told] == [("column-renamed", Step.MAJOR)]


def test_a_rename_is_known_by_id_else_by_physical_name_else_it_is_a_removal() -> None:
    bare = after(*(put(f"schema/0/properties/{i}/id") for i in range(4)))
    told = found(bare, after(put(f"{AMOUNT}/name", "total"), base=bare))
    assert {c.what for c in told} == {"column-removed", "column-added"}


def test_the_heaviest_changes_come_first() -> None:
    told = found(BASE, after(put("tags/-", "x"), put("schema/-", TABLE), put(BORN)))
    assert [c.step for c in told] == [Step.MAJOR, Step.MINOR, Step.PATCH]


def test_what_is_gone_is_placed_where_it_was() -> None:
    told = found(BASE, after(put(BORN)))
    assert told[0].place.pointer == "/schema/1/properties/1"
    assert told[0].place.line > 1


# -- versions


def judged(new: Tree, version: str, *, allow_breaking: bool = False) -> list[Finding]:
    old, now = contract(BASE), contract(new, version)
    return version_findings(old, now, changes(old, now, CLASSES), allow_breaking=allow_breaking)


BREAKING, NEW, WORDS = after(put(BORN)), after(put("schema/-", TABLE)), after(put("tags/-", "gold"))


@pytest.mark.parametrize(
    ("new", "version", "codes"),
    [
        (BREAKING, "1.2.1", {"compat.breaking-under-minor"}),
        (BREAKING, "1.3.0", {"compat.breaking-under-minor"}),
        (BREAKING, "2.0.0", set()),
        (NEW, "1.2.1", {"version.step-too-small"}),
        (NEW, "1.3.0", set()),
        (WORDS, "1.2.1", set()),
        (WORDS, "1.2.0", {"version.unchanged"}),
        (BREAKING, "1.2.0", {"compat.breaking-under-minor", "version.unchanged"}),
        (BASE, "1.2.0", set()),
        (BASE, "1.1.9", {"version.backwards"}),
        (BASE, "1.2.0-rc.1", {"version.backwards"}),
        (WORDS, "0.9.0", {"version.backwards"}),
    ],
)
def test_a_version_moves_as_far_as_the_changes_ask(new: Tree, version: str, codes: set[str]) -> None:
    assert {f.code for f in judged(new, version) if f.severity is Severity.ERROR} == codes


def test_the_mend_is_a_version_that_would_do() -> None:
    for new, version in ((NEW, "1.2.1"), (WORDS, "1.2.0"), (NEW, "0.9.0")):
        wrong = next(f for f in judged(new, version) if f.code.startswith("version."))
        mended = wrong.mend.removeprefix("write version: ")
        assert not [f for f in judged(new, mended) if f.severity is Severity.ERROR]


def test_a_change_that_keeps_all_promises_is_a_note() -> None:
    assert [(f.code, f.severity, f.pointer) for f in judged(WORDS, "1.2.1")] == [
        ("compat.additive", Severity.NOTE, "/version")
    ]


def test_a_breaking_change_may_be_allowed_and_then_needs_a_version_of_its_own() -> None:
    told = judged(BREAKING, "1.3.0", allow_breaking=True)
    assert [(f.code, f.severity) for f in told] == [("compat.breaking-under-minor", Severity.WARNING)]
    assert "version.step-too-small" in {f.code for f in judged(BREAKING, "1.2.1", allow_breaking=True)}


# -- limits of rules, against a model: which numbers pass

OPERATORS = (
    "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo",
    "mustBeBetween", "mustNotBeBetween",
)  # fmt: skip
PROBES = [x / 2 for x in range(-2, 14)]


def rule(operator: str, low: int, high: int) -> Rule:
    expected: Any = sorted([low, high]) if operator.endswith("Between") else low
    place = contract(BASE).place
    return Rule("r", "library", "nullValues", {}, operator, expected, "rows", "error", None, None, "", None, place)


def passes(one: Rule, number: float) -> bool:
    allowed = _allowed(one)
    assert allowed is not None
    return any(
        (low < number or (low == number and not open_low)) and (number < high or (number == high and not open_high))
        for low, open_low, high, open_high in allowed
    )


@given(*(st.sampled_from(OPERATORS), st.integers(0, 5), st.integers(0, 5)) * 2)
def test_a_rule_is_tightened_when_fewer_numbers_pass_and_relaxed_when_more_do(
    first: str, a: int, b: int, second: str, c: int, d: int
) -> None:
    old, new = rule(first, a, b), rule(second, c, d)
    before = {n for n in PROBES if passes(old, n)}
    now = {n for n in PROBES if passes(new, n)}
    expected = "same" if before == now else "tightened" if now < before else "relaxed" if before < now else "changed"
    assert _limits(old, new) == expected
