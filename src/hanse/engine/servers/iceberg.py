"""Tables of an Iceberg catalogue: PyIceberg names the files, the engine reads them by field id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from hanse.engine.rules.model import Missing, Relation
from hanse.engine.servers.credentials import Credentials
from hanse.engine.servers.databases import Find
from hanse.engine.servers.errors import BadServer, ServerUnavailable
from hanse.engine.servers.files import called
from hanse.names import literal, quote
from hanse.spec.model import Table

if TYPE_CHECKING:
    from pyiceberg.table import Table as IcebergTable


def catalogue(server: Mapping[str, object], credentials: Credentials) -> Find:
    """The tables of a catalogue (REST, or SQL by its address)."""
    from pyiceberg.catalog import load_catalog

    address = str(server.get("catalogUrl") or "")
    if not address:
        raise BadServer("a server of type iceberg needs catalogUrl", mend="catalogUrl: https://host/catalog")
    options = {"uri": address}
    if warehouse := server.get("warehouse"):
        options["warehouse"] = str(warehouse)
    if credentials.password is not None:
        if credentials.user is not None:
            options["credential"] = f"{credentials.user}:{credentials.password}"
        else:
            options["token"] = credentials.password
    namespace = tuple(str(server.get("namespace") or "").split(".")) if server.get("namespace") else ()
    try:
        catalog = load_catalog(str(server.get("catalog") or "catalog"), **options)
    except Exception as failure:
        raise _unavailable(address, failure, credentials) from failure

    def find(table: Table) -> Relation | Missing:
        from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

        for name in called(table):
            identifier = tuple(name.split(".")) if "." in name or not namespace else (*namespace, name)
            try:
                return relation(catalog.load_table(identifier), ".".join(identifier))
            except (NoSuchTableError, NoSuchNamespaceError):
                continue
            except (BadServer, ServerUnavailable):
                raise
            except Exception as failure:
                raise _unavailable(address, failure, credentials) from failure
        return Missing(f"the catalogue has no table {'.'.join((*namespace, called(table)[0]))}")

    return find


def relation(table: IcebergTable, name: str) -> Relation:
    """The current snapshot of `table` as one scan of its files."""
    tasks = list(table.scan().plan_files())
    if any(task.delete_files for task in tasks):
        raise BadServer(
            f"{name} has delete files, which are not read in place",
            mend="compact the table (rewrite_data_files) and test again",
        )
    files = [_path(str(task.file.file_path)) for task in tasks]
    fields = table.schema().fields
    shape = ", ".join(
        f"{f.field_id}: {{name: {literal(f.name)}, type: {literal(sql_type(f.field_type))}, default_value: NULL}}"
        for f in fields
    )
    if not files:
        columns = ", ".join(f"CAST(NULL AS {sql_type(f.field_type)}) AS {quote(f.name)}" for f in fields)
        return Relation(f"(SELECT {columns} WHERE false)", f"{name} (empty)")
    listed = ", ".join(literal(file) for file in files)
    sql = f"read_parquet([{listed}], schema=MAP {{{shape}}})"
    return Relation(sql, f"{name}, snapshot {table.metadata.current_snapshot_id}", files=tuple(files))


def sql_type(iceberg: Any) -> str:
    """An Iceberg type in the engine's SQL."""
    from hanse.engine.arrow_types import type_of_iceberg

    return type_of_iceberg(iceberg).sql


def _path(location: str) -> str:
    address = urlsplit(location)
    if address.scheme in ("", "file"):
        return unquote(address.path) if address.scheme else location
    raise BadServer(f"the table's files lie at {address.scheme}://, which is read by a server of type s3 only")


def _unavailable(address: str, failure: Exception, credentials: Credentials) -> ServerUnavailable:
    said = credentials.redact(str(failure).partition("\n")[0])[:200]
    return ServerUnavailable(
        f"the catalogue at {address} does not answer: {said}", mend="check catalogUrl, and the server's credentials"
    )
