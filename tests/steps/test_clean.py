"""clean: what `keep` lets go is forgotten, and a file goes only when nothing names it and nobody reads it."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse.engine.storage.durable import is_whole
from hanse.errors import HanseError
from hanse.governance.decision import Request
from hanse.node.home import Home
from hanse.node.home.home import PublicationForgotten
from hanse.node.home.lease import copying
from hanse.node.permission import NotPermitted
from hanse.node.publications import is_signed
from hanse.node.steps.clean import CleanReport, clean
from hanse.node.steps.query import query
from hanse.node.steps.rollback import rollback
from tests.steps.mesh_of_two import CSV, files
from tests.steps.walking import ORDERS, OWNER_SALES, STRANGER, published
from tests.steps.world import NOON, Clock, World, opened

KEEP = "keep: {days: 10, at_least: 2}\n"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(tmp_path: Path, clock: Clock) -> Iterator[World]:
    mesh = dict(files())
    mesh["sales/orders/build.yaml"] += KEEP
    with opened(tmp_path, mesh, {"orders.csv": CSV}, stage_grace_hours=0.0) as made:
        made.node.clock = clock
        for home in made.node.homes.values():
            home.clock = home.store.clock = clock
        yield made


def publish_rows(world: World, rows: int) -> int:
    """Publish sales/orders with that many rows; returns the publication's number."""
    head, first = CSV.splitlines()[:2]
    values = first.split(",")
    lines = [head, *(",".join([str(i + 1), *values[1:]]) for i in range(rows))]
    world.write("data/orders.csv", "\n".join(lines) + "\n")
    done = published(world, ORDERS).products[0]
    assert done.ok, done.findings
    return done.sequence


def count(world: World, at: str = "") -> int:
    async def ask() -> Any:
        answer = await query(world.node, Request(OWNER_SALES, NOON), f"SELECT count(*) AS n FROM sales.orders {at}")
        return (await answer.table())["n"].to_pylist()[0]

    return int(asyncio.run_coroutine_threadsafe(ask(), world.loop).result(30))


def cleaned(world: World, **options: Any) -> CleanReport:
    return clean(world.node, (ORDERS,), principal=OWNER_SALES, **options)


def named_files(world: World) -> set[Path]:
    home = world.node.homes["sales"]
    lines = [record.snapshot for one in home.store.publications(ORDERS) for record in one.lines]
    lines += [stage.snapshot for stage in home.store.stages().values()]
    return {home.warehouse / file.path for line in lines for table in line.tables.values() for file in table.files}


def data_files(world: World) -> set[Path]:
    return set(world.node.homes["sales"].warehouse.glob("*/orders/*/*/data/*.parquet"))


def test_what_keep_lets_go_is_forgotten_and_its_files_go(world: World, clock: Clock) -> None:
    for rows in (1, 2, 3, 4):
        publish_rows(world, rows)
        clock.now += timedelta(days=4)
    would = cleaned(world, dry_run=True)
    assert dict(would.homes[0].forgotten) == {ORDERS: (1,)}, "2 was current within the last ten days"
    assert count(world, "AT (VERSION => 1)") == 1, "a dry run changes nothing"
    done = cleaned(world)
    assert dict(done.homes[0].forgotten) == {ORDERS: (1,)}
    assert done.homes[0].files >= would.homes[0].files == 1
    with pytest.raises(PublicationForgotten, match="publication 1 of sales/orders is no longer kept"):
        count(world, "AT (VERSION => 1)")
    with pytest.raises(PublicationForgotten):
        count(world, f"AT (TIMESTAMP => TIMESTAMPTZ '{NOON.isoformat()}')")
    with pytest.raises(PublicationForgotten):
        rollback(world.node, ORDERS, 1, principal=OWNER_SALES)
    assert [count(world, at) for at in ("AT (VERSION => 2)", "AT (VERSION => 3)", "")] == [2, 3, 4]
    assert data_files(world) == named_files(world)
    home = world.node.homes["sales"]
    assert all(is_signed(home, one) for one in home.store.publications(ORDERS)), "what was forgotten was still signed"
    assert "product.cleaned" in {event.name for event in home.store.events()}
    assert not cleaned(world).homes[0].forgotten, "twice changes nothing"


def test_never_fewer_than_at_least_and_never_the_current_one(world: World, clock: Clock) -> None:
    for rows in (1, 2, 3):
        publish_rows(world, rows)
    clock.now += timedelta(days=400)
    assert dict(cleaned(world).homes[0].forgotten) == {ORDERS: (1,)}
    assert [count(world, at) for at in ("AT (VERSION => 2)", "")] == [2, 3]


def test_without_keep_nothing_is_forgotten(tmp_path: Path) -> None:
    with opened(tmp_path, files(), {"orders.csv": CSV}, stage_grace_hours=0.0) as world:
        publish_rows(world, 1)
        publish_rows(world, 2)
        for home in world.node.homes.values():
            home.clock = lambda: NOON + timedelta(days=4000)
        assert not cleaned(world).homes[0].forgotten
        assert count(world, "AT (VERSION => 1)") == 1


def test_a_reader_keeps_the_files_that_it_may_have_learnt_of(world: World, clock: Clock) -> None:
    for rows in (1, 2, 3):
        publish_rows(world, rows)
    clock.now += timedelta(days=400)
    before = data_files(world)
    with world.node.reads.reading():
        done = cleaned(world)
        assert done.homes[0].forgotten
        assert done.homes[0].waiting == 1
        assert data_files(world) == before
        with world.node.reads.reading():
            pass
    assert cleaned(world).homes[0].files >= 1
    assert data_files(world) == named_files(world)


def test_a_copy_of_the_home_keeps_every_file(world: World, clock: Clock) -> None:
    for rows in (1, 2, 3):
        publish_rows(world, rows)
    clock.now += timedelta(days=400)
    before = data_files(world)
    with copying(world.node.homes["sales"].path):
        assert cleaned(world).homes[0].files == 0
        assert data_files(world) == before
    cleaned(world)
    assert data_files(world) == named_files(world)


def test_only_who_administers_the_domain_cleans(world: World) -> None:
    publish_rows(world, 1)
    with pytest.raises(NotPermitted):
        clean(world.node, principal=STRANGER)
    with pytest.raises(NotPermitted):
        clean(world.node, principal=replace(OWNER_SALES, scopes=frozenset({"read"})))


def test_with_publishes_reads_and_cleanings_at_once_no_named_file_goes_and_every_answer_is_right(
    world: World, clock: Clock
) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    rows = {publish_rows(world, 1): 1}
    ended = threading.Event()
    wrong: list[str] = []

    def reads(number: int) -> None:
        mine = random.Random(seed + number)
        while not ended.is_set():
            known = dict(rows)
            sequence = mine.choice([0, *known])
            try:
                found = count(world, f"AT (VERSION => {sequence})" if sequence else "")
            except PublicationForgotten:
                if sequence in (0, max(known)):
                    wrong.append("the current publication was forgotten")
            except HanseError as error:
                wrong.append(f"{sequence}: {error}")
            else:
                if sequence and found != known[sequence]:
                    wrong.append(f"publication {sequence} has {known[sequence]} rows, not {found}")

    def cleans() -> None:
        while not ended.is_set():
            cleaned(world)
            if missing := {path for path in named_files(world) if not path.exists()}:
                # a publication may have been forgotten between the two looks, never the other way round
                wrong.extend(str(path) for path in missing & named_files(world))

    threads = [threading.Thread(target=reads, args=(n,)) for n in (1, 2)] + [threading.Thread(target=cleans)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        clock.now += timedelta(days=chance.choice([0, 1, 5, 20]))
        many = chance.randrange(1, 50)
        rows[publish_rows(world, many)] = many
    ended.set()
    for thread in threads:
        thread.join()
    assert not wrong, f"seed {seed}: {wrong[:5]}"
    clock.now += timedelta(days=400)
    cleaned(world)
    assert data_files(world) == named_files(world)
    assert count(world) == rows[max(rows)]


def test_kill_9_while_it_publishes_and_cleans_leaves_every_named_file(tmp_path: Path) -> None:
    mesh = dict(files())
    mesh["sales/orders/build.yaml"] += "keep: {days: 0, at_least: 2}\n"
    with opened(tmp_path, mesh, {"orders.csv": CSV}) as world:
        publish_rows(world, 1)
    (tmp_path / ".hanse" / "node.yaml").write_text("stage_grace_hours: 0.00001\n")
    for publications in (3, 4):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.steps.clean_child", str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert child.stdout is not None
            last = [int(child.stdout.readline() or 0) for _ in range(publications)][-1]
        finally:
            child.kill()
            child.wait()
        home = Home.open(tmp_path / ".hanse" / "homes" / "sales", lambda: NOON)
        try:
            kept = [one for one in home.store.publications(ORDERS) if one.forgotten_at is None]
            assert kept[-1].sequence >= last, "what was acknowledged stands"
            assert len(kept) < last, "it cleaned"
            for one in kept:
                for record in one.lines:
                    for table in record.snapshot.tables.values():
                        assert all(is_whole(home.warehouse / file.path, file) for file in table.files)
        finally:
            home.close()
