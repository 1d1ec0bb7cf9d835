"""A small mesh for tests of the walk: sales keeps orders, growth builds baskets and scores on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import indent

Column = tuple[str, str, str, str]  # name, logical type, physical type, more YAML

MESH = """
name: small
classifications: [public, internal, restricted]
purposes: {reporting: {text: Reports, basis: none}}
"""
PEOPLE = """
teams: {sales: {title: Sales}, growth: {title: Growth}}
people:
  owner_sales: {title: Owner of sales, teams: [sales]}
  owner_growth: {title: Owner of growth, teams: [growth]}
  stranger: {title: Stranger}
"""


def domain(name: str) -> str:
    return f"name: {name}\nteam: {name}\nmembers: {{owner_{name}: [owner]}}\nsupport: https://{name}.example/help\n"


def product(
    domain: str,
    name: str,
    *,
    version: str = "1.0.0",
    inputs: Sequence[str] = (),
    access: str = "open",
) -> str:
    ports = "".join(f"  - {{name: {i.split('.')[1]}, version: 1.0.0, contractId: {i}}}\n" for i in inputs)
    return (
        "apiVersion: v1.1.0\nkind: DataProduct\n"
        f"id: {domain}.{name}\nname: {name.title()}\nversion: {version}\nstatus: active\ndomain: {domain}\n"
        f"description: {{purpose: {name} of {domain}.}}\n"
        + (f"inputPorts:\n{ports}" if inputs else "")
        + f"outputPorts:\n  - {{name: {name}, version: {version}, contractId: {domain}.{name}.v{version[0]}}}\n"
        f"support: [{{channel: team-{domain}, url: 'https://{domain}.example/help'}}]\n"
        f"team: {{name: {domain}, members: [{{username: owner_{domain}, role: owner}}]}}\n"
        f"customProperties: [{{property: access, value: {access}, vendor: hanse}}]\n"
    )


def contract(domain: str, name: str, tables: Mapping[str, Sequence[Column]], *, version: str = "1.0.0") -> str:
    schema = ""
    for table, columns in tables.items():
        schema += f"  - name: {table}\n    logicalType: object\n    physicalType: table\n    description: T.\n"
        schema += "    properties:\n"
        for column, logical, physical, more in columns:
            schema += (
                f"      - name: {column}\n        logicalType: {logical}\n        physicalType: {physical}\n"
                "        description: C.\n" + (indent(more.strip("\n"), "        ") + "\n" if more else "")
            )
    return (
        "apiVersion: v3.2.0\nkind: DataContract\n"
        f"id: {domain}.{name}.v{version[0]}\nname: {name}\nversion: {version}\nstatus: active\ndomain: {domain}\n"
        f"dataProduct: {name}\ndescription: {{purpose: P.}}\nschema:\n{schema}"
        f"team: {{name: {domain}}}\nsupport: [{{channel: team-{domain}, url: 'https://{domain}.example/help'}}]\n"
    )


PUBLIC = "classification: public"
KEY = "classification: public\nrequired: true\nprimaryKey: true\nprimaryKeyPosition: 1"
ORDERS: Sequence[Column] = (
    ("id", "integer", "BIGINT", KEY),
    ("customer", "string", "VARCHAR", "classification: internal"),
    ("email", "string", "VARCHAR", "classification: restricted"),
    ("amount", "number", '"DECIMAL(10,2)"', PUBLIC),
)
BASKETS: Sequence[Column] = (
    ("customer", "string", "VARCHAR", KEY.replace("public", "internal")),
    ("orders", "integer", "BIGINT", PUBLIC),
    ("amount", "number", '"DECIMAL(38,2)"', PUBLIC),
)
SCORES: Sequence[Column] = (
    ("customer", "string", "VARCHAR", KEY.replace("public", "internal")),
    ("score", "integer", "BIGINT", PUBLIC),
)
SCORE = """import pyarrow as pa
import pyarrow.compute as pc


def score(baskets: pa.Table) -> pa.Table:
    assert baskets.column_names == ["customer", "orders"]
    return pa.table({"customer": baskets["customer"], "score": pc.multiply(baskets["orders"], 10)})
"""
CSV = "id,customer,email,amount\n1,ada,ada@x.org,10.50\n2,ada,ada@x.org,1.25\n3,bob,bob@x.org,7\n"


def files() -> dict[str, str]:
    """The text files of the mesh, by path."""
    return {
        "mesh.yaml": MESH,
        "people.yaml": PEOPLE,
        "sales/domain.yaml": domain("sales"),
        "sales/orders/orders.odps.yaml": product("sales", "orders"),
        "sales/orders/orders.v1.odcs.yaml": contract("sales", "orders", {"orders": ORDERS}),
        "sales/orders/build.yaml": (
            "sources:\n  raw: {kind: files, path: ../../data/orders.csv}\ntables:\n  orders: {sql: orders.sql}\n"
        ),
        "sales/orders/orders.sql": "SELECT id, customer, email, CAST(amount AS DECIMAL(10,2)) AS amount FROM raw\n",
        "growth/domain.yaml": domain("growth"),
        "growth/baskets/baskets.odps.yaml": product("growth", "baskets", inputs=["sales.orders.v1"]),
        "growth/baskets/baskets.v1.odcs.yaml": contract("growth", "baskets", {"baskets": BASKETS}),
        "growth/baskets/build.yaml": "tables:\n  baskets: {sql: baskets.sql}\n",
        "growth/baskets/baskets.sql": (
            "SELECT customer, count(*) AS orders, sum(amount) AS amount\n"
            "FROM sales.orders_v1.orders GROUP BY customer\n"
        ),
        "growth/scores/scores.odps.yaml": product("growth", "scores", inputs=["growth.baskets.v1"]),
        "growth/scores/scores.v1.odcs.yaml": contract("growth", "scores", {"scores": SCORES}),
        "growth/scores/build.yaml": (
            "tables:\n  scores:\n    python: scores.py\n    function: score\n    inputs:\n"
            "      baskets: {from: growth.baskets_v1.baskets, columns: [customer, orders]}\n"
        ),
        "growth/scores/scores.py": SCORE,
    }
