"""PostgreSQL: one table at a time, read by the engine's own client as the user of the connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.engine.servers import extensions
from hanse.engine.servers.errors import MissingExtra
from hanse.engine.sources import Connection, Given, Scan, Source, Wanted, options
from hanse.engine.sources.egress import is_loopback
from hanse.engine.sources.errors import (
    BadConnection,
    MissingPart,
    SourceAbsent,
    SourceRefused,
    SourceUnreachable,
    SourceUnreadable,
)
from hanse.engine.sources.landing import FILE, bound, chosen, landed, require, select, too_large
from hanse.errors import HanseError
from hanse.names import literal, nearest, quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_KEYS = ("host", "port", "database", "user", "password", "schema", "tls")
_OPTIONS = ("table", *options.DESCRIBING)
_TLS = {"verify": "verify-full", "require": "require", "off": "disable"}
_HERE = "source"
# libpq's own words, which no server translates
_CUT = re.compile(
    r"server closed the connection|connection to server|could not (?:receive|send)|no connection to the server|"
    r"connection reset|broken pipe|timeout expired|connection not open|ssl (?:syscall|connection|error)|"
    r"terminating connection|starting up|shutting down|recovery mode|too many (?:clients|connections)|"
    r"canceling statement",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"password|authentication|pg_hba|permission denied|role \"|not permitted|fe_sendauth", re.IGNORECASE
)


class Postgres:
    """The kind `postgres`: `table` is `schema.table`, or a table of the connection's schema (`public`)."""

    remote = True

    def scan(self, source: Source, given: Given, wanted: Wanted, folder: Path) -> Scan:
        """Read the table into `folder`; columns and window are the server's work."""
        options.only(source, _OPTIONS)
        link = options.connection(source, given, _KEYS)
        with opened(link, given) as engine:
            try:
                origin, columns = _table(engine, source, link)
                names = chosen(source, columns, wanted)
                condition = None if wanted.since is None else bound(source, wanted.since, columns)
                form = "FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE 122880, USE_TMP_FILE false"
                out = literal(str(folder / FILE))
                row = engine.execute(f"COPY ({select(names, origin, condition, wanted.rows)}) TO {out} ({form})")
                return landed(source, folder, int(row.fetchall()[0][0]), columns)
            except HanseError:
                raise
            except Exception as failure:
                raise told(link, str(failure), source) from None

    def fingerprint(self, source: Source, given: Given) -> str | None:
        """The greatest value of the column under `changed` and the number of rows; a table has no cheaper mark."""
        options.only(source, _OPTIONS)
        column = source.options.get("changed")
        if not isinstance(column, str):
            return None
        link = options.connection(source, given, _KEYS)
        with opened(link, given) as engine:
            try:
                origin, columns = _table(engine, source, link)
                chosen(source, columns, Wanted())
                require(source, columns, column)
                table = origin.removeprefix(f"{quote(_HERE)}.")
                asked = f"SELECT max({quote(column)})::text, count(*) FROM {table}"  # the server's work
                query = f"SELECT * FROM postgres_query({literal(_HERE)}, {literal(asked)})"
                newest, rows = engine.execute(query).fetchall()[0]
                return f"{newest}/{rows}/{sorted(columns.items())}"
            except HanseError:
                raise
            except Exception as failure:
                raise told(link, str(failure), source) from None

    def check(self, given: Given) -> str:
        """The server's version and the schema's tables."""
        assert given.connection is not None
        link = options.checked(given.connection, _KEYS)
        with opened(link, given) as engine:
            try:
                schema = options.text(link, "schema", "public")
                tables = engine.execute(
                    f"SELECT count(*) FROM {_HERE}.information_schema.tables WHERE table_schema = ?", [schema]
                ).fetchall()[0][0]
            except Exception as failure:
                raise told(link, str(failure), None) from None
        return f"{tables} table{'' if tables == 1 else 's'} in schema {schema}"


def opened(link: Connection, given: Given) -> DuckDBPyConnection:
    """An engine with the database attached, read-only, at an address that was checked."""
    import duckdb

    engine = duckdb.connect(config={"threads": "1", "memory_limit": "512MiB", "temp_directory": ""})
    try:
        extensions.load(engine, "postgres", "postgres", "postgres")
    except MissingExtra as missing:
        raise MissingPart(f"connection {link.name!r}: {missing.message}", mend=missing.mend) from None
    values = {
        "HOST": options.text(link, "host"),
        "PORT": str(options.port(link, 5432)),
        "DATABASE": options.text(link, "database"),
        "USER": options.text(link, "user"),
        "PASSWORD": str(link.options.get("password", "")),
    }
    listed = ", ".join(f"{key} {literal(value)}" for key, value in values.items() if value)
    engine.execute("SET TimeZone = 'UTC'")
    place = literal(parameters(link, given))
    try:
        engine.execute(f"CREATE TEMPORARY SECRET {_HERE} (TYPE postgres, {listed})")
        engine.execute(f"ATTACH {place} AS {_HERE} (TYPE postgres, SECRET {_HERE}, READ_ONLY)")
    except Exception as failure:
        engine.close()
        raise told(link, str(failure), None) from None
    return engine


def parameters(link: Connection, given: Given) -> str:
    """What libpq is told beside the secret: the checked address, so that it looks up no name by itself."""
    host, port = options.text(link, "host"), options.port(link, 5432)
    seconds = max(2, min(int(given.seconds), 30))
    common = f"connect_timeout={seconds} passfile=/dev/null application_name=hanse"
    if host.startswith("/"):
        given.egress.socket_folder(host)
        return common
    address = given.egress.answering(host, port, given.seconds)  # says whether it is the network or the server
    stated = link.options.get("tls", "off" if is_loopback(address) else "require")
    if stated not in _TLS:
        raise BadConnection(
            f"connection {link.name!r}: tls is verify, require or off, not {str(stated)[:40]!r}", mend="tls: verify"
        )
    root = " sslrootcert=system" if stated == "verify" else ""
    return f"{common} hostaddr={address} sslmode={_TLS[stated]}{root}"


def _table(engine: DuckDBPyConnection, source: Source, link: Connection) -> tuple[str, Mapping[str, str]]:
    """The table as SQL calls it and its columns with their types; `SourceAbsent` names the nearest."""
    name = options.wanted(source, "table", "SCHEMA.TABLE")
    schema, _, table = name.rpartition(".")
    schema = schema or options.text(link, "schema", "public")
    rows = engine.execute(
        "SELECT column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name = ? AND table_name = ? ORDER BY column_index",
        [_HERE, schema, table],
    ).fetchall()
    if not rows:
        known = engine.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = ? "
            "UNION SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE database_name = ?",
            [_HERE, _HERE],
        ).fetchall()
        near = nearest(f"{schema}.{table}", [str(one) for (one,) in known])
        raise SourceAbsent(
            f"source {source.name!r}: connection {link.name!r} has no table {schema}.{table}",
            where=str(source.place),
            mend=f"write table: {' or '.join(near)}" if near else "mend the name, or grant the user a look at it",
        )
    return ".".join(map(quote, (_HERE, schema, table))), {str(column): str(type_) for column, type_ in rows}


def told(link: Connection, said: str, source: Source | None) -> HanseError:
    """What libpq or the server said, told anew: their texts hold addresses, users and sometimes values."""
    name, where = link.name, str(source.place) if source is not None else ""
    if "too large" in said and source is not None:
        return too_large(source)
    if re.search(r"database \"[^\"]*\" does not exist", said):
        return SourceAbsent(
            f"connection {name!r}: the server has no database {options.text(link, 'database')!r}",
            where=where,
            mend="mend database: in domain.yaml",
        )
    if "does not support SSL" in said:
        return SourceRefused(
            f"connection {name!r}: the server speaks no TLS, and the connection wants it",
            where=where,
            mend="have TLS turned on there; in a network that you trust write tls: off in domain.yaml",
        )
    if "certificate" in said:
        return SourceRefused(
            f"connection {name!r}: the server's certificate is not trusted here",
            where=where,
            mend="have it mended, or its authority added to the node's system; tls: require does not look at it",
        )
    if _REFUSED.search(said) and not re.search(r"terminating|starting up|shutting down", said):
        if re.search(r"permission denied", said):
            message = f"connection {name!r}: its user may not read what is asked for"
            return SourceRefused(message, where=where, mend="have the database's owner GRANT SELECT on it to that user")
        return SourceRefused(
            f"connection {name!r}: the server does not accept the user and password",
            where=where,
            mend=f"set the right values where the node runs; hanse connections test {name}",
        )
    if _CUT.search(said):
        what = f"source {source.name!r}" if source is not None else f"connection {name!r}"
        began = source is not None and "failed: " not in said
        return SourceUnreachable(
            f"{what}: the server broke off while it was read" if began else f"{what}: the server takes no connection",
            where=where,
            mend=f"look whether it is up: hanse connections test {name}; then try again",
        )
    return SourceUnreadable(
        f"connection {name!r}: the server refuses to answer",
        where=where,
        mend="look at the server's log for what it was asked and what it said",
    )


POSTGRES = Postgres()
