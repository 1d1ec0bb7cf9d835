"""Schedules: what is due runs by itself, once, as it was accepted; what fails leaves readers what they had."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hanse.names import ProductId
from hanse.node.home.database import StoreDown
from hanse.node.home.run_log import KEPT, NotedRun
from tests.steps.mesh_of_two import CSV, files
from tests.steps.walking import BASKETS, ORDERS, OWNER_GROWTH, edit, published
from tests.steps.world import NOON, Clock, World, opened

BUILD = "sources:\n  raw: {kind: files, path: ../../data/orders.csv}\ntables:\n  orders: {sql: orders.sql}\n"
DAILY = BUILD + 'schedule: "0 6 * * *"\n'
SLOW = (
    "SELECT a.id, any_value(a.customer) AS customer, any_value(a.email) AS email,\n"
    "  CAST(any_value(a.amount) AS DECIMAL(10,2)) AS amount\n"
    "FROM raw a, raw b, raw c, raw d WHERE hash(a.id, b.id, c.id, d.id) <> 0 GROUP BY a.id\n"
)
MORE = CSV + "4,cyd,cyd@x.org,3\n"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(tmp_path: Path, clock: Clock) -> Iterator[World]:
    given = files() | {"sales/orders/build.yaml": DAILY}
    given["growth/baskets/build.yaml"] += "schedule: {after: inputs}\n"
    with opened(tmp_path, given, {"orders.csv": CSV}, clock=clock) as world:
        world.node.scheduler._loop = world.loop
        published(world, ORDERS)
        yield world


def runs(world: World, product: ProductId = ORDERS) -> list[NotedRun]:
    return world.node.homes[product.domain].run_log.newest(1000, [product])


def turn(world: World, product: ProductId = ORDERS) -> list[NotedRun]:
    """Let the scheduler look once, and wait until nothing runs."""
    world.node.scheduler.due()
    world.node.scheduler.begin()
    return ended(world, product)


def ended(world: World, product: ProductId = ORDERS) -> list[NotedRun]:
    until = time.monotonic() + 30
    while world.node.scheduler._going and time.monotonic() < until:
        time.sleep(0.01)
    assert not world.node.scheduler._going
    return runs(world, product)


def sequence(world: World, product: ProductId = ORDERS) -> int:
    return world.node.homes[product.domain].published()[product].sequence


def rows(world: World, product: ProductId = ORDERS) -> int:
    (line,) = world.node.homes[product.domain].published()[product].lines.values()
    return sum(table.rows for table in line.snapshot.tables.values())


def test_what_is_due_is_built_tested_and_published_once(world: World, clock: Clock) -> None:
    assert turn(world) == []
    world.write("data/orders.csv", MORE)
    clock.now = NOON.replace(hour=6) + timedelta(days=1)
    (run,) = turn(world)
    assert (run.state, run.because, run.due_at, run.sequence) == ("done", "schedule", clock.now, 2)
    assert (sequence(world), rows(world)) == (2, 4)
    kinds = [event["kind"] for event in world.node.homes["sales"].run_log.events(run.id)]
    assert [kind.partition(".")[0] for kind in kinds] == ["publish", "build", "build", "test", "test", "publish"]
    clock.now += timedelta(hours=23, minutes=59)
    assert len(turn(world)) == 1, "nothing is due before the next time"
    published_by = world.node.homes["sales"].published()[ORDERS].by
    assert published_by == "product:sales/orders", "the product acted for itself"


def test_a_run_that_finds_nothing_new_publishes_nothing(world: World, clock: Clock) -> None:
    clock.now += timedelta(days=1)
    (run,) = turn(world)
    assert (run.state, run.sequence, sequence(world)) == ("done", None, 1)


def test_what_was_missed_while_the_node_was_down_gives_one_run(world: World, clock: Clock) -> None:
    clock.now += timedelta(days=30)
    assert len(turn(world)) == 1
    assert len(turn(world)) == 1


def test_the_accepted_files_run_not_those_that_lie_in_the_folder(world: World, clock: Clock) -> None:
    edit(world, "sales/orders/orders.sql", "FROM raw", "FROM nothing_like_it")
    world.write("data/orders.csv", MORE)
    clock.now += timedelta(days=1)
    (run,) = turn(world)
    assert (run.state, rows(world)) == ("done", 4)


def test_a_run_that_waits_stands_for_later_reasons_too(world: World, clock: Clock) -> None:
    for _ in range(3):
        clock.now += timedelta(days=1)
        world.node.scheduler.due()
    (run,) = runs(world)
    assert (run.state, run.merged) == ("waiting", 2)
    (run,) = turn(world)
    assert run.state == "done"


def test_a_publication_of_an_input_is_followed(world: World, clock: Clock) -> None:
    clock.now += timedelta(minutes=1)
    published(world, BASKETS, by=OWNER_GROWTH)
    turn(world, BASKETS)
    before = sequence(world, BASKETS)
    world.write("data/orders.csv", MORE)
    clock.now += timedelta(days=1)
    turn(world)
    clock.now += timedelta(seconds=1)
    run = turn(world, BASKETS)[0]
    assert (run.because, run.state) == ("input", "done")
    assert sequence(world, BASKETS) == before + 1
    count = len(runs(world, BASKETS))
    clock.now += timedelta(seconds=1)
    assert len(turn(world, BASKETS)) == count, "no input was published since"


def test_a_failed_run_leaves_the_former_publication_and_tells_so(world: World, clock: Clock) -> None:
    world.write("data/orders.csv", "id,customer,email,amount\n1,ada,a@x.org,123456789012\n")
    clock.now += timedelta(days=1)
    (run,) = turn(world)
    assert (run.state, sequence(world)) == ("failed", 1)
    assert run.error is not None
    assert run.error["code"] == "query.failed"
    told = [event for event in world.node.homes["sales"].store.events() if event.name == "run.failed"]
    assert [(event.product, event.body["run"]) for event in told] == [("orders", run.id)]


def test_a_run_that_waits_can_be_cancelled(world: World, clock: Clock) -> None:
    clock.now += timedelta(days=1)
    world.node.scheduler.due()
    world.node.scheduler.cancel(world.node.homes["sales"], runs(world)[0])
    (run,) = turn(world)
    assert (run.state, sequence(world)) == ("cancelled", 1)


def test_a_run_that_goes_on_ends_within_two_seconds_of_its_cancelling(world: World, clock: Clock) -> None:
    # quick on three rows, without end on two thousand
    world.write("sales/orders/orders.sql", SLOW)
    published(world, ORDERS)
    world.write("data/orders.csv", CSV + "".join(f"{i},c{i},c{i}@x.org,1\n" for i in range(4, 2000)))
    clock.now += timedelta(days=1)
    world.node.scheduler.due()
    world.node.scheduler.begin()
    log = world.node.homes["sales"].run_log
    wait_for(lambda: any(event["kind"] == "build.started" for event in log.events(runs(world)[0].id)))
    time.sleep(0.5)
    began = time.monotonic()
    world.node.scheduler.cancel(world.node.homes["sales"], runs(world)[0])
    assert ended(world)[0].state == "cancelled"
    assert time.monotonic() - began < 2
    assert sequence(world) == 2
    assert world.node.homes["sales"].store.stages() == {}


def test_a_source_that_cannot_be_reached_is_tried_again_and_no_other_failure_is(tmp_path: Path, clock: Clock) -> None:
    server = Flaky()
    given = files() | {
        "sales/orders/build.yaml": DAILY.replace(
            "{kind: files, path: ../../data/orders.csv}",
            f"{{kind: http, url: 'http://127.0.0.1:{server.port}/orders.csv', unchecked: true}}",
        )
    }
    with (
        server,
        opened(
            tmp_path,
            given,
            {},
            clock=clock,
            egress=(f"127.0.0.1:{server.port}",),
            source_wait_seconds=0.05,
            source_tries=3,
        ) as world,
    ):
        world.node.scheduler._loop = world.loop
        report = published(world, ORDERS)
        assert report.ok, report
        server.body, server.down = MORE, 2
        clock.now += timedelta(days=1)
        (run,) = turn(world)
        kinds = [event["kind"] for event in world.node.homes["sales"].run_log.events(run.id)]
        assert (run.state, kinds.count("run.waits"), rows(world)) == ("done", 2, 4)
        server.down = 99
        clock.now += timedelta(days=1)
        assert turn(world)[0].state == "failed"
        assert turn(world)[0].error["code"] == "source.unreachable"  # type: ignore[index]
        server.down, server.body = 0, "id,customer,email,amount\n1,ada,a@x.org,123456789012\n"
        clock.now += timedelta(days=1)
        run = turn(world)[0]
        kinds = [event["kind"] for event in world.node.homes["sales"].run_log.events(run.id)]
        assert (run.state, kinds.count("run.waits")) == ("failed", 0)
        assert rows(world) == 4, "what was published last stays served"


def test_the_last_runs_of_a_product_are_kept_with_their_logs(world: World, clock: Clock) -> None:
    log = world.node.homes["sales"].run_log
    for _ in range(KEPT + 5):
        run = log.queue(ORDERS, "schedule", clock.now)
        log.begin(run.id)
        log.tell(run.id, "build.started", "begins", {})
        log.end(run.id, "done", result={"products": []}, error=None, told=False)
    kept = runs(world)
    assert len(kept) == KEPT
    assert [event["text"] for event in log.events(kept[-1].id)] == ["begins"]


def test_a_run_goes_on_after_the_node_ended_in_its_midst(world: World, clock: Clock) -> None:
    log, scheduler = world.node.homes["sales"].run_log, world.node.scheduler
    world.write("data/orders.csv", MORE)
    clock.now += timedelta(days=1)
    scheduler.due()
    assert log.begin(runs(world)[0].id)  # and then the node was killed
    assert [run.id for run in log.recover()] == [runs(world)[0].id]
    (run,) = turn(world)
    assert (run.state, run.starts, sequence(world), rows(world)) == ("done", 2, 2, 4)


def test_a_policy_can_forbid_that_products_act_for_themselves(world: World, clock: Clock) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "schedule.md").read_text()
    policy = guide.split("```cedar policies/access/no_schedules.cedar\n")[1].split("```")[0]
    world.write("policies/access/no_schedules.cedar", policy)
    published(world, ORDERS)
    before = sequence(world)
    world.write("data/orders.csv", MORE)
    clock.now += timedelta(days=1)
    (run,) = turn(world)
    assert (run.state, sequence(world)) == ("failed", before)
    assert run.error is not None
    assert "no-schedules" in str(run.error["detail"])


def test_a_retired_product_is_left_alone(world: World, clock: Clock) -> None:
    clock.now += timedelta(days=1)
    world.node.scheduler.due()
    edit(world, "sales/orders/orders.odps.yaml", "status: active", "status: deprecated")
    published(world, ORDERS)
    edit(world, "sales/orders/orders.odps.yaml", "status: deprecated", "status: retired")
    published(world, ORDERS, allow_breaking=[ORDERS])
    (run,) = turn(world)
    assert run.state == "failed"
    assert run.error is not None
    assert run.error["code"] == "run.not-published"
    clock.now += timedelta(days=1)
    assert len(turn(world)) == 1


class Flaky:
    """A server of one file that refuses the next `down` requests."""

    def __init__(self) -> None:
        self.body, self.down = CSV, 0
        flaky = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if flaky.down > 0:
                    flaky.down -= 1
                    self.connection.close()
                    return
                self.send_response(200)
                self.send_header("content-length", str(len(flaky.body)))
                self.end_headers()
                self.wfile.write(flaky.body.encode())

            do_HEAD = do_GET  # noqa: N815  the library's name

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Flaky:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_product_of_a_domain_s_own_repository_refreshes_itself(tmp_path: Path, clock: Clock) -> None:
    whole = files() | {"sales/orders/build.yaml": DAILY.replace("../../data", "../data")}
    given = {path.removeprefix("sales/"): text for path, text in whole.items() if path.startswith("sales/")}
    given |= {"people.yaml": whole["people.yaml"]}
    with opened(tmp_path, given, {"orders.csv": CSV}, clock=clock) as world:
        world.node.scheduler._loop = world.loop
        report = published(world, ORDERS)
        assert report.ok, report
        world.write("data/orders.csv", MORE)
        clock.now += timedelta(days=1)
        (run,) = turn(world)
        assert (run.state, run.error, rows(world)) == ("done", None, 4)
        clock.now += timedelta(days=1)
        assert turn(world)[0].sequence is None, "the files are the published ones: nothing is new"


def test_a_clock_that_was_ahead_once_does_not_stop_a_schedule(world: World, clock: Clock) -> None:
    clock.now += timedelta(days=400)
    assert len(turn(world)) == 1
    clock.now = NOON + timedelta(hours=1)
    assert len(turn(world)) == 1
    clock.now = NOON.replace(hour=6) + timedelta(days=1)
    assert len(turn(world)) == 2
    assert len(turn(world)) == 2
    clock.now += timedelta(days=1)
    assert len(turn(world)) == 3


def test_a_run_whose_end_could_not_be_noted_is_begun_again(
    world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = world.node.homes["sales"].run_log
    end = log.end

    def full(*_: object, **__: object) -> None:
        raise StoreDown("the disk is full")

    world.write("data/orders.csv", MORE)
    clock.now += timedelta(days=1)
    monkeypatch.setattr(log, "end", full)
    assert turn(world)[0].state == "running"
    monkeypatch.setattr(log, "end", end)
    (run,) = turn(world)
    assert (run.state, run.starts) == ("done", 2)
    assert sequence(world) == 2, "published once"


def test_over_two_years_of_a_node_s_clock_each_day_has_its_one_run(world: World, clock: Clock) -> None:
    edit(world, "sales/orders/build.yaml", '"0 6 * * *"', '{cron: "30 2 * * *", zone: Europe/Berlin}')
    published(world, ORDERS)
    log, days = world.node.homes["sales"].run_log, []
    end = NOON + timedelta(days=730)
    while clock.now < end:
        clock.now += timedelta(hours=12)
        world.node.scheduler.due()
        for run in log.waiting():
            days.append(run.due_at.astimezone(ZoneInfo("Europe/Berlin")).date())
            log.begin(run.id)
            log.end(run.id, "done", result=None, error=None, told=False)
    assert days == [NOON.date() + timedelta(days=day) for day in range(1, 731)]


def test_a_run_that_waits_for_its_source_keeps_no_other_from_going_on(tmp_path: Path, clock: Clock) -> None:
    server = Flaky()
    given = files() | {
        "sales/orders/build.yaml": DAILY.replace(
            "{kind: files, path: ../../data/orders.csv}",
            f"{{kind: http, url: 'http://127.0.0.1:{server.port}/orders.csv', unchecked: true}}",
        ),
        "growth/baskets/build.yaml": files()["growth/baskets/build.yaml"] + 'schedule: "0 6 * * *"\n',
    }
    egress = (f"127.0.0.1:{server.port}",)
    with (
        server,
        opened(tmp_path, given, {}, clock=clock, egress=egress, source_wait_seconds=600, runs_at_once=1) as world,
    ):
        scheduler = world.node.scheduler
        scheduler._loop = world.loop
        published(world, ORDERS)
        published(world, BASKETS, by=OWNER_GROWTH)
        server.down = 99
        clock.now += timedelta(days=1)
        scheduler.due()

        def done() -> bool:
            scheduler.begin()
            return runs(world, BASKETS)[0].state == "done" and runs(world)[0].state == "running"

        wait_for(done)
        began = time.monotonic()
        scheduler.cancel(world.node.homes["sales"], runs(world)[0])
        assert ended(world)[0].state == "cancelled"
        assert time.monotonic() - began < 2
