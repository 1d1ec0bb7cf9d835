"""The values that contracts and products become."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanse.errors import Severity
from hanse.names import ProductId, Version
from hanse.spec.checks.service_levels import seconds
from hanse.spec.document import load
from hanse.spec.model import Access, Contract, Product
from hanse.spec.read import contract, product
from hanse.spec.types import ListOf, MapOf, Scalar, Struct

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: sales.orders.v1
name: orders
version: 1.4.0
status: active
description: {purpose: Orders}
schema:
  - name: Orders
    tags: [gold]
    customProperties:
      - {property: address, value: orders, vendor: hanse}
      - {property: address, value: elsewhere, vendor: other}
    properties:
      - name: order_id
        logicalType: string
        primaryKey: true
        quality:
          - {metric: duplicateValues, mustBe: 0}
          - {metric: nullValues, mustBeLessThan: 1, unit: percent, severity: warning}
          - {metric: nullValues, mustBe: 0}
      - name: Line No
        logicalType: integer
        primaryKey: true
        primaryKeyPosition: 1
      - name: address
        logicalType: object
        required: true
        properties:
          - {name: zip, logicalType: string, classification: restricted, required: true}
          - {name: lines, logicalType: array, items: {logicalType: string}}
      - name: labels
        logicalType: map
        map: {key: {logicalType: string}, value: {physicalType: "decimal(4,1)"}}
      - name: state
        logicalType: string
        enum: [{value: new}, {value: paid}]
        relationships:
          - {to: states.code}
          - {to: crm.people_v2.people.id}
    quality:
      - {name: any rows, metric: rowCount, mustBeGreaterThan: 0}
      - {type: text, description: looks right}
    relationships:
      - {from: [Orders.order_id, Orders.state], to: [states.order_id, states.code]}
  - name: states
    properties:
      - {name: code, logicalType: string}
      - {name: order_id, logicalType: string}
slaProperties:
  - {property: latency, value: 15, unit: min, element: Orders.order_id}
  - {property: availability, value: 99.5, unit: percent}
team: {name: kontor}
customProperties:
  - {property: access, value: open}
"""


def read(text: str = CONTRACT) -> Contract:
    document, findings = load(text, "c.yaml")
    assert document is not None, findings
    found, findings = contract(document)
    assert found is not None, findings
    assert all(f.severity is not Severity.ERROR for f in findings), findings
    return found


def test_a_contract_keeps_what_was_written() -> None:
    found = read()
    assert (found.id, found.version, found.status, found.team) == (
        "sales.orders.v1",
        Version(1, 4, 0),
        "active",
        "kontor",
    )
    assert found.text == CONTRACT
    assert found.custom == {"access": "open"}
    assert [table.name for table in found.tables] == ["orders", "states"]
    assert found.tables[0].title == "Orders"
    assert str(found.tables[0].place) == "c.yaml:9:5"


def test_columns_have_types_and_children() -> None:
    columns = {column.name: column for column in read().tables[0].columns}
    address = columns["address"].type
    assert isinstance(address, Struct)
    assert [(f.name, f.type, f.required) for f in address.fields] == [
        ("zip", Scalar("string"), True), ("lines", ListOf(Scalar("string")), False),
    ]  # fmt: skip
    assert columns["labels"].type == MapOf(Scalar("string"), Scalar("decimal", 4, 1))
    assert [path for path, _ in columns["labels"].walk()] == [("labels",), ("labels", "{key}"), ("labels", "{value}")]
    assert [path for path, _ in columns["address"].walk()][-1] == ("address", "lines", "[]")
    assert columns["state"].enum == ("new", "paid")
    assert columns["order_id"].required


def test_the_primary_key_follows_its_positions() -> None:
    assert read().tables[0].primary_key == ("Line No", "order_id")


def test_rules_are_read_with_operator_unit_and_a_name_of_their_own() -> None:
    rules = {rule.name: rule for rule in read().tables[0].rules}
    assert list(rules) == [
        "any rows", "text", "order_id duplicateValues", "order_id nullValues", "order_id nullValues (2)",
    ]  # fmt: skip
    percent = rules["order_id nullValues"]
    assert (percent.operator, percent.expected, percent.unit) == ("mustBeLessThan", 1, "percent")
    assert (percent.severity, percent.column, percent.kind) == ("warning", ("order_id",), "library")
    assert rules["any rows"].severity == "error"


def test_relationships_are_resolved() -> None:
    links = read().tables[0].relationships
    assert [(r.columns, r.to_contract, r.to_table, r.to_columns) for r in links] == [
        (("order_id", "state"), None, "states", ("order_id", "code")),
        (("state",), None, "states", ("code",)),
        (("state",), "crm.people_v2", "people", ("id",)),
    ]


def test_service_levels_that_are_durations_have_seconds() -> None:
    assert [(s.property, s.seconds) for s in read().service_levels] == [("latency", 900.0), ("availability", None)]


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1, "d", 86400), (2, "days", 172800), (1, "y", 31536000), (1, "yr", 31536000), (90, "min", 5400), (1, "m", 60),
        (1, "M", 2592000), (1, "mo", 2592000), (4, "h", 14400), (3, "s", 3), (250, "ms", 0.25), (2, "weeks", 1209600),
        ("15 min", None, 900), ("15", "min", 900), ("PT15M", None, 900), ("P1DT2H", None, 93600),
        ("P3Y", None, 94608000),
        (1, None, None), (-1, "d", None), (True, "d", None), ("soon", "d", None), (1, "parsec", None),
        ("P", None, None),
        ("15 min", "h", None),
    ],
)  # fmt: skip
def test_a_duration_has_a_number_and_a_unit(value: object, unit: str | None, expected: float | None) -> None:
    assert seconds(value, unit) == expected


PRODUCT = """\
apiVersion: v1.1.0
kind: DataProduct
id: sales.orders
name: Orders of the web shop
status: active
domain: sales
inputPorts:
  - {name: people, version: 2.1.0, contractId: crm.people.v2}
outputPorts:
  - {name: orders, version: 1.4.0, contractId: sales.orders.v1, inputContracts: [{id: crm.people.v2, version: 2.1.0}]}
team:
  name: kontor
  members: [{username: ida, role: owner}]
customProperties:
  - {property: access, value: open, vendor: hanse}
"""


def read_product(text: str, id: ProductId | None = None) -> Product:
    document, findings = load(text, "p.yaml")
    assert document is not None, findings
    found, findings = product(document, id)
    assert found is not None, findings
    return found


def test_a_product_is_called_by_its_folder_and_titled_by_its_name() -> None:
    found = read_product(PRODUCT, ProductId("sales", "orders"))
    assert (found.id, found.title, found.document_id) == (
        ProductId("sales", "orders"), "Orders of the web shop", "sales.orders",
    )  # fmt: skip
    assert found.access is Access.OPEN
    assert (found.inputs[0].contract_id, found.inputs[0].version) == ("crm.people.v2", Version(2, 1, 0))
    assert found.outputs[0].input_contracts == ("crm.people.v2",)
    assert found.owner == "kontor"
    assert found.owner_members[0]["username"] == "ida"


def test_a_product_without_a_folder_is_called_by_its_name() -> None:
    assert read_product(PRODUCT).id == ProductId("sales", "orders_of_the_web_shop")


def test_access_is_on_request_unless_said_and_closed_when_it_cannot_be_read() -> None:
    assert read_product(PRODUCT.replace("property: access", "property: other")).access is Access.REQUEST
    assert read_product(PRODUCT.replace("value: open", "value: opne")).access is Access.CLOSED


def test_what_the_schema_refuses_becomes_no_value() -> None:
    for text, step in ((CONTRACT.replace("version: 1.4.0", "version: 1"), contract), (PRODUCT + "x: 1\n", product)):
        document, _ = load(text, "x.yaml")
        assert document is not None
        value, findings = step(document)  # type: ignore[operator]
        assert value is None
        assert findings


def test_every_example_of_the_standards_can_be_read(standards: Path) -> None:
    for path in (standards / "odcs/examples").rglob("*.yaml"):
        document, _ = load(path.read_bytes(), path.name)
        assert document is not None
        found, _ = contract(document)
        assert found is not None
        assert len(found.tables) == len(document.tree.get("schema", []))
    for path in (standards / "odps/examples").rglob("*.yaml"):
        assert read_product(path.read_text()).outputs


def test_every_descriptor_of_the_example_mesh_is_clean() -> None:
    root = Path(__file__).parents[2] / "examples" / "flights"
    files = [path for path in root.rglob("*.yaml") if path.name.endswith((".odcs.yaml", ".odps.yaml"))]
    assert len(files) == 18
    for path in files:
        document, findings = load(path.read_bytes(), path.name)
        assert document is not None, findings
        step = contract if ".odcs." in path.name else product
        value, findings = step(document, project=True)  # type: ignore[operator]
        assert value is not None
        assert findings == []
