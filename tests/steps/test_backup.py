"""backup and restore: a copy made while the homes are served gives the same publications and audit elsewhere."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from hanse.errors import HanseError
from hanse.governance.decision import Request
from hanse.node.backups.errors import (
    BackupDamaged,
    HomeExists,
    NoBackup,
    SourceDamaged,
    UnsafePassphrase,
    WrongPassphrase,
)
from hanse.node.backups.folder import BackupFolder, Manifest
from hanse.node.backups.make import BackedUp, backup
from hanse.node.backups.restore import restore
from hanse.node.backups.sealed import of_file, sealed
from hanse.node.backups.sealed import opened as unsealed
from hanse.node.home import Home
from hanse.node.publications import is_signed
from hanse.node.steps.audit import verify
from hanse.node.steps.query import query
from tests.postgres import OWNER, PASSWORD, Postgres
from tests.steps.mesh_of_two import CSV, files
from tests.steps.walking import ORDERS, OWNER_SALES, published
from tests.steps.world import NOON, World, opened

PHRASE = "correct horse battery staple"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path / "one", files(), {"orders.csv": CSV}) as made:
        published(made, ORDERS)
        yield made


def backed_up(world: World, folder: Path) -> BackedUp:
    homes = {domain: home.path for domain, home in world.node.homes.items()}
    return backup(homes, world.node.settings.stores, folder, PHRASE, lambda: NOON)


def rows(world: World, at: str = "") -> int:
    async def ask() -> Any:
        answer = await query(world.node, Request(OWNER_SALES, NOON), f"SELECT count(*) AS n FROM sales.orders {at}")
        return (await answer.table())["n"].to_pylist()[0]

    return int(asyncio.run_coroutine_threadsafe(ask(), world.loop).result(30))


def every_file(folder: Path) -> list[Any]:
    return [file for found in BackupFolder(folder).manifest().homes.values() for file in found]


def test_a_restored_home_gives_the_same_publications_and_audit_and_goes_on(world: World, tmp_path: Path) -> None:
    first = rows(world)
    world.write("data/orders.csv", CSV + CSV.splitlines()[-1].replace("3", "4", 1) + "\n")
    published(world, ORDERS)
    here = world.node.homes["sales"]
    folder = tmp_path / "backup"
    backed_up(world, folder)
    BackupFolder(folder).verify(every_file(folder))
    there = tmp_path / "two"
    done = restore(folder, there / ".hanse" / "homes", {}, PHRASE)
    assert set(done.domains) == {"sales", "growth"}
    shutil.copytree(world.root / "data", there / "data")
    with opened(there, files(), {}) as moved:
        home = moved.node.homes["sales"]
        assert home.store.publications(ORDERS) == here.store.publications(ORDERS)
        assert all(is_signed(home, one) for one in home.store.publications(ORDERS))
        assert (home.key, home.mask_key) == (here.key, here.mask_key)
        assert all(not proof.faults for proof in verify(moved.node, OWNER_SALES))
        assert rows(moved, "AT (VERSION => 1)") == first
        assert rows(moved) == rows(world)
        moved.write("data/orders.csv", CSV)
        assert published(moved, ORDERS).products[0].sequence == 3, "it builds and publishes where it lies now"
        assert rows(moved) == first


def test_a_second_backup_copies_only_what_is_new(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    first = backed_up(world, folder)
    second = backed_up(world, folder)
    assert first.new_files == first.files
    data = [file for file in every_file(folder) if file.path.startswith("warehouse/")]
    assert data
    assert second.new_files <= 2 * len(second.domains), "stores and newly sealed keys only"
    objects = {path.name for path in (folder / "objects").glob("*/*")}
    assert objects == {file.sha256 for file in every_file(folder)}, "what only the former backup named is gone"


def test_a_backup_killed_at_any_point_leaves_the_former_one_whole(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    backed_up(world, folder)
    before = (folder / "manifest.json").read_text()
    world.write("data/orders.csv", CSV + CSV.splitlines()[-1].replace("3", "4", 1) + "\n")
    published(world, ORDERS)
    homes = {domain: home.path for domain, home in world.node.homes.items()}
    for puts in (0, 1, 3, 6):
        child = os.fork()
        if child == 0:  # dies as kill -9 does, in the midst of its copies
            real, turns = BackupFolder.put, iter(range(puts))

            def put(self: Any, *args: Any, _put: Any = real, _turns: Any = turns) -> Any:
                if next(_turns, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return _put(self, *args)

            setattr(BackupFolder, "put", put)  # noqa: B010
            backup(homes, {}, folder, PHRASE, lambda: NOON)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert (folder / "manifest.json").read_text() == before
        BackupFolder(folder).verify(every_file(folder))
    backed_up(world, folder)
    assert (folder / "manifest.json").read_text() != before
    assert not list(folder.glob("part-*"))
    BackupFolder(folder).verify(every_file(folder))


def test_a_backup_beside_publishes_names_only_what_it_holds(world: World, tmp_path: Path) -> None:
    ended = threading.Event()
    failed: list[BaseException] = []
    made: list[Path] = []

    def copies() -> None:
        try:
            while not ended.is_set() or not made:
                folder = tmp_path / f"backup-{len(made)}"
                backed_up(world, folder)
                made.append(folder)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=copies)
    thread.start()
    for i in range(3):
        world.write("data/orders.csv", CSV + CSV.splitlines()[-1].replace("3", str(4 + i), 1) + "\n")
        published(world, ORDERS)
    ended.set()
    thread.join()
    assert not failed, failed
    for number, folder in enumerate(made):
        BackupFolder(folder).verify(every_file(folder))
        restore(folder, tmp_path / f"homes-{number}", {}, PHRASE)
        home = Home.open(tmp_path / f"homes-{number}" / "sales", lambda: NOON)
        try:
            for one in home.store.publications(ORDERS):
                for record in one.lines:
                    for table in record.snapshot.tables.values():
                        assert all((home.warehouse / file.path).exists() for file in table.files)
        finally:
            home.close()


def test_nothing_is_restored_over_a_home_or_with_another_passphrase(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    backed_up(world, folder)
    with pytest.raises(HomeExists):
        restore(folder, world.root / ".hanse" / "homes", {}, PHRASE)
    with pytest.raises(WrongPassphrase):
        restore(folder, tmp_path / "homes", {}, "another passphrase")
    assert not list((tmp_path / "homes").iterdir())
    assert not list(tmp_path.glob("restoring-*"))
    with pytest.raises(NoBackup):
        restore(tmp_path / "nowhere", tmp_path / "homes", {}, PHRASE)


def test_a_damaged_backup_is_told_and_not_restored(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    backed_up(world, folder)
    victim = next(file for file in every_file(folder) if file.path.endswith(".parquet"))
    place = BackupFolder(folder).place(victim.sha256)
    body = bytearray(place.read_bytes())
    body[len(body) // 2] ^= 1
    place.write_bytes(bytes(body))
    with pytest.raises(BackupDamaged, match="parquet"):
        BackupFolder(folder).verify(every_file(folder))
    with pytest.raises(BackupDamaged):
        restore(folder, tmp_path / "homes", {}, PHRASE)
    assert not list((tmp_path / "homes").iterdir())


def test_a_damaged_home_is_told_and_the_former_backup_stays(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    backed_up(world, folder)
    before = (folder / "manifest.json").read_text()
    published(world, ORDERS)
    shutil.rmtree(folder / "objects")
    file = next(world.node.homes["sales"].warehouse.glob("*/orders/*/*/data/*.parquet"))
    file.write_bytes(b"PAR1 not what it was")
    with pytest.raises(SourceDamaged):
        backed_up(world, folder)
    assert (folder / "manifest.json").read_text() == before


def test_a_manifest_that_names_a_file_outside_of_the_home_is_refused(tmp_path: Path) -> None:
    folder = BackupFolder(tmp_path)
    folder.prepare()
    sha256, size, _ = folder.put_bytes(b"x")
    for path in ("../key", "/etc/passwd", "a/../../b"):
        from hanse.node.backups.folder import Kept

        folder.commit(Manifest("2026-11-25", {"sales": (Kept(path, sha256, size),)}))
        with pytest.raises(NoBackup):
            folder.manifest()


def test_sealed_keys_hold_nothing_in_the_open_and_are_bound_to_their_domain() -> None:
    body = sealed({"key": b"secret-of-sales"}, PHRASE, "sales")
    assert b"secret-of-sales" not in body
    assert unsealed(body, PHRASE, "sales") == {"key": b"secret-of-sales"}
    for phrase, about in (("wrong passphrase", "sales"), (PHRASE, "growth")):
        with pytest.raises(WrongPassphrase):
            unsealed(body, phrase, about)


def test_a_passphrase_file_that_others_read_or_that_is_short_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "phrase"
    file.write_text(PHRASE + "\n")
    file.chmod(0o644)
    with pytest.raises(UnsafePassphrase, match="others may read"):
        of_file(file)
    file.chmod(0o600)
    assert of_file(file) == PHRASE
    file.write_text("short\n")
    with pytest.raises(HanseError, match="too short"):
        of_file(file)


def test_a_store_in_postgres_is_backed_up_and_restored_into_another(tmp_path: Path, shop: Postgres) -> None:
    url = f"postgresql+psycopg://{OWNER}:{quote(PASSWORD)}@127.0.0.1:{shop.port}/postgres"
    stores = {"sales": url}
    with opened(tmp_path / "one", files(), {"orders.csv": CSV}, stores=stores) as world:
        published(world, ORDERS)
        before = world.node.homes["sales"].store.publications(ORDERS)
        backed_up(world, tmp_path / "backup")
    with pytest.raises(HomeExists, match="database server"):
        restore(tmp_path / "backup", tmp_path / "homes", stores, PHRASE)
    shop.run("DROP SCHEMA hanse_sales CASCADE")
    restore(tmp_path / "backup", tmp_path / "homes", stores, PHRASE)
    home = Home.open(tmp_path / "homes" / "sales", lambda: NOON, domain="sales", url=url)
    try:
        assert home.store.publications(ORDERS) == before
        with home.change() as change:
            home.store.tell(change.connection, "plan.accepted", None, {})
        assert len(home.store.events()) > 1
    finally:
        home.close()
