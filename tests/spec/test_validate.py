"""What a file by itself is told: examples accepted, mistakes found at their cause, attacks refused."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest

from hanse.errors import Finding, Severity, rejects
from hanse.spec.validate import file_findings

CORPUS = json.loads((Path(__file__).parents[1] / "attacks" / "descriptors.json").read_text())
BASES: dict[str, dict[str, Any]] = CORPUS["meta"]["bases"]


def patched(base: str, *operations: dict[str, Any]) -> dict[str, Any]:
    """A base of the corpus after JSON Patch operations."""
    tree = copy.deepcopy(BASES[base])
    for operation in operations:
        *parents, last = [p.replace("~1", "/").replace("~0", "~") for p in operation["path"].split("/")[1:]]
        at: Any = tree
        for part in parents:
            at = at[int(part)] if isinstance(at, list) else at[part]
        if isinstance(at, list):
            index = len(at) if last == "-" else int(last)
            if operation["op"] == "add":
                at.insert(index, operation["value"])
            elif operation["op"] == "replace":
                at[index] = operation["value"]
            else:
                del at[index]
        elif operation["op"] == "remove":
            del at[last]
        else:
            at[last] = operation["value"]
    return tree


def said(tree: Any, file: str = "x.yaml") -> list[Finding]:
    text = tree if isinstance(tree, (str, bytes)) else json.dumps(tree, indent=1, ensure_ascii=False)
    return file_findings(text, file)


def errors(tree: Any) -> list[tuple[str, str]]:
    return [(f.code, f.pointer) for f in said(tree) if f.severity is Severity.ERROR]


def contract(path: str, value: Any, op: str = "add") -> dict[str, Any]:
    return patched("contract", {"op": op, "path": path, "value": value})


def generated(spec: dict[str, Any]) -> str:
    match spec["gen"]:
        case "alias_bomb":
            text = "l0: &l0 [" + ", ".join(["x"] * spec["fan"]) + "]\n"
            for i in range(1, spec["levels"]):
                text += f"l{i}: &l{i} [" + ", ".join([f"*l{i - 1}"] * spec["fan"]) + "]\n"
            return text
        case "nested_maps":
            return "a: " + "{a: " * spec["n"] + "1" + "}" * spec["n"]
        case other:
            raise AssertionError(other)


FILE_MODE = [item for item in CORPUS["items"] if "context" not in item and item["target"] in BASES]


@pytest.mark.parametrize("item", FILE_MODE, ids=[item["id"] for item in FILE_MODE])
def test_every_attack_on_a_file_gets_its_verdict(item: dict[str, Any]) -> None:
    given, expect = item["input"], item["expect"]
    if "patch" in given:
        findings = said(patched(item["target"], *given["patch"]))
    else:
        findings = said(given["raw"] if "raw" in given else generated(given["raw_gen"]))
    assert rejects(findings) == (expect["verdict"] == "reject")
    hits = [f for f in findings if f.code == expect["code"] and f.pointer == expect.get("at", f.pointer)]
    assert hits, findings
    told = "\n".join(f"{f.message} {f.mend} line {f.line} {f.pointer}" for f in hits)
    for word in expect.get("mention", ()):
        assert word in told
    assert all(f.mend and f.file and f.line for f in hits)
    if "message shows the offending characters escaped" in expect.get("asserts", ()):
        assert hits[0].message.isascii()
    assert {f.code for f in findings if f.severity is Severity.ERROR} == {expect["code"]}


def test_the_bases_of_the_corpus_are_clean() -> None:
    assert said(BASES["contract"]) == []
    assert said(BASES["product"]) == []


def test_official_examples_are_accepted_and_seven_warn_of_their_declared_version(standards: Path) -> None:
    files = [*(standards / "odcs/examples").rglob("*.yaml"), *(standards / "odps/examples").rglob("*.yaml")]
    assert len(files) >= 30
    warnings = []
    for path in files:
        findings = file_findings(path.read_bytes(), str(path.relative_to(standards)))
        assert not rejects(findings), findings
        warnings += [f for f in findings if f.severity is Severity.WARNING]
    assert {f.code for f in warnings} == {"schema.declared-version"}
    assert sorted(f.file.partition("/")[0] for f in warnings) == ["odcs"] * 6 + ["odps"]


PROPERTY = "/schema/0/properties/0"
CAUSES = {
    "additional-unknown-property": [("schema.unknown-key", "/unknownRootField")],
    "enum-empty": [("schema.length", f"{PROPERTY}/enum")],
    "enum-missing-value": [("schema.required", f"{PROPERTY}/enum/0/value")],
    "invalid-api-version": [("schema.enum", "/apiVersion")],
    "invalid-kind": [("schema.enum", "/kind")],
    "invalid-quality-metric": [("schema.enum", f"{PROPERTY}/quality/0/metric")],
    "invalid-quality-type": [("schema.enum", f"{PROPERTY}/quality/0/type")],
    "map-missing-block": [("schema.required", f"{PROPERTY}/map")],
    "map-missing-key": [("schema.required", f"{PROPERTY}/map/key")],
    "missing-required-fields": [("schema.required", "/id")],
    "quality-custom-missing-implementation": [("schema.required", f"{PROPERTY}/quality/0/implementation")],
    "quality-library-missing-metric": [("schema.required", f"{PROPERTY}/quality/0/metric")],
    "quality-mustbebetween-wrong-size": [("schema.length", "/schema/0/quality/0/mustBeBetween")],
    "quality-sql-missing-query": [("schema.required", f"{PROPERTY}/quality/0/query")],
    "relationship-schema-level-missing-from-to": [
        ("schema.required", "/schema/0/relationships/0/from"),
        ("schema.required", "/schema/0/relationships/0/to"),
    ],
    "schema-property-invalid-logicaltype": [("schema.enum", f"{PROPERTY}/logicalType")],
    "schema-property-missing-name": [("schema.required", f"{PROPERTY}/name")],
    "server-invalid-type": [("schema.enum", "/servers/0/type")],
    "server-missing-required-fields": [
        ("schema.required", "/servers/0/server"),
        ("schema.required", "/servers/0/type"),
    ],
}


def test_every_invalid_file_of_the_standard_is_refused_at_its_one_cause(standards: Path) -> None:
    files = sorted((standards / "odcs/invalid").glob("*.yaml"))
    assert {path.name.partition(".")[0] for path in files} == set(CAUSES)
    for path in files:
        findings = file_findings(path.read_bytes(), path.name)
        assert [(f.code, f.pointer) for f in findings] == CAUSES[path.name.partition(".")[0]]


API = {"server": "s", "type": "api"}
COLUMN = {"name": "x", "logicalType": "string"}
COLUMNS, NEW, QUALITY = "/schema/0/properties/-", "/schema/0/properties/4", "/schema/0/quality"


@pytest.mark.parametrize(
    ("tree", "code", "pointer"),
    [
        (contract("/servers/0/path", "/etc/passwd"), "location.outside-root", "/servers/0/path"),
        (contract("/servers/0/path", "..\\secret"), "location.outside-root", "/servers/0/path"),
        (contract("/servers/0/path", "a/%2e%2e/b"), "location.outside-root", "/servers/0/path"),
        (contract("/servers/0/path", "file:///etc/passwd"), "location.outside-root", "/servers/0/path"),
        (contract("/servers/0/path", "C:\\data"), "location.outside-root", "/servers/0/path"),
        *[
            (contract("/servers/0", {**API, "location": url}), "location.ssrf", "/servers/0/location")
            for url in (
                "http://localhost/x", "https://user@10.0.0.1/x", "http://[::1]/x", "http://[::ffff:127.0.0.1]/",
                "http://2130706433/x", "http://0x7f.1/x", "http://0177.0.0.1/", "http://169.254.169.254/latest",
                "gopher://example.com/", "javascript:alert(1)", "http://metadata.google.internal/", "http:///x",
                "http://example.com@192.168.0.1/", "HTTP://LOCALHOST./", "http://\u24d4xample.com/",
            )
        ],
        (contract("/servers/0", {**API, "location": "https://u:pw@example.com/"}), "location.credentials",
         "/servers/0/location"),
        (contract("/support", [{"channel": "c", "url": "javascript:alert(1)"}]), "location.ssrf", "/support/0/url"),
        (contract("/support", [{"channel": "c", "url": "http://127.1/x"}]), "location.ssrf", "/support/0/url"),
        (contract("/name", "x" * 300), "name.syntax", "/name"),
        (contract("/name", "a\u202eb"), "name.syntax", "/name"),
        (patched("product", {"op": "remove", "path": "/outputPorts/0/version"}), "schema.required",
         "/outputPorts/0/version"),
        (contract("/version", "1.2"), "version.syntax", "/version"),
        (contract("/id", "a b"), "id.syntax", "/id"),
        (contract("/id", "a\u202eb"), "id.syntax", "/id"),
        (contract("/id", "x" * 256), "id.syntax", "/id"),
        (contract("/schema/-", {"name": "ORDERS"}), "schema.duplicate-name", "/schema/1/name"),
        (contract(COLUMNS, {"name": "Region"}), "schema.duplicate-name", f"{NEW}/name"),
        (contract(COLUMNS, {"name": ""}), "name.column", f"{NEW}/name"),
        (contract(COLUMNS, {"name": "x" * 256}), "name.column", f"{NEW}/name"),
        (contract(COLUMNS, {"name": "x", "physicalType": "decimal(12;2)"}), "contract.bad-type", f"{NEW}/physicalType"),
        (contract(COLUMNS, {**COLUMN, "logicalTypeOptions": {"pattern": "(["}}), "contract.pattern",
         f"{NEW}/logicalTypeOptions/pattern"),
        (contract(COLUMNS, {**COLUMN, "logicalTypeOptions": {"minLength": 5, "maxLength": 2}}), "contract.bounds",
         f"{NEW}/logicalTypeOptions/minLength"),
        (contract(COLUMNS, {"name": "x", "logicalType": "integer",
                            "logicalTypeOptions": {"exclusiveMinimum": 3, "maximum": 3}}), "contract.bounds",
         f"{NEW}/logicalTypeOptions/exclusiveMinimum"),
        (contract(COLUMNS, {**COLUMN, "primaryKey": True, "primaryKeyPosition": 1}), "contract.primary-key",
         f"{NEW}/primaryKeyPosition"),
        (contract(COLUMNS, {"name": "x", "logicalType": "object", "properties": [{"name": "a"}, {"name": "A"}]}),
         "schema.duplicate-name", f"{NEW}/properties/1/name"),
        (contract(QUALITY, [{"type": "library", "metric": "nullValues", "mustBe": 0}]), "quality.arguments",
         f"{QUALITY}/0/metric"),
        (contract(QUALITY, [{"type": "library", "metric": "rowCount", "mustBe": "many"}]), "quality.operator",
         f"{QUALITY}/0/mustBe"),
        (contract(QUALITY, [{"type": "library", "metric": "rowCount", "mustBeBetween": [9, 1]}]), "quality.operator",
         f"{QUALITY}/0/mustBeBetween"),
        (contract(QUALITY, [{"type": "library", "metric": "duplicateValues", "mustBe": 0,
                             "arguments": {"properties": ["id", "regoin"]}}]), "quality.arguments",
         f"{QUALITY}/0/arguments/properties/1"),
        (contract("/schema/0/properties/1/quality", [{"type": "library", "metric": "invalidValues", "mustBe": 0,
                                                      "arguments": {"pattern": "["}}]), "contract.pattern",
         "/schema/0/properties/1/quality/0/arguments/pattern"),
        (contract("/schema/0/properties/1/relationships", [{"to": "orders.idd"}]), "relationship.unknown-column",
         "/schema/0/properties/1/relationships/0/to"),
        (contract("/schema/0/relationships", [{"from": ["orders.id", "orders.region"], "to": ["orders.id"]}]),
         "relationship.key-length", "/schema/0/relationships/0/to"),
        (contract("/slaProperties/0/unit", "fortnight"), "service-level.unreadable", "/slaProperties/0/unit"),
        (contract("/slaProperties/0/value", "often"), "service-level.unreadable", "/slaProperties/0/value"),
        (contract("/slaProperties/-", {"property": "endOfLife", "value": "soon"}), "service-level.unreadable",
         "/slaProperties/1/value"),
        (contract("/tags", "sales"), "schema.type", "/tags"),
        (contract("/descripton", {}), "schema.unknown-key", "/descripton"),
        (contract("/schema/0/columns", []), "schema.unknown-key", "/schema/0/columns"),
        (contract("/servers/0/hots", "x"), "schema.unknown-key", "/servers/0/hots"),
        (contract("/apiVersion", "v2.2.2"), "schema.enum", "/apiVersion"),
        (patched("product", {"op": "add", "path": "/outputPort", "value": []}), "schema.unknown-key", "/outputPort"),
        (patched("product", {"op": "add", "path": "/outputPorts/-", "value": BASES["product"]["outputPorts"][0]}),
         "product.duplicate-port", "/outputPorts/1/name"),
        (patched("product", {"op": "replace", "path": "/inputPorts/0/contractId", "value": "a..b"}), "id.syntax",
         "/inputPorts/0/contractId"),
        ([1, 2], "schema.kind", "/kind"),
        ({"apiVersion": "v3.1.0"}, "schema.required", "/kind"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_at_its_one_place(tree: Any, code: str, pointer: str) -> None:
    assert errors(tree) == [(code, pointer)]


ENUM = {"apiVersion": "v3.2.0", "kind": "DataContract", "id": "a", "version": "1.0.0", "status": "draft"}


@pytest.mark.parametrize(
    ("logical", "values", "wrong"),
    [
        ("string", ["a", 1], 1), ("integer", [1, 2.5], 1), ("integer", [True], 0), ("number", [1, "2"], 1),
        ("date", ["2013-01-01", "soon"], 1), ("boolean", ["true"], 0), ("string", ["a", "a"], 1),
    ],
)  # fmt: skip
def test_enum_values_fit_their_column(logical: str, values: list[Any], wrong: int) -> None:
    column = {
        "name": "c",
        "logicalType": logical,
        "enum": [{"value": v, "label": str(i)} for i, v in enumerate(values)],
    }
    found = errors({**ENUM, "schema": [{"name": "t", "properties": [column]}]})
    assert found == [("contract.enum", f"/schema/0/properties/0/enum/{wrong}/value")]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM {table} WHERE {column} < 0",
        "SELECT count(*) FROM ${table} t JOIN x USING (id)",
        "WITH a AS (SELECT 1) SELECT count(*) FROM a, {{ table }}",
        "SELECT count(*) FROM orders, unnest([1, 2]) u",
        "SELECT count(*) FROM orders WHERE path LIKE '%.csv'",
        "SELECT count(*) FROM sales.orders_v1.lines",
    ],
)
def test_a_rule_may_ask_one_question_of_tables(sql: str) -> None:
    assert errors(contract(QUALITY, [{"type": "sql", "query": sql, "mustBe": 0}])) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('x.csv')", "SELECT * FROM 'x.parquet'", 'SELECT * FROM "/etc/passwd"',
        "DROP TABLE orders", "SELECT 1; SELECT 2", "", "SELECT getenv('HOME')", "COPY orders TO 'x'",
        "ATTACH 'x.db'", "PRAGMA version",
        "INSERT INTO orders VALUES (1)", "SELECT FROM WHERE", "SELECT * FROM glob('*')",
        "SELECT * FROM query('select 1')", "SET threads = 1", "SELECT " + "(" * 5000,
        "WITH d AS (DELETE FROM orders RETURNING *) SELECT count(*) FROM d",
        "SELECT count(*) FROM postgres_scan('host=x', 'a', 'b')", "SELECT * INTO x FROM orders", "CALL x()",
        "SELECT (SELECT count(*) FROM read_text('/etc/hostname'))", "SELECT * FROM iceberg_scan('s3://x')",
    ],
)  # fmt: skip
def test_a_rule_that_does_more_than_ask_tables_is_refused(sql: str) -> None:
    assert errors(contract(QUALITY, [{"type": "sql", "query": sql, "mustBe": 0}])) == [
        ("quality.sql", f"{QUALITY}/0/query")
    ]


def test_the_mend_is_the_exact_change() -> None:
    def mend(tree: Any) -> str:
        return said(tree)[0].mend

    assert mend(contract(COLUMNS, {"name": "x", "physicalType": "decimal(12;2)"})) == "decimal(12,2)"
    assert mend(contract("/descripton", {})) == "write description"
    assert mend(contract("/schema/0/columns", [])) == "write properties"
    assert mend(contract("/version", 1)) == 'quote it: version: "1"'
    assert mend(contract("/schema/0/properties/0/logicalType", "interger")) == "write integer"
    assert mend(contract("/schema/0/properties/1/relationships", [{"to": "orders.amuont"}])) == "write orders.amount"
    assert mend(patched("product", {"op": "add", "path": "/outputPort", "value": []})) == "write outputPorts"


def test_what_binds_only_inside_a_mesh_is_a_note_for_a_file_and_an_error_in_a_project() -> None:
    for tree, code in (
        (contract("/schema/0/name", "Order Lines"), "name.syntax"),
        (contract("/status", "live"), "status.unknown"),
        (contract("/schema/0/properties/1/relationships", [{"to": "customers.id"}]), "relationship.unknown-table"),
    ):
        text = json.dumps(tree)
        assert [(f.code, f.severity) for f in file_findings(text, "x")] == [(code, Severity.NOTE)]
        assert [(f.code, f.severity) for f in file_findings(text, "x", project=True)] == [(code, Severity.ERROR)]


def test_the_version_of_a_product_is_a_label() -> None:
    assert errors(patched("product", {"op": "replace", "path": "/version", "value": "spring 2024"})) == []


def test_a_password_is_never_shown() -> None:
    for url in (
        "https://u:hunter2@example.com/",
        "http://u:hunter2@127.0.0.1/",
        "ftp://u:hunter2@x/",
        "http://u:hunter2@x",
    ):
        for finding in said(contract("/servers/0", {**API, "location": url})):
            assert "hunter2" not in finding.message + finding.why + finding.mend


def test_links_into_an_own_network_are_for_people() -> None:
    support = [{"channel": "wiki", "url": "http://wiki.corp/x"}, {"channel": "mail", "url": "mailto:a@example.com"}]
    assert errors(contract("/support", support)) == []


def test_a_variable_is_told_once() -> None:
    tree = contract("/servers/0/path", "${DATA_DIR}/orders.parquet")
    tree["description"]["usage"] = "below ${DATA_DIR}"
    found = said(tree)
    assert [(f.code, f.severity) for f in found] == [("variable.unresolved", Severity.NOTE)]
    assert "${DATA_DIR}" in found[0].message


def test_all_findings_of_a_file_are_told_together_and_sorted() -> None:
    tree = contract("/id", "a b")
    tree["servers"][0]["path"] = "../x"
    tree["schema"][0]["properties"].append({"name": "region"})
    found = [f for f in said(tree) if f.severity is Severity.ERROR]
    assert [f.code for f in found] == ["id.syntax", "location.outside-root", "schema.duplicate-name"]
    assert found == sorted(found)


def test_schema_errors_do_not_hide_what_the_rules_say() -> None:
    tree = contract("/id", "..")
    tree["version"] = 1
    tree["descripton"] = {}
    tree["schema"][0]["properties"][0] = {"nam": "id", "physicalType": "decimal(12;2)"}
    tree["schema"][0]["quality"] = [{"type": "sql", "query": "DROP TABLE x", "mustBe": 0}]
    tree["servers"][0] |= {"path": "../x", "formt": "csv"}
    del tree["servers"][0]["format"]
    assert set(errors(tree)) == {
        ("id.syntax", "/id"),
        ("schema.type", "/version"),
        ("schema.unknown-key", "/descripton"),
        ("schema.unknown-key", "/schema/0/properties/0/nam"),
        ("schema.required", "/schema/0/properties/0/name"),
        ("schema.unknown-key", "/servers/0/formt"),
        ("schema.required", "/servers/0/format"),
        ("contract.bad-type", "/schema/0/properties/0/physicalType"),
        ("quality.sql", "/schema/0/quality/0/query"),
    }


def test_at_most_100_findings_are_told_and_the_rest_counted() -> None:
    tree = copy.deepcopy(BASES["contract"])
    tree["schema"][0]["properties"] += [{**COLUMN, "name": "region"} for _ in range(150)]
    found = said(tree)
    assert len(found) == 101
    assert found[-1].code == "validate.more"
    assert found[-1].message.startswith("50 ")
    assert rejects(found)


def test_a_contract_of_190_kb_is_validated_within_a_second() -> None:
    tree = copy.deepcopy(BASES["contract"])
    for t in range(10):
        columns = [
            {"name": f"column_{i}", "logicalType": "string", "physicalType": "VARCHAR",
             "description": "what it means " * 3,
             "quality": [{"type": "library", "metric": "nullValues", "mustBe": 0}]}
            for i in range(85)
        ]  # fmt: skip
        tree["schema"].append({"name": f"table_{t}", "properties": columns})
    text = json.dumps(tree, indent=1)
    assert len(text) >= 190_000
    began = time.perf_counter()
    assert file_findings(text, "x") == []
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "tree",
    [
        "[" + "1," * 500_000 + "1]",
        "a: " + "1_" * 500_000 + "x",
        contract("/description/usage", "${a:-" * 200_000),
        contract("/slaProperties/0/value", "1" + " " * 900_000 + "!"),
        contract("/schema/0/properties/0/physicalType", "a " * 400_000 + "!"),
        contract("/servers/0/path", "%2e" * 300_000),
        {**BASES["contract"], **{f"key{i}": 1 for i in range(20_000)}},
        contract("/schema/0/properties", [{"name": f"c{i}", "logicalTyp": 1} for i in range(4_000)]),
        contract("/schema/0/properties", [{**COLUMN, "name": f"c{i}", "relationships": [{"to": f"orders.d{i}"}]}
                                          for i in range(4_000)]),
    ],
    ids=["values", "number", "variables", "spaces", "type", "dots", "keys", "columns", "relationships"],
)  # fmt: skip
def test_a_file_made_to_be_slow_is_not(tree: Any) -> None:
    began = time.process_time()
    said(tree)
    assert time.process_time() - began < 2


def test_messages_stay_within_bounds_whatever_the_file_says() -> None:
    long = "x" * 100_000
    for tree in (contract("/id", long), contract("/version", long), contract("/status", long),
                 contract(f"/{long}", 1),
                 contract("/servers/0/path", "../" + long), contract("/kind", long),
                 contract("/schema/0/name", long)):  # fmt: skip
        for finding in said(tree):
            assert len(finding.message) < 1000
            assert len(finding.mend) < 1000
