"""Tables of databases, attached read-only: DuckDB files and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.engine.rules.failures import first_line
from hanse.engine.rules.model import Missing, Relation
from hanse.engine.servers import extensions
from hanse.engine.servers.credentials import Credentials
from hanse.engine.servers.errors import BadServer, ServerUnavailable
from hanse.engine.servers.files import called
from hanse.names import literal, nearest, quote
from hanse.spec.model import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CATALOG = "hanse_server"
Find = Callable[[Table], Relation | Missing]


def duckdb_file(connection: DuckDBPyConnection, server: Mapping[str, object], base: Path) -> Find:
    """The tables and views of a DuckDB database file, which is opened read-only."""
    path = base / str(server.get("database") or "")
    if not path.is_file():
        reason = f"there is no database at {server.get('database')}"
        return lambda table: Missing(reason)
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS {_CATALOG} (READ_ONLY)")
    except Exception as failure:
        raise ServerUnavailable(f"{path.name} cannot be opened: {first_line(failure)}") from failure
    return _finder(connection, str(server.get("schema") or "main"), path.name)


def postgres(connection: DuckDBPyConnection, server: Mapping[str, object], credentials: Credentials) -> Find:
    """The tables of a PostgreSQL schema; rows are read where they are, and no more columns than are asked for."""
    extensions.load(connection, "postgres", "postgres", "postgres")
    for key in ("host", "database"):
        if not server.get(key):
            raise BadServer(f"a server of type postgres needs {key}", mend=f"{key}: …")
    options = {
        "HOST": server["host"],
        "PORT": server.get("port") or 5432,
        "DATABASE": server["database"],
        "USER": credentials.user,
        "PASSWORD": credentials.password,
    }
    listed = ", ".join(f"{key} {literal(str(value))}" for key, value in options.items() if value is not None)
    try:
        connection.execute(f"CREATE TEMPORARY SECRET {_CATALOG} (TYPE postgres, {listed})")
        connection.execute(f"ATTACH '' AS {_CATALOG} (TYPE postgres, SECRET {_CATALOG}, READ_ONLY)")
    except Exception as failure:
        name = str(server.get("server") or "postgres")
        raise ServerUnavailable(
            f"the database {server['database']} at {server['host']} does not let us in: "
            f"{credentials.redact(first_line(failure))}",
            mend=f"check host, port and database, and HANSE_SERVER_{name.upper()}_USER and _PASSWORD",
        ) from failure
    return _finder(connection, str(server.get("schema") or "public"), f"{server['database']} at {server['host']}")


def _finder(connection: DuckDBPyConnection, schema: str, where: str) -> Find:
    rows = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = ?", [_CATALOG]
    ).fetchall()
    known = {(str(s), str(t)) for s, t in rows}

    def find(table: Table) -> Relation | Missing:
        for name in called(table):
            head, _, tail = name.rpartition(".")
            for pair in ((schema, name), (head.rpartition(".")[2] or schema, tail)):
                if pair in known:
                    sql = ".".join(map(quote, (_CATALOG, *pair)))
                    return Relation(sql, f"{pair[0]}.{pair[1]} in {where}", folds_case=True)
        names = [t for s, t in known if s == schema]
        near = nearest(called(table)[0], names)
        return Missing(f"{where} has no table {called(table)[0]}" + (f"; nearest: {near[0]}" if near else ""))

    return find
