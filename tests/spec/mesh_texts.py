"""A small mesh as texts: sales makes orders from files, growth makes baskets from orders."""

from __future__ import annotations

import json
from typing import Any

from hanse.errors import Finding, Severity
from hanse.spec.model import Project
from hanse.spec.project import project


def column(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "logicalType": "string", "classification": "internal", **more}


def contract(id: str, table: str, columns: list[dict[str, Any]], version: str = "1.0.0", **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": id,
        "version": version,
        "status": "active",
        "schema": [{"name": table, "logicalType": "object", "properties": columns}],
        **more,
    }


def product(
    domain: str, name: str, inputs: list[dict[str, Any]] | None = None, version: str = "1.0.0"
) -> dict[str, Any]:
    return {
        "apiVersion": "v1.1.0",
        "kind": "DataProduct",
        "id": f"{domain}.{name}",
        "domain": domain,
        "status": "active",
        "inputPorts": inputs or [],
        "outputPorts": [{"name": name, "version": version, "contractId": f"{domain}.{name}.v1"}],
    }


ORDERS = contract("sales.orders.v1", "orders", [column("id", primaryKey=True), column("item"), column("buyer")])
BASKETS = contract("growth.baskets.v1", "baskets", [column("item"), column("orders", logicalType="integer")])
MESH: dict[str, Any] = {
    "mesh.yaml": {"name": "trade", "purposes": {"planning": {"text": "Planning", "basis": "contract"}}},
    "people.yaml": {"teams": {"sellers": {}, "growers": {}}, "people": {"ada": {"teams": ["sellers"]}}},
    "sales/domain.yaml": {"name": "sales", "team": "sellers", "members": {"ada": ["owner"]}},
    "sales/orders/orders.odps.yaml": product("sales", "orders"),
    "sales/orders/orders.v1.odcs.yaml": ORDERS,
    "sales/orders/build.yaml": {"sources": {"feed": {"path": "x.csv"}}, "tables": {"orders": {"sql": "orders.sql"}}},
    "sales/orders/orders.sql": "SELECT id, item, buyer FROM feed",
    "growth/domain.yaml": {"team": "growers"},
    "growth/baskets/baskets.odps.yaml": product(
        "growth", "baskets", [{"name": "orders", "version": "1.0.0", "contractId": "sales.orders.v1"}]
    ),
    "growth/baskets/baskets.v1.odcs.yaml": BASKETS,
    "growth/baskets/build.yaml": {"tables": {"baskets": {"sql": "baskets.sql"}}},
    "growth/baskets/baskets.sql": "SELECT item, count(*) AS orders FROM sales.orders_v1.orders GROUP BY item",
}


def texts(**changes: Any) -> dict[str, str]:
    """MESH as texts after `changes`: path (`.` and `/` as they are) → another tree or text, or None to take it away."""
    files = {**MESH, **changes}
    return {
        path: content if isinstance(content, str) else json.dumps(content, indent=1)
        for path, content in files.items()
        if content is not None
    }


def changed(path: str, pointer: str, value: Any) -> dict[str, Any]:
    """The change that sets (or, with None, removes) what lies at `pointer` of a file of MESH."""
    tree = json.loads(json.dumps(MESH[path]))
    *parents, last = pointer.split("/")[1:]
    at = tree
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at[part]
    if isinstance(at, list):
        if last == "-":
            at.append(value)
        else:
            at[int(last)] = value
    elif value is None:
        del at[last]
    else:
        at[last] = value
    return {path: tree}


def read(**changes: Any) -> tuple[Project, list[Finding]]:
    return project(texts(**changes))


def errors(**changes: Any) -> list[Finding]:
    return [f for f in read(**changes)[1] if f.severity is Severity.ERROR]


def codes(**changes: Any) -> list[str]:
    """The codes of the errors after `changes`."""
    return [finding.code for finding in errors(**changes)]
