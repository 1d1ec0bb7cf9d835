"""A project of one product, read from texts that a test may change."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hanse.errors import Place
from hanse.governance.catalog import Row, catalog_rows
from hanse.governance.policies import load as load_policies
from hanse.names import PortLine, ProductId
from hanse.spec.document import Document, load
from hanse.spec.model import Domain, ProductFiles, Project
from hanse.spec.read import contract, product

from .world import CLASSES, GRANT

PRODUCT = """\
apiVersion: v1.0.0
kind: DataProduct
id: sales.orders
name: Orders
version: 1.0.0
status: active
domain: sales
description:
  purpose: Every order that a customer placed.
inputPorts:
  - name: customers
    version: 1.0.0
    contractId: sales.customers.v1
outputPorts:
  - name: orders
    version: 1.0.0
    contractId: sales.orders.v1
support:
  - channel: help
    url: https://help.sales.example
team:
  name: kontor
  members:
    - username: olga
      role: owner
customProperties:
  - property: access
    value: request
"""
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: sales.orders.v1
name: orders
version: 1.0.0
status: active
schema:
  - name: orders
    logicalType: object
    description: One row an order.
    properties:
      - name: id
        logicalType: integer
        description: The number of the order.
        classification: public
        primaryKey: true
        primaryKeyPosition: 1
      - name: email
        logicalType: string
        description: Where the receipt goes.
        classification: restricted
        tags: [pii]
        quality:
          - name: filled
            type: library
            metric: nullValues
            mustBe: 0
slaProperties:
  - property: frequency
    value: 1
    unit: d
customProperties:
  - property: license
    value: CC0-1.0
"""
MASKS = "- {name: by-hash, classification: restricted, mask: hash}"


def _document(text: str, file: str) -> Document:
    document, findings = load(text, file)
    assert document is not None, findings
    return document


def project(product_text: str = PRODUCT, contract_text: str = CONTRACT, support: str | None = None) -> Project:
    """The project of the one product, with domain.yaml's `support`."""
    id_ = ProductId("sales", "orders")
    read, findings = product(_document(product_text, "sales/orders/orders.odps.yaml"), id_)
    assert read is not None, findings
    promised, findings = contract(_document(contract_text, "sales/orders/orders.v1.odcs.yaml"))
    assert promised is not None, findings
    files = ProductFiles(read, {PortLine(id_, "orders", 1): promised}, None, {"README.md": "Orders."})
    domain = Domain(
        "sales", "kontor", {"olga": ("owner", "steward")}, support, MappingProxyType({}), {}, Place("sales/domain.yaml")
    )
    return Project(None, {}, {}, {"sales": domain}, {id_: files}, {}, {})


def rows(
    product_text: str = PRODUCT, contract_text: str = CONTRACT, *, masks: str = MASKS, support: str | None = None
) -> Mapping[str, list[Row]]:
    """The catalogue of the one product under `masks`."""
    files = {"masks.yaml": masks} if masks else {}
    policies, findings = load_policies(files, "sales", {}, CLASSES)
    assert findings == []
    return catalog_rows(project(product_text, contract_text, support), {"sales": policies}, [GRANT])
