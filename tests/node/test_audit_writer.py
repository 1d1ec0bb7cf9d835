"""The audit's one thread: nobody who leaves, no full disk and no lost connection ends it or tears its chain."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hanse.node.home import Home
from hanse.node.home.audit_writer import AuditDown
from hanse.node.home.database import StoreDown
from hanse.node.ledger import chains
from hanse.node.steps.audit import faults_of


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home.create(tmp_path / "sales", "sales", lambda: datetime.now(UTC))
    yield home
    home.close()


def test_whoever_leaves_while_an_entry_is_written_ends_nothing(home: Home) -> None:
    async def leave() -> None:
        with home.audit._lock:  # the writer waits: the entries are handed over, not written
            waiting = [asyncio.ensure_future(home.audit.opened({"act": "query"})) for _ in range(3)]
            await asyncio.sleep(0.05)
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        id = await asyncio.wait_for(home.audit.opened({"act": "query"}), 5)
        assert id.endswith("/5")  # the one that begins the chain, three whose askers left, and this

    asyncio.run(leave())
    assert faults_of(home) == []


def test_a_commit_whose_answer_was_lost_tears_no_chain(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    database = home.audit._database
    write = database.write

    @contextlib.contextmanager
    def lost() -> Iterator[Any]:
        with write() as connection:
            yield connection
        raise sa.exc.OperationalError("COMMIT", None, Exception("server closed the connection unexpectedly"))

    home.audit.open_sync({"act": "query"})
    monkeypatch.setattr(database, "write", lost)
    with pytest.raises(AuditDown):
        home.audit.open_sync({"act": "query"})
    with pytest.raises(sa.exc.OperationalError), home.change() as change:
        change.append({"act": "grant"})
    monkeypatch.undo()
    assert home.audit.open_sync({"act": "query"}).endswith("/5")
    with home.change() as change:
        change.append({"act": "grant"})
    assert faults_of(home) == []


def test_entries_are_refused_while_they_cannot_be_written_and_taken_again_after(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> Any:
        raise sa.exc.OperationalError("INSERT", None, Exception("database or disk is full"))

    monkeypatch.setattr(home.audit._database, "write", full)
    for _ in range(3):
        with pytest.raises(AuditDown):
            home.audit.open_sync({"act": "query"})
    monkeypatch.undo()
    assert home.audit.open_sync({"act": "query"})
    assert faults_of(home) == []


def test_a_store_on_a_full_disk_says_so(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "sales", "sales", lambda: datetime.now(UTC))
    home.audit.open_sync({"act": "query"})
    with home.store.database.read() as connection:
        pages = connection.scalar(sa.text("PRAGMA page_count"))

    def small(connection: Any, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    database = home.store.database
    database._engine.dispose()
    sa.event.listen(database._engine, "connect", small)
    with pytest.raises(StoreDown, match="full"), database.write() as connection:
        home.store.put_meta(connection, "filler", "x" * 1_000_000)
    with pytest.raises(AuditDown):
        home.audit.open_sync({"act": "query", "filler": "x" * 1_000_000})
    sa.event.remove(database._engine, "connect", small)
    database._engine.dispose()
    assert home.audit.open_sync({"act": "query", "filler": "x" * 1_000_000})
    assert faults_of(home) == []
    home.close()


def test_whether_entries_are_taken_is_known_again_when_the_disk_is_mended(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> Any:
        raise sa.exc.OperationalError("INSERT", None, Exception("database or disk is full"))

    assert home.audit.takes()
    monkeypatch.setattr(home.audit._database, "write", full)
    with pytest.raises(AuditDown):
        home.audit.open_sync({"act": "query"})
    assert not home.audit.takes()
    monkeypatch.undo()
    assert home.audit.takes()


def test_a_chain_holds_to_the_one_before_it_also_when_the_clock_went_back(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for at in (now, now - timedelta(days=3), now + timedelta(days=1)):
        home = Home.create(tmp_path / "sales", "sales", lambda at=at: at)  # type: ignore[misc]
        home.audit.open_sync({"act": "query"})
        last, begun = home.audit.chain, {chain: kept[0].entry for chain, kept, _ in chains(home)}
        assert faults_of(home) == []
        home.close()
    after = {chain: (entry.get("after") or {}).get("chain") for chain, entry in begun.items()}
    assert sorted(str(one) for one in after.values()) == sorted(["None", *(chain for chain in after if chain != last)])


def test_a_chain_that_vanished_whole_is_missed_by_the_next(tmp_path: Path) -> None:
    def opened() -> Home:
        return Home.create(tmp_path / "sales", "sales", lambda: datetime.now(UTC))

    home = opened()
    home.audit.open_sync({"act": "query"})
    home.close()
    home = opened()
    with home.store.database.write() as connection:
        connection.execute(sa.text("DELETE FROM audit_entry"))
        connection.execute(sa.text("DELETE FROM audit_head"))
    home.audit.open_sync({"act": "query"})
    assert any("was removed" in fault for fault in faults_of(home))
    home.close()
