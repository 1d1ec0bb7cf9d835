"""Files in a bucket that speaks S3, read in place by the engine."""

from __future__ import annotations

from collections.abc import Mapping
from glob import has_magic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hanse.engine.rules.failures import first_line
from hanse.engine.rules.model import Missing, Relation
from hanse.engine.servers import extensions
from hanse.engine.servers.credentials import Credentials
from hanse.engine.servers.databases import Find
from hanse.engine.servers.errors import BadServer, ServerUnavailable
from hanse.engine.servers.files import file_format, locations, scan
from hanse.names import literal
from hanse.spec.model import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def bucket(connection: DuckDBPyConnection, server: Mapping[str, object], credentials: Credentials, alone: bool) -> Find:
    """The tables in a bucket: `location` names files, a pattern or a folder."""
    location = str(server.get("location") or "")
    if not location.startswith("s3://"):
        raise BadServer(
            f"the location {location!r} does not start with s3://", mend="location: s3://bucket/folder/*.parquet"
        )
    extensions.load(connection, "httpfs", "s3", "s3")
    options = {"KEY_ID": credentials.user, "SECRET": credentials.password, "SCOPE": f"s3://{urlsplit(location).netloc}"}
    if endpoint := server.get("endpointUrl"):
        address = urlsplit(str(endpoint))
        if address.scheme not in ("http", "https") or not address.netloc or address.path.strip("/"):
            raise BadServer(f"the endpoint {endpoint!r} is not an address", mend="endpointUrl: https://host:port")
        options |= {"ENDPOINT": address.netloc, "URL_STYLE": "path"}
        options["USE_SSL"] = "true" if address.scheme == "https" else "false"
    options["REGION"] = _region(server)
    listed = ", ".join(f"{key} {literal(value)}" for key, value in options.items() if value is not None)
    connection.execute(f"CREATE TEMPORARY SECRET hanse_server (TYPE s3, {listed})")
    format = file_format(server, location)

    def find(table: Table) -> Relation | Missing:
        for candidate in locations(location, format, table, alone):
            pattern = candidate if has_magic(candidate) else candidate + "*"
            try:
                found = connection.execute(f"SELECT file FROM glob({literal(pattern)}) ORDER BY file").fetchall()
            except Exception as failure:
                raise ServerUnavailable(
                    f"the bucket of {location} does not answer: {credentials.redact(first_line(failure))}",
                    mend="check endpointUrl, and the access key and secret in HANSE_SERVER_…_USER and _PASSWORD",
                ) from failure
            files = [str(f) for (f,) in found if has_magic(candidate) or f == candidate]
            if files:
                shown = candidate if len(files) == 1 else f"{candidate} ({len(files)} files)"
                return Relation(scan(files, format, server), shown, typed=format == "parquet", files=tuple(files))
        return Missing(f"there is nothing at {location}")

    return find


def _region(server: Mapping[str, object]) -> str:
    """The custom property `region`, which the standard has no key for; else the one that endpoints take by default."""
    for entry in server.get("customProperties") or ():  # type: ignore[attr-defined]
        if isinstance(entry, Mapping) and entry.get("property") == "region":
            return str(entry.get("value"))
    return "us-east-1"
