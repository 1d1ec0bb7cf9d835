"""Sources elsewhere, each at a real server: S3, HTTP, ADBC drivers, Iceberg catalogues."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hanse.engine.servers import extensions
from hanse.engine.sources import Connection, Given, Scan, Since, SourceOutsideRoot, SourceUnreachable, Wanted, apart
from hanse.engine.sources.egress import Egress
from hanse.engine.sources.errors import (
    BadConnection,
    MissingPart,
    NotListed,
    SourceAbsent,
    SourceBadOption,
    SourceChanged,
    SourceChecksum,
    SourceRefused,
    SourceTooLarge,
    SourceUnreadable,
)
from hanse.engine.worker.process import Zygote
from hanse.errors import HanseError, Place
from hanse.spec.model import Source
from tests.postgres import PASSWORD, Postgres
from tests.swift import KEY, USER, Swift, swift

ROWS = "FROM (SELECT i AS id, 'n' || i AS name, TIMESTAMPTZ '2024-01-01 00:00:00+00' + i * INTERVAL 1 MINUTE AS at "
ROWS += "FROM range(1000) t(i))"
LATE = Since("at", datetime(2024, 1, 1, 16, 0, tzinfo=UTC))  # the last 40 minutes
Do = Callable[..., Any]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    one = Zygote()
    one.start()
    yield one
    one.stop()


@pytest.fixture
def do(zygote: Zygote, tmp_path: Path) -> Do:
    """Do something with a source in a process of its own, as a node does."""

    def done(
        kind: str,
        link: Mapping[str, Any] | None,
        what: str = "scan",
        wanted: Wanted = Wanted(),
        *,
        egress: tuple[str, ...] = (),
        seconds: float = 10,
        most_bytes: int = 1 << 30,
        **options: Any,
    ) -> Any:
        folder = tmp_path / "landing" / os.urandom(4).hex()
        folder.mkdir(parents=True)
        connection = None if link is None else Connection("there", kind, link, frozenset({"hidden-secret"}))
        given = Given([tmp_path], tmp_path, connection, Egress.of(egress), seconds, most_bytes)
        source = Source("raw", kind, options, Place("build.yaml", 3, 5))
        return apart.alone(zygote, what, source, given, wanted, folder)

    return done


def rows(scan: Scan) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"SELECT * FROM {scan.scan} ORDER BY ALL").fetchall()


def columns(scan: Scan) -> list[str]:
    return duckdb.sql(f"SELECT * FROM {scan.scan} LIMIT 0").columns


# ---- S3


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    """A bucket with three files of a hundred rows each under events/, and a CSV file."""
    with swift(tmp_path_factory.mktemp("swift")) as server, duckdb.connect() as engine:
        write(engine, server)
        for part in range(2):
            where = f"WHERE id % 2 = {part}"
            engine.execute(f"COPY (SELECT * {ROWS} {where}) TO 's3://lake/events/{part}.parquet'")
        engine.execute("COPY (SELECT 1 AS a, NULL AS b) TO 's3://lake/one.csv' (NULLSTR 'NA')")
        yield server


def write(engine: duckdb.DuckDBPyConnection, server: Swift) -> None:
    extensions.load(engine, "httpfs", "s3", "s3")
    engine.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{USER}', SECRET '{KEY}', ENDPOINT '127.0.0.1:{server.port}', "
        "URL_STYLE 'path', USE_SSL false, REGION 'us-east-1')"
    )


def at(server: Swift, **more: Any) -> dict[str, Any]:
    keys = {"access_key": USER, "secret_key": KEY, "bucket": "lake"}
    return {"endpoint": f"http://127.0.0.1:{server.port}", **keys, **more}


def here(port: int) -> tuple[str, ...]:
    return (f"127.0.0.1:{port}",)


def test_a_bucket_gives_the_columns_and_rows_that_are_wanted(do: Do, lake: Swift) -> None:
    scan = do("s3", at(lake), path="events/*.parquet", egress=here(lake.port))
    assert (scan.rows, columns(scan)) == (1000, ["id", "name", "at"])
    part = do("s3", at(lake), wanted=Wanted(frozenset({"id"}), LATE), path="events/", egress=here(lake.port))
    assert (part.rows, columns(part)) == (40, ["id", "at"])
    assert (
        do("s3", at(lake), wanted=Wanted(rows=3), path="s3://lake/events/0.parquet", egress=here(lake.port)).rows == 3
    )
    text = do("s3", at(lake), path="one.csv", null="NA", egress=here(lake.port))
    assert rows(text) == [(1, None)]


def test_a_buckets_fingerprint_changes_when_an_object_is_written_again(do: Do, lake: Swift) -> None:
    with duckdb.connect() as engine:
        write(engine, lake)
        told = []
        for value in (1, 1, 2):
            engine.execute(f"COPY (SELECT {value} AS a) TO 's3://lake/mark/a.csv'")
            told.append(do("s3", at(lake), "fingerprint", path="mark/*.csv", egress=here(lake.port)))
    assert told[0] == told[1] != told[2]


@pytest.mark.parametrize(
    ("link", "options", "error"),
    [
        ({"secret_key": "hidden-secret"}, {"path": "events/*.parquet"}, SourceRefused),
        ({}, {"path": "nothing/*.parquet"}, SourceAbsent),
        ({}, {"path": "events/9.parquet"}, SourceAbsent),
        ({"bucket": "pond"}, {"path": "events/*.parquet"}, SourceAbsent),
        ({}, {"path": "one.csv", "format": "parquet"}, SourceUnreadable),
        ({}, {"path": "events/", "columns": {"id": "VARCHAR"}}, SourceChanged),
        ({"acces_key": "x"}, {"path": "events/"}, BadConnection),
    ],
    ids=["wrong secret", "no file", "no such file", "no bucket", "not parquet", "another type", "unknown key"],
)
def test_a_bucket_that_does_not_give_it_says_why(
    do: Do, lake: Swift, link: dict[str, Any], options: dict[str, Any], error: type[HanseError]
) -> None:
    with pytest.raises(error) as told:
        do("s3", at(lake, **link), egress=here(lake.port), **options)
    assert told.value.mend
    assert "hidden-secret" not in str(told.value.as_problem())


def test_a_bucket_that_is_not_listed_is_not_reached(do: Do, lake: Swift) -> None:
    with pytest.raises(NotListed):
        do("s3", at(lake), path="events/", egress=here(1))


def test_a_bucket_that_stops_in_mid_read_is_unreachable(do: Do, tmp_path: Path) -> None:
    folder = tmp_path / "swift"
    folder.mkdir()
    with swift(folder) as server, duckdb.connect() as engine:
        write(engine, server)
        engine.execute("COPY (SELECT random() AS a FROM range(2000000)) TO 's3://lake/large.parquet'")
        stopping = threading.Timer(0.25, server.process.send_signal, [signal.SIGSTOP])
        stopping.start()
        with pytest.raises(SourceUnreachable):  # noqa: PT012  it stops in one of them
            for _ in range(50):
                do("s3", at(server), path="large.parquet", egress=here(server.port), seconds=1)
        stopping.join()
        server.process.kill()
        with pytest.raises(SourceUnreachable, match="refuses connections"):
            do("s3", at(server), path="large.parquet", egress=here(server.port), seconds=1)


# ---- HTTP


class Files(http.server.BaseHTTPRequestHandler):
    """Serves what the tests ask for; the path says how it behaves."""

    BODY = b"a,b\n1,x\n2,y\n"
    seen: list[str] = []

    def do_GET(self) -> None:
        self.seen.append(f"{self.path} {self.headers.get('Authorization')}")
        kind = self.path.strip("/").split("/")[0]
        if kind == "away":
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/away/"))
            self.end_headers()
            return
        if kind.isdigit():
            self.send_error(int(kind))
            return
        body = f"{hashlib.sha256(self.BODY).hexdigest()}  a.csv\n".encode() if kind == "a.csv.sha256" else self.BODY
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"one"')
        self.end_headers()
        if self.command == "HEAD":
            return
        if kind == "cut":
            self.wfile.write(body[:5])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if kind == "slow":
            threading.Event().wait(2)
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815  the library's name

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture(scope="module")
def web() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


SUM = hashlib.sha256(Files.BODY).hexdigest()


def test_a_file_with_its_checksum_is_taken(do: Do, web: int) -> None:
    url = f"http://127.0.0.1:{web}"
    for given in ({"sha256": SUM}, {"sha256": "a.csv.sha256"}, {"unchecked": True}):
        assert rows(do("http", None, url=f"{url}/a.csv", egress=here(web), **given)) == [(1, "x"), (2, "y")]
    link = {"url": f"{url}/folder", "user": "ada", "password": "hidden-secret"}
    assert do("http", link, path="b.csv", sha256=SUM, delimiter=",", egress=here(web)).files[0].name == "b.csv"
    assert Files.seen[-1] == "/folder/b.csv Basic YWRhOmhpZGRlbi1zZWNyZXQ="
    assert do("http", None, "fingerprint", url=f"{url}/a.csv", sha256="a.csv.sha256", egress=here(web)) == SUM
    assert '"one"' in do("http", None, "fingerprint", url=f"{url}/a.csv", unchecked=True, egress=here(web))


@pytest.mark.parametrize(
    ("path", "options", "error"),
    [
        ("a.csv", {"sha256": "0" * 64}, SourceChecksum),
        ("cut/a.csv", {"unchecked": True}, SourceUnreachable),
        ("slow/a.csv", {"unchecked": True, "seconds": 0.5}, SourceUnreachable),
        ("503/a.csv", {"unchecked": True}, SourceUnreachable),
        ("403/a.csv", {"unchecked": True}, SourceRefused),
        ("404/a.csv", {"unchecked": True}, SourceAbsent),
        ("a.csv", {"unchecked": True, "most_bytes": 4}, SourceTooLarge),
        ("a.csv", {}, HanseError),
    ],
)
def test_a_file_that_is_not_whole_is_not_taken(
    do: Do, web: int, path: str, options: dict[str, Any], error: type[HanseError]
) -> None:
    with pytest.raises(error) as told:
        do("http", None, url=f"http://127.0.0.1:{web}/{path}", egress=here(web), **options)
    assert told.value.mend


def test_a_redirect_leads_to_listed_addresses_only_and_without_the_credentials(do: Do, web: int) -> None:
    url = f"http://127.0.0.1:{web}"
    link = {"url": f"{url}/away/{url}", "token": "hidden-secret"}
    do("http", link, path="a.csv", unchecked=True, egress=here(web))
    assert Files.seen[-1] == "/a.csv Bearer hidden-secret"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        link = {"url": f"{url}/away/http://127.0.0.1:{other.server_port}", "token": "hidden-secret"}
        with pytest.raises(NotListed):
            do("http", link, path="a.csv", unchecked=True, egress=here(web))
        do("http", link, path="a.csv", unchecked=True, egress=here(web) + here(other.server_port))
        assert Files.seen[-1] == "/a.csv None"
        other.shutdown()


# ---- ADBC


def test_any_driver_that_is_installed_reads_by_name_and_address(do: Do, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER, name TEXT, amount REAL)")
        database.executemany("INSERT INTO orders VALUES (?, ?, ?)", [(i, f"n{i}", i / 2) for i in range(500)])
    link = {"driver": "sqlite", "uri": "shop.db"}
    scan = do("adbc", link, wanted=Wanted(frozenset({"id", "amount"})), table="orders")
    assert (scan.rows, columns(scan)) == (500, ["id", "amount"])
    assert do("adbc", link, "check").startswith("SQLite")
    assert do("adbc", link, "fingerprint", table="orders") is None
    with pytest.raises(SourceAbsent):
        do("adbc", link, table="ordres")
    with pytest.raises(SourceOutsideRoot):
        do("adbc", {**link, "uri": "/etc/passwd"}, table="orders")
    with pytest.raises(MissingPart, match="snowflake"):
        do("adbc", {"driver": "snowflake", "uri": "x"}, table="orders")
    with pytest.raises(BadConnection):
        do("adbc", {"driver": "/tmp/evil.so", "uri": "x"}, table="orders")


@pytest.fixture(scope="module")
def trips(shop: Postgres) -> Postgres:
    """The server with the table `trips`, and the view `slow` over it."""
    shop.run(
        "CREATE TABLE trips AS SELECT i AS id, 'n' || i AS name, "
        "timestamptz '2024-01-01 00:00+00' + i * interval '1 minute' AS at FROM generate_series(0, 999) i",
        "CREATE VIEW slow AS SELECT id, name, at, pg_sleep(0.01)::text AS note FROM trips",
    )
    return shop


def test_postgresql_is_read_by_its_adbc_driver_too(do: Do, trips: Postgres) -> None:
    link = {"driver": "postgresql", "uri": f"postgresql://127.0.0.1:{trips.port}/postgres", "user": "postgres"}
    known = {**link, "password": PASSWORD}
    scan = do("adbc", known, wanted=Wanted(frozenset({"id"}), LATE), table="public.trips", egress=here(trips.port))
    assert (scan.rows, columns(scan)) == (40, ["id", "at"])
    assert "2024" in do("adbc", known, "fingerprint", table="trips", changed="at", egress=here(trips.port))
    with pytest.raises(SourceRefused) as refused:
        do("adbc", {**link, "password": "hidden-secret"}, table="trips", egress=here(trips.port))
    assert "hidden-secret" not in str(refused.value.as_problem())
    with pytest.raises(SourceAbsent):
        do("adbc", known, table="public.trps", egress=here(trips.port))
    for more in ("?host=10.0.0.1", "?hostaddr=10.0.0.1", "?service=x"):
        with pytest.raises(BadConnection):
            do("adbc", {**known, "uri": link["uri"] + more}, table="trips", egress=here(trips.port))
    ending = threading.Timer(1.0, trips.run, ["SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                             "WHERE application_name = 'hanse'"])  # fmt: skip
    ending.start()
    with pytest.raises(SourceUnreachable):
        do("adbc", known, table="public.slow", egress=here(trips.port))
    ending.join()


def test_postgresql_says_what_stands_in_the_way(do: Do, trips: Postgres) -> None:
    link = {
        "host": "localhost", "port": str(trips.port), "database": "postgres", "user": "postgres", "password": PASSWORD,
    }  # fmt: skip
    listed = (f"localhost:{trips.port}",)
    assert do("postgres", link, table="trips", wanted=Wanted(rows=7), egress=listed).rows == 7
    assert do("postgres", link, "check", egress=listed).endswith("in schema public")
    trips.run("CREATE ROLE visitor LOGIN PASSWORD 'v'")
    for change, options, error in (
        ({"tls": "require"}, {}, SourceRefused),
        ({"tls": "sometimes"}, {}, BadConnection),
        ({"database": "nothing"}, {}, SourceAbsent),
        ({"port": "many"}, {}, BadConnection),
        ({"user": "visitor", "password": "v"}, {}, SourceRefused),
        ({"host": "/var/run/none"}, {}, NotListed),
        ({}, {"table": "nowhere.trips"}, SourceAbsent),
        ({}, {"most_bytes": 4096}, SourceTooLarge),
        ({}, {"changed": "nothing"}, SourceChanged),
        ({}, {"wanted": Wanted(since=Since("name", datetime(2024, 1, 1, tzinfo=UTC)))}, SourceBadOption),
    ):
        what = "fingerprint" if "changed" in options else "scan"
        with pytest.raises(error) as told:
            do("postgres", {**link, **change}, what, **{"table": "trips", "egress": listed, **options})
        assert told.value.mend, told.value


# ---- Iceberg


def filled(catalog: Any, location: str | None = None) -> Any:
    catalog.create_namespace("shop")
    arrow = duckdb.sql(f"SELECT * {ROWS}").to_arrow_table()
    table = catalog.create_table("shop.events", schema=arrow.schema)
    for start in (0, 500):
        table.append(arrow.slice(start, 500))
    return table


def test_a_sql_catalogue_gives_its_current_snapshot(do: Do, tmp_path: Path) -> None:
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("lake", uri=f"sqlite:///{tmp_path}/c.db", warehouse=f"file://{tmp_path}/warehouse")
    table = filled(catalog)
    link = {"uri": "sqlite:///c.db", "namespace": "shop", "catalog": "lake"}
    scan = do("iceberg", link, table="events")
    assert (scan.rows, columns(scan)) == (1000, ["id", "name", "at"])
    part = do("iceberg", link, wanted=Wanted(frozenset({"id"}), LATE), table="shop.events")
    assert (part.rows, columns(part)) == (40, ["id", "at"])
    assert do("iceberg", link, wanted=Wanted(rows=300), table="events").rows == 300
    first = do("iceberg", link, "fingerprint", table="events")
    table.delete("id < 100")
    assert do("iceberg", link, "fingerprint", table="events") != first
    assert do("iceberg", link, table="events").rows == 900
    assert do("iceberg", link, "check") == "1 namespaces"
    with pytest.raises(SourceAbsent) as told:
        do("iceberg", link, table="shop.evens")
    assert "shop.events" in told.value.mend


def test_a_catalogue_leads_to_no_file_outside_the_roots(do: Do, tmp_path: Path) -> None:
    from pyiceberg.catalog.sql import SqlCatalog

    inside = tmp_path / "inside"
    inside.mkdir()
    catalog = SqlCatalog("there", uri=f"sqlite:///{tmp_path}/c.db", warehouse=f"file://{tmp_path}/.hanse/warehouse")
    filled(catalog)
    with pytest.raises(SourceOutsideRoot):
        do("iceberg", {"uri": "sqlite:///c.db"}, table="shop.events")


def test_a_catalogue_in_postgresql_keeps_its_tables_in_a_bucket(do: Do, shop: Postgres, lake: Swift) -> None:
    from urllib.parse import quote

    from pyiceberg.catalog.sql import SqlCatalog

    shop.run("CREATE DATABASE catalog")
    catalog = SqlCatalog(
        "there", uri=f"postgresql+psycopg://postgres:{quote(PASSWORD)}@127.0.0.1:{shop.port}/catalog",
        warehouse="s3://lake/warehouse",
        **{"s3.endpoint": f"http://127.0.0.1:{lake.port}", "s3.access-key-id": USER, "s3.secret-access-key": KEY,
           "s3.region": "us-east-1"},
    )  # fmt: skip
    filled(catalog)
    link = {
        "uri": f"postgresql://127.0.0.1:{shop.port}/catalog", "user": "postgres", "password": PASSWORD,
        "endpoint": f"http://127.0.0.1:{lake.port}", "access_key": USER, "secret_key": KEY,
    }  # fmt: skip
    both = here(shop.port) + here(lake.port)
    part = do("iceberg", link, wanted=Wanted(frozenset({"name"}), LATE), table="shop.events", egress=both)
    assert (part.rows, columns(part)) == (40, ["name", "at"])
    with pytest.raises(NotListed):
        do("iceberg", link, table="shop.events", egress=here(shop.port))
    with pytest.raises(SourceRefused):
        do("iceberg", {**link, "password": "wrong"}, table="shop.events", egress=both)


class Rest(http.server.BaseHTTPRequestHandler):
    """The part of the Iceberg REST protocol that a reader asks for, over a SQL catalogue."""

    catalog: Any = None
    down = False
    # what a server might say to lead its reader past the door, or to have it import something
    config = {"s3.proxy-uri": "http://127.0.0.1:1", "py-io-impl": "os.abort", "s3.retry-strategy-impl": "os.abort"}

    def do_GET(self) -> None:
        from pyiceberg.exceptions import NoSuchTableError

        if self.down:
            self.answer(503, {"error": {"message": "down", "type": "ServiceUnavailable", "code": 503}})
        elif self.headers["Authorization"] != "Bearer the-token":
            self.answer(401, {"error": {"message": "no", "type": "NotAuthorized", "code": 401}})
        elif self.path.startswith("/v1/config"):
            self.answer(
                200, {"defaults": {}, "overrides": {"auth": {"type": "custom", "impl": "os.abort"}, **self.config}}
            )
        elif self.path.endswith("/tables"):
            self.answer(200, {"identifiers": [{"namespace": ["shop"], "name": "events"}]})
        elif "/tables/" in self.path:
            try:
                table = self.catalog.load_table(("shop", self.path.rpartition("/")[2].partition("?")[0]))
            except NoSuchTableError:
                self.answer(404, {"error": {"message": "no", "type": "NoSuchTableException", "code": 404}})
            else:
                metadata = json.loads(table.metadata.model_dump_json())
                location = table.metadata_location
                self.answer(200, {"metadata-location": location, "metadata": metadata, "config": self.config})
        else:
            self.answer(200, {"namespaces": [["shop"]]})

    def answer(self, status: int, told: Any) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return


def test_a_catalogue_leads_to_no_storage_that_is_reached_past_the_door(do: Do, tmp_path: Path) -> None:
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("there", uri=f"sqlite:///{tmp_path}/c.db", warehouse=f"file://{tmp_path}/warehouse")
    filled(catalog)
    with sqlite3.connect(tmp_path / "c.db") as database:
        database.execute("UPDATE iceberg_tables SET metadata_location = 'gs://bucket/metadata.json'")
    with pytest.raises(SourceUnreadable, match="gs://"):
        do("iceberg", {"uri": "sqlite:///c.db"}, table="shop.events")


def test_a_rest_catalogue_is_asked_through_the_door_only(do: Do, tmp_path: Path) -> None:
    from pyiceberg.catalog.sql import SqlCatalog

    Rest.catalog = SqlCatalog("there", uri=f"sqlite:///{tmp_path}/c.db", warehouse=f"file://{tmp_path}/warehouse")
    filled(Rest.catalog)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rest) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        link = {"uri": f"http://127.0.0.1:{server.server_port}", "token": "the-token", "namespace": "shop"}
        listed = here(server.server_port)
        assert do("iceberg", link, table="events", wanted=Wanted(since=LATE), egress=listed).rows == 40
        for change, options, error in (
            ({}, {"table": "evens", "egress": listed}, SourceAbsent),
            ({"token": "hidden-secret"}, {"table": "events", "egress": listed}, SourceRefused),
            ({}, {"table": "events", "egress": ()}, NotListed),
        ):
            with pytest.raises(error):
                do("iceberg", {**link, **change}, **options)
        Rest.down = True
        with pytest.raises(SourceUnreachable):
            do("iceberg", link, table="events", egress=listed)
        server.shutdown()
    with pytest.raises(SourceUnreachable):
        do("iceberg", link, table="events", egress=listed, seconds=2)
