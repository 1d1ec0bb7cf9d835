"""Any database with an ADBC driver that is installed here, by the driver's name and the database's address.

Exercised by tests: sqlite, postgresql. Every other driver is found and called in the same way, and is unexercised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

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
from hanse.engine.sources.files import below
from hanse.engine.sources.landing import bound, chosen, landed, require, select, write
from hanse.errors import HanseError
from hanse.names import quote as quoted

_KEYS = ("driver", "uri", "user", "password", "schema", "options")
_OPTIONS = ("table", *options.DESCRIBING)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
# what else a PostgreSQL address says could lead elsewhere: another host, a service file, a key on disk
_POSTGRES = {"sslmode"}
_REFUSED, _GONE = ("UNAUTHENTICATED", "UNAUTHORIZED"), ("IO", "TIMEOUT", "CANCELLED")


class Adbc:
    """The kind `adbc`: the connection has `driver` and `uri`, a source `table`: `name` or `schema.name`."""

    remote = True

    def scan(self, source: Source, given: Given, wanted: Wanted, folder: Path) -> Scan:
        """Read the table into `folder`, batch by batch."""
        options.only(source, _OPTIONS)
        link = options.connection(source, given, _KEYS)
        with _opened(link, given, source) as database, closing(database.cursor()) as cursor:
            origin, columns = _table(cursor, source, link)
            names = chosen(source, columns, wanted)
            condition = None if wanted.since is None else bound(source, wanted.since, columns)
            cursor.execute(select(names, origin, condition, wanted.rows))
            batches = cursor.fetch_record_batch()
            return landed(source, folder, write(source, batches.schema, batches, folder), columns)

    def fingerprint(self, source: Source, given: Given) -> str | None:
        """The greatest value of the column under `changed` and the number of rows."""
        options.only(source, _OPTIONS)
        column = source.options.get("changed")
        if not isinstance(column, str):
            return None
        link = options.connection(source, given, _KEYS)
        with _opened(link, given, source) as database, closing(database.cursor()) as cursor:
            origin, columns = _table(cursor, source, link)
            chosen(source, columns, Wanted())
            require(source, columns, column)
            cursor.execute(f"SELECT max({quoted(column)}), count(*) FROM {origin}")
            return f"{cursor.fetchone()}/{sorted(columns.items())}"

    def check(self, given: Given) -> str:
        """What the driver says of the database."""
        assert given.connection is not None
        link = options.checked(given.connection, _KEYS)
        from hanse.errors import Place

        with _opened(link, given, Source(link.name, link.kind, {}, Place("domain.yaml"))) as database:
            told = database.adbc_get_info()
            return f"{told.get('vendor_name', link.options['driver'])} {told.get('vendor_version', '')}".strip()


@contextmanager
def _opened(link: Connection, given: Given, source: Source) -> Iterator[Any]:
    """A connection by the driver; what fails inside is told anew."""
    name = options.text(link, "driver")
    if _NAME.fullmatch(name) is None:
        raise BadConnection(
            f"connection {link.name!r}: driver is the name of an installed driver, not a path", mend="driver: sqlite"
        )
    if find_spec("adbc_driver_manager") is None or find_spec(f"adbc_driver_{name}") is None:
        raise MissingPart(
            f"connection {link.name!r} needs the ADBC driver {name!r}, which is not installed",
            mend="pip install 'hanse[adbc]'" if name in ("sqlite", "postgresql") else f"pip install adbc-driver-{name}",
        )
    from adbc_driver_manager import Error, dbapi

    settings = _settings(link, given, source, name)
    path = import_module(f"adbc_driver_{name}")._driver_path()
    try:
        with dbapi.connect(driver=path, db_kwargs=settings, autocommit=True) as database:
            yield database
    except HanseError:
        raise
    except (Error, OSError) as failure:  # a stream that breaks off ends as an OSError
        raise _told(link, source, name, failure) from None


def _settings(link: Connection, given: Given, source: Source, driver: str) -> dict[str, str]:
    """The driver's options: an address that was checked, or a file below the roots."""
    uri = options.text(link, "uri")
    more = link.options.get("options", {})
    if not isinstance(more, Mapping) or not all(isinstance(v, str) for v in more.values()):
        raise BadConnection(f"connection {link.name!r}: options maps the driver's words to texts", mend="options: {}")
    if driver == "sqlite":
        path = below(source, uri.removeprefix("file:"), given)
        if not path.is_file():
            raise SourceAbsent(f"connection {link.name!r}: there is no database at its uri", mend="mend uri:")
        return {"uri": f"file:{quote(str(path))}?mode=ro"}
    address = urlsplit(uri)
    try:
        host, port = address.hostname, address.port or (5432 if driver == "postgresql" else None)
    except ValueError:
        host, port = None, None
    if not host or port is None:
        raise BadConnection(
            f"connection {link.name!r}: its uri says no host and port", mend="uri: scheme://host:port/database"
        )
    found = given.egress.answering(host, port, given.seconds)
    user, password = link.options.get("user"), link.options.get("password")
    if driver != "postgresql":
        pairs = {"username": user, "password": password}
        return {"uri": uri, **{k: str(v) for k, v in pairs.items() if v is not None}, **dict(more)}
    asked = dict(parse_qsl(address.query))
    if more or not asked.keys() <= _POSTGRES:
        raise BadConnection(
            f"connection {link.name!r}: of a PostgreSQL address only sslmode may be said beside host and database",
            mend="uri: postgresql://host:port/database",
        )
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    who = quote(str(user), "") + (f":{quote(str(password), '')}" if password is not None else "") if user else ""
    seconds = max(2, min(int(given.seconds), 30))
    asked.setdefault("sslmode", "prefer" if is_loopback(found) else "require")
    asked |= {"hostaddr": found, "connect_timeout": str(seconds), "passfile": "/dev/null", "application_name": "hanse"}
    query = "&".join(f"{key}={quote(value, '')}" for key, value in asked.items())
    return {"uri": urlunsplit(("postgresql", f"{who}@{where}" if who else where, address.path, query, ""))}


def _table(cursor: Any, source: Source, link: Connection) -> tuple[str, Mapping[str, str]]:
    """The table as SQL calls it, and its columns with their types as the engine calls them."""
    import duckdb
    import pyarrow as pa

    name = options.wanted(source, "table", "SCHEMA.TABLE")
    schema, _, table = name.rpartition(".")
    schema = schema or str(link.options.get("schema") or "")
    origin = ".".join(quoted(part) for part in (schema, table) if part)
    cursor.execute(f"SELECT * FROM {origin} WHERE 1 = 0")
    shape = cursor.fetch_record_batch().schema
    plain = pa.schema([f.with_type(getattr(f.type, "storage_type", f.type)).remove_metadata() for f in shape])
    with duckdb.connect() as engine:
        told = engine.from_arrow(plain.empty_table())
        return origin, {c: str(t) for c, t in zip(told.columns, told.types, strict=True)}


def _told(link: Connection, source: Source, driver: str, failure: Any) -> HanseError:
    """What the driver said, by its status; a PostgreSQL driver says more in its text."""
    status, state = getattr(getattr(failure, "status_code", None), "name", ""), getattr(failure, "sqlstate", None) or ""
    where, name = str(source.place), link.name
    text = str(failure)
    if status == "NOT_FOUND" or state in ("42P01", "3F000") or "no such table" in text:
        return SourceAbsent(
            f"source {source.name!r}: connection {name!r} has no such table",
            where=where,
            mend="mend table: in build.yaml, or grant the user a look at it",
        )
    if driver == "postgresql" and not state:
        from hanse.engine.sources.postgres import told

        return told(link, text, source)
    if status in _REFUSED or state.startswith(("28", "42501")):
        return SourceRefused(
            f"connection {name!r}: the database does not let the node in, or its user may not read this",
            where=where,
            mend=f"set the right values where the node runs; hanse connections test {name}",
        )
    if status in _GONE or state.startswith(("08", "57P")) or (isinstance(failure, OSError) and not state):
        return SourceUnreachable(
            f"source {source.name!r}: the database broke off while it was read, or cannot answer now",
            where=where,
            mend=f"look whether it is up: hanse connections test {name}; then try again",
        )
    return SourceUnreadable(
        f"source {source.name!r}: the database refuses to answer" + (f" (SQLSTATE {state})" if state else ""),
        where=where,
        mend="look at the database's log for what it was asked and what it said",
    )


ADBC = Adbc()
