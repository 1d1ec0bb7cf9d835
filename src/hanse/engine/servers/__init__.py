"""The data of a contract's `servers`, read where it lies: files, DuckDB, PostgreSQL, S3 and Iceberg."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.engine.rules.model import Missing, Relation
from hanse.engine.servers.credentials import Credentials, credentials, resolved
from hanse.engine.servers.errors import NoServer, UnknownServer
from hanse.names import literal
from hanse.spec.model import Contract

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KINDS = ("local", "duckdb", "postgres", "postgresql", "s3", "iceberg")


@dataclass(frozen=True, slots=True)
class Served:
    """Where each table of a contract is, by its name, and the server in words."""

    tables: Mapping[str, Relation | Missing]
    description: str


def choose(contract: Contract, name: str | None) -> Mapping[str, object]:
    """The server called `name`, else the first whose type is read; `UnknownServer`, `NoServer`."""
    if name is not None:
        named = [server for server in contract.servers if name in (server.get("server"), server.get("id"))]
        if not named:
            raise UnknownServer(
                name, [str(server.get("server")) for server in contract.servers if server.get("server")]
            )
        if named[0].get("type") not in KINDS:
            raise NoServer([str(named[0].get("type"))])
        return named[0]
    for server in contract.servers:
        if server.get("type") in KINDS:
            return server
    raise NoServer([str(server.get("type")) for server in contract.servers])


def serve(
    connection: DuckDBPyConnection,
    contract: Contract,
    server: Mapping[str, object],
    base: Path,
    variables: Mapping[str, str],
    file: Path | None = None,
) -> Served:
    """Open `server` for `connection`, read-only, and say where each table is; raises the errors of this package.

    `base` is the folder of relative paths, `variables` hold credentials, `file` is the mode-600 file of others.
    """
    server = resolved(server, variables)
    kind, name = str(server.get("type")), str(server.get("server") or "")
    known = credentials(name, variables, file) if kind in ("postgres", "postgresql", "s3", "iceberg") else Credentials()
    alone = len(contract.tables) == 1
    match kind:
        case "local":
            from hanse.engine.servers.files import local

            tables = {t.name: local(server, t, alone, base) for t in contract.tables}
        case "duckdb":
            from hanse.engine.servers.databases import duckdb_file

            find = duckdb_file(connection, server, base)
            tables = {t.name: find(t) for t in contract.tables}
        case "postgres" | "postgresql":
            from hanse.engine.servers.databases import postgres

            find = postgres(connection, server, known)
            tables = {t.name: find(t) for t in contract.tables}
        case "s3":
            from hanse.engine.servers.s3 import bucket

            find = bucket(connection, server, known, alone)
            tables = {t.name: find(t) for t in contract.tables}
        case _:
            from hanse.engine.servers.iceberg import catalogue

            find = catalogue(server, known)
            tables = {t.name: find(t) for t in contract.tables}
    return Served(tables, f"server {name} ({kind})" if name else f"a {kind} server")


def enclose(connection: DuckDBPyConnection, relations: Mapping[str, Relation | Missing]) -> None:
    """Shut the engine's doors: from here on it reads the files of `relations` and what is attached, nothing else."""
    files = sorted({file for r in relations.values() if isinstance(r, Relation) for file in r.files})
    connection.execute(f"SET allowed_paths = [{', '.join(literal(file) for file in files)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
