"""Builds over a real PostgreSQL: only what is needed is read, and a source that fails leaves nothing behind."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hanse.engine.settings import EngineSettings
from hanse.engine.sources import Wanted
from hanse.names import ProductId
from hanse.node.builds.report import BUILT, FAILED, UNCHANGED, BuiltTable
from hanse.node.builds.stream import BuildCancelled
from hanse.node.permission import NotPermitted
from hanse.node.sources import FOLDER, Sources
from hanse.node.variables import Variables
from tests.postgres import PASSWORD, Postgres
from tests.steps.mesh_of_two import CSV, KEY, PUBLIC, contract, domain, files, product
from tests.steps.walking import OWNER_SALES, published
from tests.steps.world import World, opened, person

EVENTS = ProductId("sales", "events")
COLUMNS = [
    ("id", "integer", "BIGINT", KEY),
    ("happened", "timestamp", "TIMESTAMPTZ", PUBLIC),
    ("price", "number", '"DECIMAL(18,2)"', PUBLIC),
]
SQL = "SELECT id, happened, price FROM raw\n"
ROWS = 1000
SECRET = {("sales", "SHOP_PASSWORD"): PASSWORD}


def fill(shop: Postgres, table: str, rows: int = ROWS) -> None:
    """A table of events, one a second from 2024 on."""
    shop.run(
        f"DROP TABLE IF EXISTS {table} CASCADE",
        f"CREATE TABLE {table} AS SELECT i::bigint AS id, timestamptz '2024-01-01 00:00+00' + i * interval '1 second' "
        f"AS happened, (i * 1.25)::numeric(18,2) AS price, repeat('x', 100) AS note FROM generate_series(1, {rows}) i",
    )


@contextmanager
def world(root: Path, shop: Postgres, source: str, *, mode: str = "", sql: str = SQL, **more: Any) -> Iterator[World]:
    link = (
        f"{{kind: postgres, host: 127.0.0.1, port: {shop.port}, database: postgres, user: postgres, "
        "password: '${SHOP_PASSWORD}'}"
    )
    mesh = {
        **files(),
        "sales/domain.yaml": domain("sales") + f"connections: {{shop: {link}}}\n",
        "sales/events/events.odps.yaml": product("sales", "events"),
        "sales/events/events.v1.odcs.yaml": contract("sales", "events", {"events": COLUMNS}),
        "sales/events/build.yaml": f"sources: {{raw: {{connection: shop, {source}}}}}\n"
        f"tables: {{events: {{sql: events.sql{mode}}}}}\n",
        "sales/events/events.sql": sql,
    }
    given = {"egress": (f"127.0.0.1:{shop.port}",), "variables": Variables(SECRET), **more}
    with opened(root, mesh, {"orders.csv": CSV}, **given) as one:
        yield one


def built(world: World, **options: Any) -> BuiltTable:
    return world.build("sales/events", by=[OWNER_SALES], **options).tables[0]


def copied(shop: Postgres, table: str) -> list[str]:
    """What the server was asked to hand over of `table`."""
    return re.findall(rf'COPY \((SELECT [^\n]* FROM "public"."{table}"[^\n]*)\) TO', shop.log.read_text())


def nothing_is_left(world: World) -> None:
    assert not any((world.root / ".hanse/homes/sales/sources").glob("*"))


def test_a_table_is_read_by_the_columns_that_are_used(tmp_path: Path, shop: Postgres) -> None:
    fill(shop, "plain")
    with world(tmp_path, shop, "table: public.plain") as one:
        made = built(one)
        assert (made.state, made.rows, made.read) == (BUILT, ROWS, {"raw": ROWS}), made.finding
        (asked,) = copied(shop, "plain")
        assert '"price"' in asked
        assert '"note"' not in asked
        assert "read 1 000 rows of raw" in one.events[-1].text
        nothing_is_left(one)


def test_an_increment_asks_the_source_for_its_window_only(tmp_path: Path, shop: Postgres) -> None:
    fill(shop, "growing")
    mode = ", mode: incremental, by: time, time_column: happened, late: 10s"
    with world(tmp_path, shop, "table: growing, window: happened", mode=mode) as one:
        published(one, EVENTS)
        shop.run(
            "INSERT INTO growing SELECT i, timestamptz '2024-01-01 00:00+00' + i * interval '1 second', 1 "
            f"FROM generate_series({ROWS + 1}, {ROWS + 5}) i"
        )
        made = built(one)
        assert made.read == {"raw": 16}, "ten seconds of late rows, the newest before, and five new ones"
        assert made.rows == ROWS + 5
        assert "\"happened\" >= '2024-01-01 00:16:30+00'" in copied(shop, "growing")[-1]


def test_a_table_without_a_mark_is_read_again_and_what_is_staged_is_published(tmp_path: Path, shop: Postgres) -> None:
    fill(shop, "unmarked")
    with world(tmp_path, shop, "table: unmarked") as one:
        built(one)
        assert built(one).state == BUILT
        assert published(one, EVENTS).products[0].sequence == 1
        assert len(copied(shop, "unmarked")) == 2, "published as it was staged"
        assert built(one).state == BUILT


def test_a_table_with_a_mark_is_read_when_it_changed(tmp_path: Path, shop: Postgres) -> None:
    fill(shop, "marked")
    with world(tmp_path, shop, "table: marked, changed: happened") as one:
        assert [built(one).state, built(one).state] == [BUILT, UNCHANGED]
        shop.run("INSERT INTO marked VALUES (5000, '2025-01-01 00:00+00', 1, '')")
        assert built(one).state == BUILT


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("table: missing", "source.missing", "no table public.missing"),
        ("table: faulty, columns: {price: 'DECIMAL(10,2)'}", "source.changed", "'price' is DECIMAL(18,2) now"),
        ("table: faulty, columns: {prize: BIGINT}", "source.changed", "has no column 'prize' any more"),
        ("tabel: faulty", "build.source-option", "no option 'tabel'"),
        ("table: '${TABLE}'", "source.variable-missing", "uses ${TABLE}, which has no value here"),
    ],
)
def test_a_source_that_is_not_as_it_is_said_to_be_fails_with_its_own_error(
    tmp_path: Path, shop: Postgres, source: str, code: str, message: str
) -> None:
    fill(shop, "faulty", 1)
    with world(tmp_path, shop, source) as one:
        finding = built(one).finding
        assert finding is not None
        assert (finding.code, message in finding.message, bool(finding.mend)) == (code, True, True), finding
        nothing_is_left(one)


def test_a_column_that_the_transform_needs_and_the_source_lost_is_a_change_of_the_source(
    tmp_path: Path, shop: Postgres
) -> None:
    fill(shop, "losing")
    with world(tmp_path, shop, "table: losing") as one:
        assert built(one).state == BUILT
        shop.run("ALTER TABLE losing RENAME COLUMN price TO prices")
        finding = built(one).finding
        assert finding is not None
        assert (finding.code, "'price'" in finding.message) == ("source.changed", True), finding


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ({"variables": Variables({("sales", "SHOP_PASSWORD"): "wrong-pass"})}, "source.refused", "does not accept"),
        ({"variables": Variables({("growth", "SHOP_PASSWORD"): PASSWORD})}, "source.variable-missing", "no value"),
        ({"egress": ()}, "source.not-listed", "not among the addresses"),
    ],
    ids=["wrong password", "another domain's value", "not listed"],
)
def test_what_the_operator_did_not_give_is_told_without_a_value(
    tmp_path: Path, shop: Postgres, more: dict[str, Any], code: str, message: str
) -> None:
    fill(shop, "guarded", 1)
    with world(tmp_path, shop, "table: guarded", **more) as one:
        finding = built(one).finding
        assert finding is not None
        assert (finding.code, message in finding.message) == (code, True), finding
        assert "wrong-pass" not in str(finding)
        assert PASSWORD not in str(finding)


def test_a_source_that_breaks_off_leaves_nothing_and_the_former_state_served(tmp_path: Path, shop: Postgres) -> None:
    fill(shop, "broken", 200_000)
    with world(tmp_path, shop, "table: broken") as one:
        assert published(one, EVENTS).products[0].sequence == 1
        shop.run(
            "ALTER TABLE broken RENAME TO whole",
            "CREATE VIEW broken AS SELECT id, happened, price, "
            "CASE WHEN id % 1000 = 0 THEN pg_sleep(0.02)::text END AS note FROM whole",
        )
        one.write("sales/events/events.sql", "SELECT id, happened, price FROM raw WHERE note IS NULL OR id > 0\n")
        killer = threading.Thread(target=_cut, args=(shop,))
        killer.start()
        table = built(one)
        killer.join()
        assert table.finding is not None
        assert (table.state, table.finding.code) == (FAILED, "source.unreachable"), table.finding
        assert "broke off" in table.finding.message
        nothing_is_left(one)
        (line,) = one.node.homes["sales"].published()[EVENTS].lines.values()
        assert line.snapshot.tables["events"].rows == 200_000
        assert not one.node.homes["sales"].store.stages(EVENTS)


def _cut(shop: Postgres) -> None:
    """End the backend that reads, on the server, once it reads."""
    for _ in range(200):
        ended = shop.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hanse' "
            "AND query LIKE 'COPY%\"note\"%' AND now() - query_start > interval '0.3 second'"
        )
        if ended:
            return
        time.sleep(0.02)


def test_a_source_that_keeps_silent_is_too_slow(tmp_path: Path, shop: Postgres) -> None:
    fill(shop, "hanging", 10)
    shop.run("CREATE VIEW silent AS SELECT id, happened, price + length(pg_sleep(60)::text) AS price FROM hanging")
    limits = EngineSettings(workers=2, threads=1, source_seconds=0.5)
    with world(tmp_path, shop, "table: silent", engine=limits) as one:
        finding = built(one).finding
        assert finding is not None
        assert (finding.code, "gave nothing for 0.5 s" in finding.message) == ("source.unreachable", True), finding
        nothing_is_left(one)


def test_who_is_no_owner_cannot_send_a_domains_values_elsewhere(tmp_path: Path, shop: Postgres) -> None:
    fill(shop, "mine", 1)
    builder = person("builder", "sales")
    with world(tmp_path, shop, "table: mine") as one:
        with pytest.raises(NotPermitted):
            one.build("sales/events", by=[builder])
        published(one, EVENTS)
        assert one.build("sales/events", by=[builder]).ok, "what an owner published is the domain's to use"
        text = (one.root / "sales/domain.yaml").read_text()
        one.write("sales/domain.yaml", text.replace("database: postgres", "database: template1"))
        with pytest.raises(NotPermitted):
            one.build("sales/events", by=[builder])


def test_a_cancelled_build_ends_its_reading_at_once(tmp_path: Path, shop: Postgres) -> None:
    fill(shop, "endless", 10)
    shop.run("CREATE VIEW eternal AS SELECT id, happened, price + length(pg_sleep(60)::text) AS price FROM endless")
    with world(tmp_path, shop, "table: eternal") as one:
        cancelled = threading.Event()
        threading.Timer(1, cancelled.set).start()
        began = time.monotonic()
        with pytest.raises(BuildCancelled):
            built(one, cancelled=cancelled)
        assert time.monotonic() - began < 3
        nothing_is_left(one)


def test_a_python_transform_is_given_the_columns_it_lists_of_a_source_elsewhere(tmp_path: Path, shop: Postgres) -> None:
    fill(shop, "pythonic", 100)
    with world(tmp_path, shop, "table: pythonic") as one:
        one.write(
            "sales/events/build.yaml",
            "sources: {raw: {connection: shop, table: pythonic}}\ntables: {events: {python: events.py, "
            "inputs: {raw: {from: raw, columns: [id, happened, price]}}}}\n",
        )
        one.write("sales/events/events.py", "def events(raw):\n    return raw\n")
        made = built(one)
        assert (made.rows, made.read) == (100, {"raw": 100}), made.finding
        assert '"note"' not in copied(shop, "pythonic")[-1]


@pytest.mark.parametrize("type_", ["timestamp", "date"])
def test_a_window_is_asked_for_in_the_type_of_the_sources_column(tmp_path: Path, shop: Postgres, type_: str) -> None:
    table = f"typed_{type_}"
    fill(shop, table, 3)
    shop.run(f"ALTER TABLE {table} ALTER happened TYPE {type_} USING happened + id * interval '1 day'")
    mode = ", mode: incremental, by: time, time_column: happened"
    sql = "SELECT id, CAST(happened AS TIMESTAMPTZ) AS happened, price FROM raw\n"
    with world(tmp_path, shop, f"table: {table}, window: happened", mode=mode, sql=sql) as one:
        published(one, EVENTS)
        made = built(one)
        assert (made.rows, made.read) == (3, {"raw": 1}), made.finding
        assert '"happened" >= ' in copied(shop, table)[-1]


def test_a_source_is_read_without_a_node_too(tmp_path: Path, shop: Postgres) -> None:
    fill(shop, "profiled", 50)
    with world(tmp_path, shop, "table: profiled") as one:
        (written,) = one.project.products[EVENTS].build.sources  # type: ignore[union-attr]
        sources = Sources(one.node.settings)
        source, given = sources.resolved(written, one.project.domains["sales"], tmp_path)
        with sources.scan(source, given, Wanted(rows=20), tmp_path) as scan:
            assert duckdb.sql(f"SELECT count(*), count(note) FROM {scan.scan}").fetchall() == [(20, 20)]
            assert scan.columns is not None
            assert scan.columns["price"] == "DECIMAL(18,2)"
        assert not any((tmp_path / "sources").iterdir())


def test_what_a_killed_node_had_read_goes_when_it_starts_again(tmp_path: Path, shop: Postgres) -> None:
    with world(tmp_path, shop, "table: plain") as one:
        home = one.node.homes["sales"].path
    left = home / FOLDER / "0123"
    left.mkdir(parents=True)
    (left / "part-0.parquet").write_bytes(b"rows")
    with world(tmp_path, shop, "table: plain"):
        assert not left.exists()
