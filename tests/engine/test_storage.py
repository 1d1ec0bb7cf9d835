"""Tables as a home keeps them: staged, read by file list, evolved, followed, swept, moved."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse.engine import storage
from hanse.engine.arrow_cast import ColumnsDiffer, ValueDoesNotFit
from hanse.engine.errors import DataDamaged
from hanse.engine.snapshot import TableSnapshot
from hanse.errors import Place
from hanse.names import ProductId, TableId
from hanse.spec.model import Column, Table
from hanse.spec.types import Field, ListOf, MapOf, Scalar, Struct, Type

PLACE = Place("t.odcs.yaml")
TABLE = TableId(ProductId("sales", "orders"), 1, "lines")
INT, BIG, TEXT = Scalar("int32"), Scalar("int64"), Scalar("string")


def column(name: str, type_: Type, required: bool = False) -> Column:
    return Column(name, type_, None, None, required, False, None, None, "", (), None, {}, (), (), {}, PLACE)


def table(**columns: Type) -> Table:
    return Table("lines", "lines", None, "", tuple(column(n, t) for n, t in columns.items()), (), (), (), {}, PLACE)


def rows_of(sql: str) -> list[tuple[Any, ...]]:
    found = duckdb.sql(sql).to_arrow_table()
    return sorted(zip(*(column.to_pylist() for column in found.columns), strict=True), key=repr)


class World:
    """A home's warehouse and catalogue in a folder."""

    def __init__(self, folder: Path) -> None:
        self.warehouse, self.catalog = folder / "warehouse", folder / "iceberg.db"
        self.warehouse.mkdir(parents=True, exist_ok=True)

    def stage(self, made: pa.Table | str, promised: Table, **options: Any) -> TableSnapshot:
        if isinstance(made, str):
            made = duckdb.sql(made).to_arrow_table()
        options = {"base": None, "mode": "full", "branch": "stage", **options}
        return storage.stage(
            self.warehouse, self.catalog, TABLE, promised, "orders", made.to_reader(max_chunksize=1000), **options
        )

    def rows(self, snapshot: TableSnapshot, columns: Sequence[str] | None = None) -> list[tuple[Any, ...]]:
        return rows_of(storage.scan_sql(snapshot, self.warehouse, columns))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _swept(world: World, keep: list[TableSnapshot], grace: timedelta, now: datetime) -> storage.Swept:
    there = [path for path in world.warehouse.rglob("*") if path.is_file()]
    return storage.sweep(world.warehouse, world.catalog, keep, grace, now, there=there)


def test_what_is_staged_is_read_by_its_list_of_files(world: World) -> None:
    snapshot = world.stage("select 1 as a, 'x' as b union all select 2, null", table(a=INT, b=TEXT))
    assert world.rows(snapshot) == [(1, "x"), (2, None)]
    assert world.rows(snapshot, ["b"]) == [("x",), (None,)]
    assert snapshot.rows == 2
    [file] = snapshot.files
    raw = (world.warehouse / file.path).read_bytes()
    assert (len(raw), hashlib.sha256(raw).hexdigest(), file.rows) == (file.size, file.sha256, 2)
    assert not Path(file.path).is_absolute()


def test_every_type_comes_back_as_it_went_in(world: World) -> None:
    types: dict[str, Type] = {
        "bo": Scalar("boolean"), "i": INT, "l": BIG, "f": Scalar("float32"), "d": Scalar("float64"),
        "de": Scalar("decimal", 38, 4), "s": TEXT, "bi": Scalar("binary"), "u": Scalar("uuid"), "da": Scalar("date"),
        "ti": Scalar("time"), "ts": Scalar("timestamp"), "tz": Scalar("timestamptz"),
        "st": Struct((Field("x", INT), Field("in", Struct((Field("y", TEXT),))))),
        "li": ListOf(Struct((Field("p", BIG),))),
        "ma": MapOf(TEXT, ListOf(INT)),
    }  # fmt: skip
    sql = """
        select true bo, 1::int i, 2::bigint l, 1.5::float f, 2.5::double d, 12345678901234567890.1234::decimal(38,4) de,
          'å' s, 'ab'::blob bi, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid u, date '2024-02-29' da,
          time '23:59:59.5' ti,
          timestamp '2024-01-01 00:00:00.123456' ts, timestamptz '2024-01-01 00:00:00+00' tz,
          {'x': 1, 'in': {'y': 'z'}} st, [{'p': 7::bigint}, null] li, map {'k': [1, null]} ma
        union all select null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null
    """
    snapshot = world.stage(sql, table(**types))
    assert world.rows(snapshot) == rows_of(sql)
    described = duckdb.sql(f"describe {storage.scan_sql(snapshot, world.warehouse)}").fetchall()
    assert [row[1] for row in described[:2]] == ["BOOLEAN", "INTEGER"]
    assert described[8][1] == "UUID"


def test_other_readers_of_iceberg_see_the_same_rows(world: World) -> None:
    from hanse.engine.storage.catalogue import opened

    types: dict[str, Type] = {"a": INT, "u": Scalar("uuid"), "st": Struct((Field("x", INT),)), "m": MapOf(TEXT, INT)}
    snapshot = world.stage("select 1 a, uuid() u, {'x': 3} st, map {'k': 4} m", table(**types))
    assert storage.follow_main(world.warehouse, world.catalog, snapshot)
    assert not storage.follow_main(world.warehouse, world.catalog, snapshot)
    with opened(world.catalog, world.warehouse) as iceberg:
        held = iceberg.load_table(snapshot.iceberg_table)
        assert held.current_snapshot().snapshot_id == snapshot.snapshot_id
        assert held.scan().to_arrow().select(["a", "st", "m"]).to_pylist() == [
            {"a": 1, "st": {"x": 3}, "m": [("k", 4)]}
        ]


def test_a_stage_leaves_the_published_snapshot_as_it_is(world: World) -> None:
    promised = table(a=INT)
    first = world.stage("select 1 a", promised)
    second = world.stage("select 2 a", promised, base=first, branch="b2")
    again = world.stage("select 3 a", promised, base=first, branch="b2")
    assert [world.rows(s) for s in (first, second, again)] == [[(1,)], [(2,)], [(3,)]]
    assert len({first.snapshot_id, second.snapshot_id, again.snapshot_id}) == 3
    assert again.columns == first.columns


def test_upsert_replaces_rows_of_equal_keys_and_writes_only_touched_files_anew(world: World) -> None:
    promised = table(k=INT, v=TEXT)
    first = world.stage("select i::int k, 'old' v from range(10) r(i)", promised)
    more = world.stage("select 100 k, 'old' v", promised, base=first, mode="upsert", keys=("k",))
    done = world.stage(
        "select 3 k, 'new' v union all select 42, 'new'", promised, base=more, mode="upsert", keys=("k",)
    )
    assert done.rows == 12
    assert dict(world.rows(done))[3] == "new"
    assert dict(world.rows(done))[42] == "new"
    assert {f.path for f in more.files} & {f.path for f in done.files} == {more.files[-1].path}
    assert world.rows(more)[3] == (2, "old") or (3, "old") in world.rows(more)


def test_an_increment_writes_no_damaged_file_anew(world: World) -> None:
    promised = table(k=INT, v=TEXT)
    first = world.stage("select i::int k, 'old' v from range(10) r(i)", promised)
    path = world.warehouse / first.files[0].path
    raw = path.read_bytes()
    path.write_bytes(raw[:20] + bytes([raw[20] ^ 1]) + raw[21:])
    with pytest.raises(DataDamaged):
        world.stage("select 3 k, 'new' v", promised, base=first, mode="upsert", keys=("k",))
    assert list(world.warehouse.rglob("*.parquet")) == [path]


def test_a_key_that_comes_twice_in_an_increment_is_refused(world: World) -> None:
    promised = table(k=INT)
    first = world.stage("select 1 k", promised)
    with pytest.raises(storage.stage.__globals__["KeysRepeat"], match="1 keys come more than once"):
        world.stage("select 2 k union all select 2", promised, base=first, mode="upsert", keys=("k",))
    assert len(list(world.warehouse.rglob("*.parquet"))) == 1


def test_append_by_time_replaces_the_late_window_only(world: World) -> None:
    promised = table(t=Scalar("timestamptz"), v=TEXT)
    day = "select (timestamp '2024-01-01 00:00:00' + interval (i) hour)::timestamptz t, '{}' v from range({}, {}) r(i)"
    first = world.stage(day.format("one", 0, 10), promised)
    since = datetime(2024, 1, 1, 8, tzinfo=UTC)
    second = world.stage(day.format("two", 0, 12), promised, base=first, mode="append", time_column="t", since=since)
    got = [v for _, v in sorted(world.rows(second))]
    assert got == ["one"] * 8 + ["two"] * 4


def test_a_column_that_a_minor_version_adds_is_null_in_older_files(world: World) -> None:
    first = world.stage("select 1 k, 5 n", table(k=INT, n=INT))
    wider = table(extra=TEXT, k=INT, n=BIG)
    second = world.stage("select 'e' extra, 2 k, 9000000000 n", wider, base=first, mode="upsert", keys=("k",))
    assert world.rows(second) == [("e", 2, 9000000000), (None, 1, 5)]
    ids = {c.name: c.field_id for c in first.columns}
    assert {c.name: c.field_id for c in second.columns if c.name != "extra"} == ids


def test_a_column_of_another_type_gets_a_field_id_of_its_own(world: World) -> None:
    first = world.stage("select 1 k", table(k=INT))
    second = world.stage("select 'a' k", table(k=TEXT), base=first)
    third = world.stage("select 2 k", table(k=INT), base=first)
    assert second.columns[0].field_id != first.columns[0].field_id
    assert third.columns[0].field_id == first.columns[0].field_id
    assert world.rows(first) == [(1,)]


def test_a_value_that_does_not_fit_leaves_no_file(world: World) -> None:
    first = world.stage("select 1 a", table(a=INT))
    before = sorted(world.warehouse.rglob("*.parquet"))
    with pytest.raises(ValueDoesNotFit, match=r"column 'a': 2 values do not fit INTEGER, the first in row 124001"):
        world.stage(
            "select case when i in (124000, 124500) then 9000000000 else i end a from range(125000) r(i)",
            table(a=INT),
            base=first,
        )
    with pytest.raises(ColumnsDiffer):
        world.stage("select 1 b", table(a=INT), base=first)
    assert sorted(world.warehouse.rglob("*.parquet")) == before


def test_large_streams_become_row_groups_of_one_size(world: World) -> None:
    import pyarrow.parquet as pq

    snapshot = world.stage("select i a from range(300000) r(i)", table(a=BIG))
    [file] = snapshot.files
    footer = pq.read_metadata(world.warehouse / file.path)
    assert [footer.row_group(i).num_rows for i in range(footer.num_row_groups)] == [122_880, 122_880, 54_240]
    assert footer.row_group(0).column(0).compression == "ZSTD"


def test_an_empty_table_is_staged_and_read(world: World) -> None:
    types: dict[str, Type] = {"a": INT, "st": Struct((Field("x y", INT),))}
    snapshot = world.stage("select 1 a, {'x y': 1} st limit 0", table(**types))
    assert (snapshot.rows, world.rows(snapshot)) == (0, [])
    full = world.stage("select 1 a, {'x y': 2} st", table(**types), base=snapshot)
    assert world.rows(full) == [(1, {"x y": 2})]
    assert world.rows(world.stage("select 1 a, {'x y': 1} st limit 0", table(**types), base=full)) == []


def test_a_home_moves_with_its_folder(world: World, tmp_path: Path) -> None:
    promised = table(k=INT, v=TEXT)
    first = world.stage("select 1 k, 'a' v union all select 2, 'a'", promised)
    moved_to = tmp_path / "elsewhere"
    moved_to.mkdir()
    shutil.move(world.warehouse, moved_to / "warehouse")
    shutil.move(world.catalog, moved_to / "iceberg.db")
    moved = World(moved_to)
    assert moved.rows(first) == [(1, "a"), (2, "a")]
    second = moved.stage("select 2 k, 'b' v", promised, base=first, mode="upsert", keys=("k",))
    assert moved.rows(second) == [(1, "a"), (2, "b")]
    assert storage.follow_main(moved.warehouse, moved.catalog, second)
    assert not world.warehouse.exists()


def test_a_sweep_takes_what_nothing_names_after_its_grace(world: World) -> None:
    promised = table(k=INT)
    published = world.stage("select 1 k", promised)
    storage.follow_main(world.warehouse, world.catalog, published)
    abandoned = world.stage("select 2 k", promised, base=published, branch="b2")
    stray = (world.warehouse / abandoned.files[0].path).parent / "stray.parquet"
    stray.write_bytes(b"half")
    now = datetime.now(UTC)
    grace = timedelta(hours=1)
    assert _swept(world, [published], grace, now).files == 0
    later = now + timedelta(hours=2)
    _swept(world, [published, abandoned], grace, later)
    assert world.rows(abandoned) == [(2,)]
    assert not stray.exists()
    swept = _swept(world, [published], grace, later)
    assert swept.snapshots == 1
    assert not (world.warehouse / abandoned.files[0].path).exists()
    assert world.rows(published) == [(1,)]
    again = world.stage("select 3 k", promised, base=published, branch="b3")
    assert world.rows(again) == [(3,)]


def test_durable_reaches_files_metadata_and_folders(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = world.stage("select 1 k", table(k=INT))
    synced: set[str] = set()
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    storage.sync_durable(world.warehouse, snapshot)
    folder = world.warehouse / "sales/orders/orders_v1/lines"
    expected = {str(p) for p in folder.rglob("*")} | {str(world.warehouse), str(folder), str(folder.parent)}
    assert expected <= synced


def test_a_disk_that_refuses_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = world.stage("select 1 k", table(k=INT))

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(storage.NotDurable, match="No space left"):
        storage.sync_durable(world.warehouse, snapshot)


def test_a_stream_that_breaks_leaves_nothing_behind(world: World) -> None:
    promised = table(k=BIG)
    first = world.stage("select 1::bigint k", promised)
    held = sorted(path for path in world.warehouse.rglob("*") if path.is_file())

    def broken() -> Any:
        yield pa.record_batch({"k": pa.array(range(200_000))})
        raise RuntimeError("the worker was killed")

    reader = pa.RecordBatchReader.from_batches(pa.schema([("k", pa.int64())]), broken())
    with pytest.raises(RuntimeError):
        storage.stage(
            world.warehouse, world.catalog, TABLE, promised, "orders", reader, base=first, mode="full", branch="stage"
        )
    assert sorted(path for path in world.warehouse.rglob("*") if path.is_file()) == held


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.integers(0, 12), st.integers(0, 99), max_size=6), min_size=1, max_size=4))
def test_increments_by_key_end_where_a_mapping_would(tmp_path: Path, increments: list[dict[int, int]]) -> None:
    world = World(tmp_path / str(uuid.uuid4()))
    promised = table(k=BIG, v=BIG)
    expected: dict[int, int] = {}
    base = None
    for increment in increments:
        made = pa.table({"k": pa.array(increment.keys(), pa.int64()), "v": pa.array(increment.values(), pa.int64())})
        base = world.stage(made, promised, base=base, mode="upsert", keys=("k",), branch="stage")
        expected |= increment
        assert dict(world.rows(base)) == expected
        assert base.rows == len(expected)


def test_the_newest_time_is_known(world: World) -> None:
    promised = table(t=Scalar("timestamptz"))
    empty = world.stage("select timestamptz '2024-01-01 00:00:00+00' t limit 0", promised)
    assert storage.latest(world.warehouse, empty, "t") is None
    full = world.stage("select timestamptz '2024-01-01 00:00:00+00' t", promised, base=empty)
    assert storage.latest(world.warehouse, full, "t") == datetime(2024, 1, 1, tzinfo=UTC)


def test_a_full_disk_is_told_and_leaves_the_former_state(world: World) -> None:
    promised = table(k=BIG)
    first = world.stage("select 1::bigint k", promised)
    held = sorted(path for path in world.warehouse.rglob("*.parquet"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, hard))
    try:
        with pytest.raises(storage.NotDurable, match="a data file could not be written to the disk"):
            world.stage("select (hash(i) >> 2)::bigint k from range(300000) r(i)", promised, base=first)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)
    assert sorted(path for path in world.warehouse.rglob("*.parquet")) == held
    assert world.rows(first) == [(1,)]
    assert world.stage("select 2::bigint k", promised, base=first).rows == 1


def test_increments_leave_few_files_and_equal_rows(world: World) -> None:
    promised = table(k=INT, t=Scalar("timestamp"))
    held: TableSnapshot | None = None
    most = 0
    for i in range(40):
        sql = f"select {i} k, timestamp '2026-01-01' + interval {i} hour t"
        since = datetime(2026, 1, 1) + timedelta(hours=i)
        held = world.stage(sql, promised, base=held, mode="append", time_column="t", since=since if i else None)
        most = max(most, len(held.files))
    assert held is not None
    assert most <= 14, "fewer than eight files a tier"
    assert sorted(row[0] for row in world.rows(held)) == list(range(40))
    assert sum(file.rows for file in held.files) == held.rows == 40
    upserted = world.stage("select 3 k, timestamp '2027-01-01' t", promised, base=held, mode="upsert", keys=("k",))
    assert len(world.rows(upserted)) == 40


def test_a_damaged_small_file_is_not_merged(world: World) -> None:
    promised = table(k=INT)
    held: TableSnapshot | None = None
    for i in range(7):
        held = world.stage(f"select {i} k", promised, base=held, mode="upsert" if held else "full", keys=("k",))
    assert held is not None
    path = world.warehouse / held.files[0].path
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(bytes(body))
    with pytest.raises(DataDamaged):
        world.stage("select 8 k", promised, base=held, mode="upsert", keys=("k",))
