"""TPC-H as a mesh: one domain, a product a table, with and without policies for different readers."""

from __future__ import annotations

from pathlib import Path

import duckdb
import duckdb_extension_tpch

MASKED = {"c_name", "c_address", "c_phone"}
ROWS = {"orders": "o_orderdate >= DATE '1992-03-01'", "lineitem": "l_shipdate >= DATE '1992-03-01'"}
LOGICAL = {"BIGINT": "integer", "INTEGER": "integer", "VARCHAR": "string", "DATE": "date"}


def connect() -> duckdb.DuckDBPyConnection:
    """An engine with the extension that makes TPC-H, loaded from its wheel."""
    connection = duckdb.connect()
    folder = Path(duckdb_extension_tpch.__file__).parent
    connection.load_extension(str(next(folder.rglob("tpch.duckdb_extension"))))
    return connection


def tables(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[str, str]]]:
    """Every table with its columns and their types."""
    names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
    return {name: [(c[0], c[1]) for c in connection.execute(f"DESCRIBE {name}").fetchall()] for name in names}


def generate(folder: Path, scale: float) -> dict[str, Path]:
    """Write the tables as Parquet below `folder`; return the files by table."""
    folder.mkdir(parents=True, exist_ok=True)
    connection = connect()
    connection.execute(f"CALL dbgen(sf = {scale})")
    written = {}
    for name in tables(connection):
        written[name] = folder / f"{name}.parquet"
        connection.execute(f"COPY {name} TO '{written[name]}' (FORMAT parquet, ROW_GROUP_SIZE 122880)")
    return written


def queries() -> dict[int, str]:
    """The 22 queries."""
    return {number: text.rstrip().rstrip(";") for number, text in connect().execute("FROM tpch_queries()").fetchall()}


def addressed(sql: str, names: set[str]) -> str:
    """`sql` with every base table written as an address of the mesh."""
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(sql, dialect="duckdb")
    bound = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not table.db and table.name in names and table.name not in bound:
            table.set("db", exp.to_identifier("tpch"))
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
    return tree.sql(dialect="duckdb")


def project(folder: Path, data: dict[str, Path]) -> None:
    """Write the mesh's descriptors below `folder`; `data` lies below it too."""
    connection = connect()
    connection.execute("CALL dbgen(sf = 0)")
    files = {
        "mesh.yaml": "name: bench\nclassifications: [public, internal, restricted]\npurposes: {bench: {text: Measuring, basis: consent}}\n",
        "people.yaml": "teams: {tpch: {title: TPC-H}, clear: {title: Clear}, governed: {title: Governed}}\n"
        "people:\n  owner_tpch: {title: Owner, teams: [tpch]}\n  clear: {title: Clear reader, teams: [clear]}\n"
        "  governed: {title: Governed reader, teams: [governed]}\n",
        "policies/masks.yaml": "- {name: restricted, classification: restricted, mask: hash}\n",
        "tpch/domain.yaml": "name: tpch\nteam: tpch\nmembers:\n  owner_tpch: [owner]\nsupport: https://tpch.example/help\n",
        "tpch/policies/access/clear.cedar": '@id("clear")\npermit (principal in Team::"clear", action == Action::"unmask", resource)\n'
        'when { resource.domain == "tpch" };\n',
    }
    for table, predicate in ROWS.items():
        files[f"tpch/policies/rows/{table}.sql"] = (
            f"-- table: tpch.{table}.{table}\n-- to: team:governed\n{predicate}\n"
        )
    for table, columns in tables(connection).items():
        files |= _product(table, columns, data[table].relative_to(folder))
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def _product(table: str, columns: list[tuple[str, str]], path: Path) -> dict[str, str]:
    head = f"id: tpch.{table}\nname: {table}\nversion: 1.0.0\nstatus: active\ndomain: tpch\n"
    team = "team:\n  name: tpch\n  members:\n    - username: owner_tpch\n      role: owner\n"
    properties = "".join(
        f"      - name: {name}\n        logicalType: {LOGICAL.get(kind, 'number')}\n        physicalType: {kind}\n"
        f"        description: {name} of TPC-H.\n"
        f"        classification: {'restricted' if name in MASKED else 'internal'}\n"
        + (f"        required: true\n        primaryKey: true\n        primaryKeyPosition: {place}\n" if place else "")
        for (name, kind), place in zip(columns, _key_places(table, columns), strict=True)
    )
    return {
        f"tpch/{table}/{table}.odps.yaml": f"apiVersion: v1.1.0\nkind: DataProduct\n{head}description:\n  purpose: {table} of TPC-H.\n"
        f"outputPorts:\n  - name: {table}\n    version: 1.0.0\n    contractId: tpch.{table}.v1\n"
        f"support:\n  - channel: tpch\n    url: https://tpch.example/help\n{team}",
        f"tpch/{table}/{table}.v1.odcs.yaml": f"apiVersion: v3.2.0\nkind: DataContract\n{head.replace(f'id: tpch.{table}', f'id: tpch.{table}.v1')}"
        f"dataProduct: {table}\ndescription:\n  purpose: {table} of TPC-H.\nschema:\n  - name: {table}\n    logicalType: object\n"
        f"    description: {table} of TPC-H.\n    properties:\n{properties}"
        "slaProperties:\n  - property: frequency\n    value: 1\n    unit: y\nteam:\n  name: tpch\n"
        "customProperties:\n  - property: license\n    value: generated\n",
        f"tpch/{table}/build.yaml": f"sources:\n  file: {{kind: files, path: ../../{path}}}\ntables:\n  {table}: {{sql: {table}.sql}}\n",
        f"tpch/{table}/{table}.sql": f"SELECT {', '.join(name for name, _ in columns)} FROM file\n",
    }


def _key_places(table: str, columns: list[tuple[str, str]]) -> list[int]:
    keys = {"lineitem": ["l_orderkey", "l_linenumber"], "partsupp": ["ps_partkey", "ps_suppkey"]}
    key = keys.get(table, [columns[0][0]])
    return [key.index(name) + 1 if name in key else 0 for name, _ in columns]
