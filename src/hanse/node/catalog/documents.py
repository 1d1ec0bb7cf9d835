"""The catalogue's own descriptor and contract, written from its one definition."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hanse.governance.catalog import CATALOG
from hanse.governance.columns import column_facts
from hanse.governance.decision import TableFacts
from hanse.names import PortLine, TableId
from hanse.node.catalog import DOMAIN, PRODUCT
from hanse.spec.model import Contract, Product

VERSION = "1.0.0"
LINE = PortLine(PRODUCT, PRODUCT.name, 1)
MAIN = "products"
_LOGICAL = {
    "VARCHAR": "string",
    "INTEGER": "integer",
    "DOUBLE": "number",
    "BOOLEAN": "boolean",
    "TIMESTAMPTZ": "timestamp",
    "VARCHAR[]": "array",
}
_PURPOSE = "Every product, port line, column, rule, promise, link, grant and policy that you may know of."


@lru_cache(maxsize=8)
def documents(classification: str) -> tuple[Product, Contract]:
    """The descriptor and the contract; every column has the mildest class of the mesh, `classification`."""
    import yaml

    from hanse.spec import document, read

    contract = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": "mesh.catalog.v1",
        "name": "catalog",
        "version": VERSION,
        "status": "active",
        "domain": DOMAIN,
        "dataProduct": PRODUCT.name,
        "description": {"purpose": _PURPOSE},
        "schema": [_table(name, classification) for name in CATALOG],
    }
    product = {
        "apiVersion": "v1.1.0",
        "kind": "DataProduct",
        "id": "mesh.catalog",
        "name": "Catalogue of the mesh",
        "version": VERSION,
        "status": "active",
        "domain": DOMAIN,
        "description": {
            "purpose": _PURPOSE,
            "usage": "select * from mesh.catalog.columns where classification = 'restricted'",
        },
        "tags": ["catalogue", "metadata"],
        "outputPorts": [{"name": PRODUCT.name, "version": VERSION, "contractId": contract["id"]}],
        "customProperties": [{"property": "access", "value": "open", "vendor": "hanse"}],
    }
    written = {
        f"{PRODUCT.name}/{PRODUCT.name}.odps.yaml": product,
        f"{PRODUCT.name}/{PRODUCT.name}.v1.odcs.yaml": contract,
    }
    loaded = {
        path: document.load(yaml.safe_dump(tree, sort_keys=False, width=110), f"{DOMAIN}/{path}")[0]
        for path, tree in written.items()
    }
    one, other = loaded.values()
    assert one is not None
    assert other is not None
    found, promised = read.product(one, PRODUCT)[0], read.contract(other)[0]
    assert found is not None
    assert promised is not None
    return found, promised


@lru_cache(maxsize=8)
def facts(classification: str) -> tuple[TableFacts, ...]:
    """What a decision needs to know of the catalogue's tables: open to everybody, each sees rows of their own."""
    product, contract = documents(classification)
    return tuple(
        TableFacts(
            TableId(PRODUCT, LINE.major, table.name),
            column_facts(table),
            product.access.value,
            product.status,
            "",
            frozenset(product.tags),
            VERSION,
        )
        for table in contract.tables
    )


def _table(name: str, classification: str) -> dict[str, Any]:
    return {
        "name": name,
        "logicalType": "object",
        "physicalType": "table",
        "description": CATALOG[name].says,
        "properties": [
            {
                "name": column,
                "logicalType": _LOGICAL[type_],
                "physicalType": type_,
                **({"items": {"logicalType": "string", "physicalType": "VARCHAR"}} if type_.endswith("[]") else {}),
                "classification": classification,
                "description": f"{meaning}.",
            }
            for column, type_, meaning in CATALOG[name].columns
        ],
    }
