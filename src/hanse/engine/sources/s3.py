"""Files in a bucket that speaks S3, read by the engine through the door: only the columns and rows that are wanted."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hanse.engine.servers import extensions
from hanse.engine.servers.errors import MissingExtra
from hanse.engine.sources import Connection, Given, Scan, Source, Wanted, door, options
from hanse.engine.sources.errors import (
    BadConnection,
    MissingPart,
    SourceAbsent,
    SourceRefused,
    SourceUnreachable,
    SourceUnreadable,
)
from hanse.engine.sources.files import scan_of
from hanse.engine.sources.landing import FILE, bound, chosen, landed, select, too_large
from hanse.errors import HanseError
from hanse.names import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEYS = ("endpoint", "region", "bucket", "access_key", "secret_key", "session_token")
_OWN = ("path", "format", "columns", "window", "changed")
_ETAGS = 200  # beyond so many files, sizes and times have to do
_MOST_FILES = 100_000


class Bucket:
    """The kind `s3`: `path` is `s3://bucket/…` or below the connection's bucket; a file, a folder or a pattern."""

    remote = True

    def scan(self, source: Source, given: Given, wanted: Wanted, folder: Path) -> Scan:
        """Read the files into `folder`, as one table."""
        link = options.connection(source, given, KEYS)
        with _opened(link, given, source) as engine:
            files = _files(engine, source, link)
            origin = scan_of(source, files, _OWN)
            told = engine.execute(f"DESCRIBE SELECT * FROM {origin}").fetchall()
            columns = {str(row[0]): str(row[1]) for row in told}
            names = chosen(source, columns, wanted)
            condition = None if wanted.since is None else bound(source, wanted.since, columns)
            form = "FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE 122880, USE_TMP_FILE false"
            query = f"COPY ({select(names, origin, condition, wanted.rows)}) TO {literal(str(folder / FILE))} ({form})"
            return landed(source, folder, int(engine.execute(query).fetchall()[0][0]), columns)

    def fingerprint(self, source: Source, given: Given) -> str | None:
        """A hash over the names, sizes and ETags of the files."""
        import hashlib

        link = options.connection(source, given, KEYS)
        with _opened(link, given, source) as engine:
            files = _files(engine, source, link)
        told = hashlib.sha256()
        with door.opened(given.egress, given.seconds) as through:
            system = _system(link, through)
            for info in system.get_file_info([str(file).removeprefix("s3://") for file in files]):
                mark = info.mtime_ns if len(files) > _ETAGS else _etag(system, info.path)
                told.update(f"{info.path}\0{info.size}\0{mark}\n".encode())
        return told.hexdigest()

    def check(self, given: Given) -> str:
        """What the bucket holds at its top, or that the endpoint lets the keys in."""
        assert given.connection is not None
        link = options.checked(given.connection, KEYS)
        from hanse.errors import Place

        source = Source(link.name, link.kind, {"path": "*"}, Place("domain.yaml"))
        if "bucket" not in link.options:
            with door.opened(given.egress, given.seconds) as through:
                given.egress.connect(*_address(link), given.seconds).close()
                try:
                    return f"{len(_system(link, through).get_file_info(_top()))} buckets"
                except OSError as failure:
                    raise _told(source, link, failure) from None
        with _opened(link, given, source) as engine:
            found = engine.execute(f"SELECT count(*) FROM glob({literal(_pattern(source, link))})").fetchall()
            return f"{found[0][0]} files at the top of {link.options['bucket']}"


def _top() -> Any:
    from pyarrow import fs

    return fs.FileSelector("", recursive=False)


@contextmanager
def _opened(link: Connection, given: Given, source: Source) -> Iterator[DuckDBPyConnection]:
    """An engine that reaches the bucket through the door; what fails inside is told anew."""
    import duckdb

    host, port = _address(link)
    given.egress.connect(host, port, given.seconds).close()  # says whether it is the network or the server
    with door.opened(given.egress, given.seconds) as through:
        config = {"threads": "2", "memory_limit": "512MiB", "temp_directory": "", "preserve_insertion_order": "false"}
        with duckdb.connect(config=config) as engine:
            try:
                extensions.load(engine, "httpfs", "s3", "s3")
            except MissingExtra as missing:
                raise MissingPart(f"connection {link.name!r}: {missing.message}", mend=missing.mend) from None
            attach(engine, link, through, given.seconds)
            try:
                yield engine
            except HanseError:
                raise
            except Exception as failure:
                raise _told(source, link, failure) from None


def attach(engine: DuckDBPyConnection, link: Connection, through: door.Door, seconds: float) -> None:
    """Let `engine` read buckets of `link` through the door."""
    engine.execute("SET TimeZone = 'UTC'")
    for name, value in (
        ("http_proxy", through.address), ("http_proxy_username", "hanse"), ("http_proxy_password", through.password),
        ("http_timeout", str(max(1, int(seconds)))), ("http_retries", "1"),
    ):  # fmt: skip
        engine.execute(f"SET {name} = {literal(value)}")
    if (authorities := ssl.get_default_verify_paths().cafile) is not None:
        engine.execute(f"SET ca_cert_file = {literal(authorities)}")
    values = {"KEY_ID": link.options.get("access_key"), "SECRET": link.options.get("secret_key")}
    values |= {"SESSION_TOKEN": link.options.get("session_token"), "REGION": link.options.get("region", "us-east-1")}
    endpoint = urlsplit(_endpoint(link))
    values |= {"ENDPOINT": endpoint.netloc, "URL_STYLE": "path"}
    listed = ", ".join(f"{key} {literal(str(value))}" for key, value in values.items() if value is not None)
    secure = "true" if endpoint.scheme == "https" else "false"
    engine.execute(f"CREATE TEMPORARY SECRET source (TYPE s3, {listed}, USE_SSL {secure})")


def _endpoint(link: Connection) -> str:
    region = link.options.get("region", "us-east-1")
    stated = link.options.get("endpoint", f"https://s3.{region}.amazonaws.com")
    address = urlsplit(str(stated))
    if address.scheme not in ("http", "https") or not address.hostname or address.path.strip("/") or address.username:
        raise BadConnection(
            f"connection {link.name!r}: endpoint is no address", mend="write endpoint: https://host:port"
        )
    return str(stated)


def _address(link: Connection) -> tuple[str, int]:
    address = urlsplit(_endpoint(link))
    return address.hostname or "", address.port or (443 if address.scheme == "https" else 80)


def _pattern(source: Source, link: Connection) -> str:
    path = options.wanted(source, "path", "folder/*.parquet")
    if "://" not in path:
        return f"s3://{options.text(link, 'bucket')}/{path.lstrip('/')}"
    if not path.startswith("s3://"):
        raise BadConnection(f"source {source.name!r}: its path is not in a bucket", mend="write path: s3://bucket/…")
    return path


def _files(engine: DuckDBPyConnection, source: Source, link: Connection) -> list[Path | str]:
    pattern = _pattern(source, link)
    if pattern.endswith("/"):
        pattern += "**"
    marks = any(mark in pattern for mark in "*?[")
    asked = pattern if marks else f"{pattern}*"  # a name without a mark is not looked up, only believed
    found = engine.execute(f"SELECT file FROM glob({literal(asked)}) ORDER BY file LIMIT {_MOST_FILES}").fetchall()
    files: list[Path | str] = [
        str(file) for (file,) in found if (marks or file == pattern) and not str(file).endswith("/")
    ]
    if not files:
        raise SourceAbsent(
            f"source {source.name!r}: there is nothing at {source.options['path']!r}",
            where=str(source.place),
            mend="mend the path, or put the files there",
        )
    return files


def _system(link: Connection, through: door.Door) -> Any:
    from pyarrow import fs

    endpoint, key = urlsplit(_endpoint(link)), link.options.get("access_key")
    return fs.S3FileSystem(
        access_key=key,
        secret_key=link.options.get("secret_key"),
        session_token=link.options.get("session_token"),
        anonymous=key is None,
        region=link.options.get("region", "us-east-1"),
        scheme="https" if endpoint.scheme == "https" else "http",
        endpoint_override=endpoint.netloc,
        proxy_options=through.url,
        connect_timeout=10,
        request_timeout=30,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=2),
    )


def _etag(system: Any, path: str) -> str:
    with system.open_input_file(path) as opened:
        told: Mapping[str, bytes] = opened.metadata() or {}
    return (told.get("ETag") or told.get("Last-Modified") or b"").decode()


def _told(source: Source, link: Connection, failure: Exception) -> HanseError:
    """What the engine made of the server's answer, told anew."""
    said, where = str(failure), str(source.place)
    status = getattr(failure, "status_code", None)
    if "too large" in said:
        return too_large(source)
    if status in (401, 403) or "ACCESS_DENIED" in said or "HTTP 403" in said or "AccessDenied" in said:
        return SourceRefused(
            f"connection {link.name!r}: the server does not accept its keys, or they may not read this",
            where=where,
            mend=f"set the right values where the node runs; hanse connections test {link.name}",
        )
    if status in (404, 410) or "HTTP 404" in said:
        return SourceAbsent(
            f"source {source.name!r}: the bucket or file is not there", where=where, mend="mend path: or bucket:"
        )
    name = type(failure).__name__
    if name in ("HTTPException", "IOException", "OSError", "ConnectionException") and "No magic bytes" not in said:
        return SourceUnreachable(
            f"source {source.name!r}: the server broke off while it was read, or cannot answer now",
            where=where,
            mend=f"look whether it is up: hanse connections test {link.name}; then try again",
        )
    return SourceUnreadable(
        f"source {source.name!r}: its files cannot be read as what they are said to be",
        where=where,
        mend="mend the files, or state their format and options in build.yaml",
    )


S3 = Bucket()
