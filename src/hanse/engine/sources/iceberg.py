"""Tables of an Iceberg catalogue, REST or SQL: the current snapshot, by its columns and the rows that are wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from hanse.engine.sources import Connection, Given, Scan, Since, Source, Wanted, door, options
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
from hanse.engine.sources.landing import bound, chosen, landed, write
from hanse.engine.sources.s3 import KEYS as S3_KEYS
from hanse.errors import HanseError
from hanse.names import nearest

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table as IcebergTable

_KEYS = ("uri", "catalog", "warehouse", "namespace", "user", "password", "token", "scope", *S3_KEYS)
_OPTIONS = ("table", "columns", "window")
_VENDED = ("s3.access-key-id", "s3.secret-access-key", "s3.session-token", "s3.endpoint", "s3.region")
EMPTY: Mapping[str, Any] = MappingProxyType({})


class Iceberg:
    """The kind `iceberg`: `table` is `namespace.table`, or a table of the connection's namespace."""

    remote = True

    def scan(self, source: Source, given: Given, wanted: Wanted, folder: Path) -> Scan:
        """Read the current snapshot into `folder`; files that hold nothing wanted are not opened."""
        options.only(source, _OPTIONS)
        link = options.connection(source, given, _KEYS)
        with _opened(link, given, source) as catalog:
            table = _table(catalog, source, link)
            columns = _columns(table)
            names = chosen(source, columns, wanted)
            schema, batches = _batches(source, table, names, columns, wanted)
            return landed(source, folder, write(source, schema, batches, folder), columns)

    def fingerprint(self, source: Source, given: Given) -> str | None:
        """The id of the current snapshot and of the schema."""
        options.only(source, _OPTIONS)
        link = options.connection(source, given, _KEYS)
        with _opened(link, given, source) as catalog:
            table = _table(catalog, source, link)
            return f"{table.metadata.current_snapshot_id}/{table.metadata.current_schema_id}"

    def check(self, given: Given) -> str:
        """How many namespaces the catalogue tells."""
        assert given.connection is not None
        link = options.checked(given.connection, _KEYS)
        from hanse.errors import Place

        with _opened(link, given, Source(link.name, link.kind, {}, Place("domain.yaml"))) as catalog:
            return f"{len(catalog.list_namespaces())} namespaces"


@contextmanager
def _opened(link: Connection, given: Given, source: Source) -> Iterator[Catalog]:
    """The catalogue; what fails inside is told anew."""
    with door.opened(given.egress, given.seconds) as through:
        try:
            yield _catalog(link, given, source, through)
        except HanseError:
            raise
        except Exception as failure:
            if through.refused is not None:
                raise through.refused from None
            raise _told(link, source, failure) from None


def _catalog(link: Connection, given: Given, source: Source, through: door.Door) -> Catalog:
    from pyiceberg.catalog.rest import RestCatalog
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.io.pyarrow import PyArrowFileIO

    # a SQL catalogue keeps several in one database, by their names
    uri, name = options.text(link, "uri"), options.text(link, "catalog", link.name)
    own = _storage(link, through)

    class Inside(PyArrowFileIO):  # type: ignore[misc]  # its package tells no types here
        def new_input(self, location: str) -> Any:
            _refuse_outside(source, given, location)
            return super().new_input(location)

    def storage(told: Mapping[str, Any]) -> Inside:
        # a server and a table may hand out keys for their bucket; whatever else they say could lead past the door
        return Inside({**{key: told[key] for key in _VENDED if key in told}, **own})

    class Rest(RestCatalog):  # type: ignore[misc]
        def _create_session(self) -> Any:
            for word in ("auth", "ssl"):  # a server names no classes to import and no files to read
                self.properties.pop(word, None)
            session = super()._create_session()
            session.trust_env = False
            session.proxies = {"http": through.url, "https": through.url}
            return session

        def _load_file_io(self, properties: Mapping[str, Any] = EMPTY, location: str | None = None) -> Inside:
            return storage(properties)

    class Sql(SqlCatalog):  # type: ignore[misc]
        def _convert_orm_to_iceberg(self, orm: Any) -> Any:
            _refuse_outside(source, given, str(orm.metadata_location))
            return super()._convert_orm_to_iceberg(orm)

        def _load_file_io(self, properties: Mapping[str, Any] = EMPTY, location: str | None = None) -> Inside:
            return storage(properties)

    properties = {"warehouse": options.text(link, "warehouse")} if "warehouse" in link.options else {}
    if urlsplit(uri).scheme in ("http", "https"):
        return Rest(name, **properties, **_credentials(link), uri=uri)
    return Sql(name, **own, **properties, uri=_database(link, given, source, uri), init_catalog_tables="false")


def _storage(link: Connection, through: door.Door) -> dict[str, str]:
    """How files in buckets are reached: with the connection's keys, through the door."""
    known = {
        "endpoint": "s3.endpoint", "region": "s3.region", "access_key": "s3.access-key-id",
        "secret_key": "s3.secret-access-key", "session_token": "s3.session-token",
    }  # fmt: skip
    told = {ours: str(link.options[key]) for key, ours in known.items() if key in link.options}
    return {"s3.region": "us-east-1", **told, "s3.proxy-uri": through.url}


def _credentials(link: Connection) -> dict[str, str]:
    user, password, token = (link.options.get(key) for key in ("user", "password", "token"))
    told = {"scope": str(link.options["scope"])} if "scope" in link.options else {}
    if token is not None:
        return {**told, "token": str(token)}
    return {**told, "credential": f"{user}:{password}"} if user is not None else told


def _database(link: Connection, given: Given, source: Source, uri: str) -> str:
    """The address of a SQL catalogue: a SQLite file below the roots, or a PostgreSQL at a checked address."""
    if uri.startswith("sqlite:///"):
        path = below(source, uri.removeprefix("sqlite:///"), given)
        if not path.is_file():
            raise SourceAbsent(f"connection {link.name!r}: there is no catalogue at its uri", mend="mend uri:")
        return f"sqlite:///file:{quote(str(path))}?mode=ro&uri=true"
    address = urlsplit(uri)
    if address.scheme != "postgresql" or not address.hostname or address.query:
        raise BadConnection(
            f"connection {link.name!r}: its uri is no catalogue's",
            mend="uri: https://host/catalog, sqlite:///path or postgresql://host:port/database",
        )
    port = address.port or 5432
    found = given.egress.answering(address.hostname, port, given.seconds)
    who = quote(str(link.options.get("user", "")), "") + ":" + quote(str(link.options.get("password", "")), "")
    mode = "prefer" if is_loopback(found) else "require"
    seconds = max(2, min(int(given.seconds), 30))
    more = f"hostaddr={found}&sslmode={mode}&connect_timeout={seconds}&passfile=/dev/null"
    return f"postgresql+psycopg://{who}@{address.hostname}:{port}{address.path}?{more}"


def _table(catalog: Catalog, source: Source, link: Connection) -> IcebergTable:
    from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

    name = options.wanted(source, "table", "NAMESPACE.TABLE")
    identifier = tuple(name.split("."))
    if len(identifier) == 1 and "namespace" in link.options:
        identifier = (*options.text(link, "namespace").split("."), name)
    try:
        return catalog.load_table(identifier)
    except (NoSuchTableError, NoSuchNamespaceError):
        try:
            known = [".".join(one) for one in catalog.list_tables(identifier[:-1])] if identifier[:-1] else []
        except NoSuchNamespaceError:
            known = []
        near = nearest(".".join(identifier), known)
        raise SourceAbsent(
            f"source {source.name!r}: the catalogue has no table {'.'.join(identifier)}",
            where=str(source.place),
            mend=f"write table: {' or '.join(near)}" if near else "mend the name",
        ) from None


def _columns(table: IcebergTable) -> Mapping[str, str]:
    from hanse.engine.arrow_types import type_of_iceberg

    return {field.name: type_of_iceberg(field.field_type).sql for field in table.schema().fields}


def _refuse_outside(source: Source, given: Given, location: str) -> None:
    """A table's files are where its metadata says: on this machine only those below the roots are opened."""
    address = urlsplit(location)
    if address.scheme in ("", "file"):
        below(source, unquote(address.path) if address.scheme else location, given)
    elif address.scheme not in ("s3", "s3a", "s3n"):
        raise SourceUnreadable(
            f"source {source.name!r}: its files lie at {address.scheme[:20]}://, which is not read",
            where=str(source.place),
            mend="keep the table's files in a bucket that speaks S3, or on the node",
        )


def _batches(
    source: Source, table: IcebergTable, names: list[str], columns: Mapping[str, str], wanted: Wanted
) -> tuple[Any, Iterator[Any]]:
    """The schema and the rows, one file after the other and a few batches at a time."""
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.io.pyarrow import ArrowScan, _read_all_delete_files, schema_to_pyarrow

    if wanted.since is not None:
        bound(source, wanted.since, columns)  # refuses a column that is no time
    rows = AlwaysTrue() if wanted.since is None else _since(wanted.since, columns)
    planned = table.scan(row_filter=rows, selected_fields=tuple(names), limit=wanted.rows)
    schema = schema_to_pyarrow(planned.projection(), include_field_ids=False)
    tasks = list(planned.plan_files())
    scan = ArrowScan(table.metadata, table.io, planned.projection(), planned.row_filter, True, wanted.rows)

    def each() -> Iterator[Any]:
        left = wanted.rows
        for task in tasks:
            # PyIceberg's public call holds all batches of several files at once
            deletes = _read_all_delete_files(table.io, [task])
            for batch in scan._record_batches_from_scan_tasks_and_deletes([task], deletes):
                part = batch if left is None else batch.slice(0, left)
                left = None if left is None else left - part.num_rows
                yield _as(part, schema)
                if left == 0:
                    return

    return schema, each()


def _as(batch: Any, schema: Any) -> Any:
    import pyarrow as pa

    columns = [batch.column(field.name).cast(field.type) for field in schema]
    return pa.record_batch(columns, schema=pa.schema([field.with_nullable(True) for field in schema]))


def _since(since: Since, columns: Mapping[str, str]) -> Any:
    from pyiceberg.expressions import GreaterThanOrEqual

    name, type_ = next((c, t) for c, t in columns.items() if c.lower() == since.column.lower())
    moment = since.moment
    if type_.upper() == "DATE":
        day = moment.date() if isinstance(moment, datetime) else moment
        return GreaterThanOrEqual(name, day.isoformat())
    instant = moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    zoned = "TIME ZONE" in type_.upper() or type_.upper() == "TIMESTAMPTZ"
    return GreaterThanOrEqual(name, (instant if zoned else instant.replace(tzinfo=None)).isoformat())


def _told(link: Connection, source: Source, failure: Exception) -> HanseError:
    """What the catalogue or the storage said, by the class of the error."""
    kinds = {one.__name__ for one in type(failure).__mro__}
    where, name = str(source.place), link.name
    if "ModuleNotFoundError" in kinds or "NotInstalledError" in kinds:
        return MissingPart(
            f"connection {name!r} needs a part that is not installed", mend="pip install 'hanse[postgres]'"
        )
    said = str(failure)
    if kinds & {"UnauthorizedError", "ForbiddenError", "OAuthError", "AuthorizationExpiredError"} or (
        "password authentication" in said or "ACCESS_DENIED" in said
    ):
        return SourceRefused(
            f"connection {name!r}: the catalogue or its storage does not let the node in",
            where=where,
            mend=f"set the right values where the node runs; hanse connections test {name}",
        )
    if kinds & {"ServiceUnavailableError", "ServerError", "ConnectionError", "Timeout", "OperationalError", "OSError"}:
        return SourceUnreachable(
            f"source {source.name!r}: the catalogue or its storage broke off, or cannot answer now",
            where=where,
            mend=f"look whether it is up: hanse connections test {name}; then try again",
        )
    return SourceUnreadable(
        f"source {source.name!r}: the catalogue does not give what a catalogue gives ({type(failure).__name__})",
        where=where,
        mend="look at uri, warehouse and namespace of the connection",
    )


ICEBERG = Iceberg()
