"""Workers: what confines them, when they are kept, and how each limit ends."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hanse.engine.engine import Engine, SourceInput
from hanse.engine.errors import (
    Busy,
    MemoryLimit,
    NotAllowed,
    QueryFailed,
    ReaderTooSlow,
    TimeLimit,
    TooLarge,
    WorkerLost,
)
from hanse.engine.settings import EngineSettings, Limits
from hanse.errors import HanseError
from tests.engine.tables import given, publish

SETTINGS = EngineSettings(workers=2, threads=1, limits=Limits(wall_seconds=10, memory_bytes=256 << 20))
ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b"


def asked(test: Callable[[Engine], Awaitable[None]], settings: EngineSettings = SETTINGS) -> None:
    async def main() -> None:
        engine = Engine(settings)
        try:
            await engine.start()
            await test(engine)
        finally:
            await engine.close()

    asyncio.run(main())


async def value(engine: Engine, sql: str, parameters: Any = None, **more: Any) -> Any:
    answer = await engine.run(await engine.gate(sql), [], parameters, **more)
    return (await answer.table()).to_pylist()[0].popitem()[1]


def status(pid: int, field: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return line.split(":")[1].strip()
    raise AssertionError(field)


def runs(pid: int) -> bool:
    """Whether a process has not ended; one that nobody has waited for has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ended(pids: list[int], goes_on: Callable[[int], bool]) -> None:
    """Wait until none of the processes goes on."""
    until = time.monotonic() + 5
    while any(map(goes_on, pids)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(map(goes_on, pids))


def test_a_worker_has_limits_no_environment_and_no_privilege() -> None:
    async def test(engine: Engine) -> None:
        await value(engine, "SELECT 1")
        for pid in engine.processes:
            limits = Path(f"/proc/{pid}/limits").read_text()
            space = next(line for line in limits.splitlines() if line.startswith("Max address space"))
            assert int(space.split()[3]) == (256 << 20) + (1 << 30)
            assert "Max file size             0 " in limits
            assert "Max core file size        0 " in limits
            assert status(pid, "NoNewPrivs") == "1"
            # not dumpable: not even its own user reads its memory or environment
            if os.getuid():
                with pytest.raises(PermissionError):
                    Path(f"/proc/{pid}/environ").read_bytes()
            else:
                environment = Path(f"/proc/{pid}/environ").read_bytes()
                assert b"HOME=" not in environment
                assert b"PATH=" not in environment

    asked(test)


def test_every_process_ends_with_the_engine() -> None:
    seen: list[int] = []

    async def test(engine: Engine) -> None:
        await value(engine, "SELECT 1")
        seen.extend(engine.processes)

    asked(test)
    assert seen
    ended(seen, lambda pid: Path(f"/proc/{pid}").exists())


@pytest.mark.parametrize(
    "bound",
    [
        None, True, 7, -(2**70), 1.5, "it's; DROP", Decimal("12.340"), date(2024, 2, 29),
        datetime(2024, 1, 2, 3, 4, 5, 678), b"\x00\xff", [1, 2, None], {"a": [1]},
    ],
)  # fmt: skip
def test_parameters_are_bound_as_values(bound: Any) -> None:
    async def test(engine: Engine) -> None:
        assert await value(engine, "SELECT ? AS x", [bound]) == bound
        assert await value(engine, "SELECT $x AS x", {"x": bound}) == bound

    asked(test)


def test_a_moment_with_a_zone_is_bound_as_that_moment() -> None:
    async def test(engine: Engine) -> None:
        moment = datetime(2024, 1, 2, 3, 4, tzinfo=UTC)
        assert await value(engine, "SELECT epoch(?::TIMESTAMPTZ) AS x", [moment]) == moment.timestamp()

    asked(test)


async def settled(engine: Engine) -> set[int]:
    """The processes of the pool, once it starts no more of them."""
    seen: list[set[int]] = []
    while len(seen) < 5 or any(one != seen[-1] for one in seen[-5:]):
        seen.append(set(engine.processes))
        await asyncio.sleep(0.05)
    return seen[-1]


def test_an_engine_is_kept_for_the_same_relations_and_dropped_after_an_error(tmp_path: Path) -> None:
    table = given(tmp_path, "a.b", publish(tmp_path, "a.b", pa.table({"x": [1, 2, 3]})))

    async def test(engine: Engine) -> None:
        gated = await engine.gate("SELECT sum(x) FROM a.b")
        for _ in range(5):
            await (await engine.run(gated, [table])).table()
        kept = await settled(engine)
        await (await engine.run(gated, [table])).table()
        assert await settled(engine) == kept
        with pytest.raises(QueryFailed):
            await engine.run(await engine.gate("SELECT 'a'::INT FROM a.b"), [table])
        await (await engine.run(gated, [table])).table()
        assert set(engine.processes) != kept

    asked(test)


def test_an_engine_is_dropped_after_its_number_of_questions() -> None:
    async def test(engine: Engine) -> None:
        seen = set()
        for _ in range(7):
            await value(engine, "SELECT 1")
            seen.update(engine.processes)
        assert len(seen) >= 3

    asked(test, replace(SETTINGS, kept_queries=2))


def test_the_time_limit_is_an_error_that_names_it() -> None:
    async def test(engine: Engine) -> None:
        since = time.monotonic()
        with pytest.raises(TimeLimit, match=r"0\.5 s"):
            await value(engine, ENDLESS, limits=Limits(wall_seconds=0.5))
        assert time.monotonic() - since < 2
        assert await value(engine, "SELECT 1") == 1

    asked(test)


def test_the_memory_limit_is_an_error_that_names_it() -> None:
    async def test(engine: Engine) -> None:
        with pytest.raises((MemoryLimit, WorkerLost)):
            await value(engine, "SELECT max(x) FROM (SELECT unnest(range(500000000)) AS x ORDER BY hash(x))")
        assert await value(engine, "SELECT 1") == 1

    asked(test)


def test_the_reply_limit_is_an_error_and_never_a_short_reply() -> None:
    async def test(engine: Engine) -> None:
        answer = await engine.run(
            await engine.gate("SELECT * FROM range(10000000)"), [], limits=Limits(reply_bytes=2 << 20)
        )
        with pytest.raises(TooLarge, match="2097152"):
            async for _ in answer.messages():
                pass

    asked(test)


def test_a_limit_of_rows_is_exact() -> None:
    async def test(engine: Engine) -> None:
        gated = await engine.gate("SELECT * FROM range(100000)")
        for most in (0, 1, 50_000):
            answer = await engine.run(gated, [], limits=replace(engine.settings.limits, rows=most))
            assert (await answer.table()).num_rows == most

    asked(test)


def test_a_long_answer_streams_without_filling_memory() -> None:
    async def test(engine: Engine) -> None:
        answer = await engine.run(await engine.gate("SELECT i, i::VARCHAR AS t FROM range(3000000) r(i)"), [])
        assert not answer.is_whole
        rows = 0
        async for batch in answer.batches():
            rows += batch.num_rows
        assert rows == answer.rows == 3_000_000
        assert answer.is_whole

    asked(test)


def test_a_slow_reader_costs_no_engine_time_and_is_stopped_when_it_stalls() -> None:
    async def test(engine: Engine) -> None:
        gated = await engine.gate("SELECT * FROM range(3000000)")
        patient = await engine.run(gated, [], limits=Limits(wall_seconds=1, stall_seconds=5))
        messages = patient.messages()
        await anext(messages)
        await asyncio.sleep(1.2)
        assert sum([1 async for _ in messages]) > 1
        stalled = await engine.run(gated, [], limits=Limits(stall_seconds=0.2))
        await asyncio.sleep(0.5)
        with pytest.raises(ReaderTooSlow):
            async for _ in stalled.messages():
                pass

    asked(test)


def test_a_question_whose_caller_leaves_is_stopped_and_its_worker_freed() -> None:
    async def test(engine: Engine) -> None:
        asking = asyncio.ensure_future(value(engine, ENDLESS))
        await asyncio.sleep(0.3)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        answer = await engine.run(await engine.gate("SELECT * FROM range(100000000)"), [])
        ended: list[BaseException | None] = []

        async def note(failure: BaseException | None) -> None:
            ended.append(failure)

        answer.at_end(note)
        await answer.cancel()
        await answer.cancel()
        assert len(ended) == 1
        assert await asyncio.gather(*(value(engine, "SELECT 1") for _ in range(4))) == [1] * 4

    asked(test)


def test_one_caller_never_takes_the_last_worker() -> None:
    async def test(engine: Engine) -> None:
        hogs = [asyncio.ensure_future(value(engine, ENDLESS, caller="eve")) for _ in range(4)]
        await asyncio.sleep(0.2)
        async with asyncio.timeout(2):
            assert await value(engine, "SELECT 1", caller="bob") == 1
        for hog in hogs:
            hog.cancel()
        await asyncio.gather(*hogs, return_exceptions=True)
        assert await value(engine, "SELECT 1", caller="eve") == 1

    asked(test)


def test_a_full_queue_says_so() -> None:
    async def test(engine: Engine) -> None:
        hogs = [asyncio.ensure_future(value(engine, ENDLESS)) for _ in range(4)]
        await asyncio.sleep(0.3)
        with pytest.raises(Busy):
            await value(engine, "SELECT 1")
        for hog in hogs:
            hog.cancel()
        await asyncio.gather(*hogs, return_exceptions=True)

    asked(test, replace(SETTINGS, waiting=2))


def test_a_worker_that_is_killed_is_an_error_and_is_replaced() -> None:
    async def test(engine: Engine) -> None:
        asking = asyncio.ensure_future(value(engine, ENDLESS))
        await asyncio.sleep(0.3)
        killed = list(engine.processes)
        for pid in killed:
            os.kill(pid, 9)
        with pytest.raises(WorkerLost):
            await asking
        ended(killed, runs)  # the kernel takes a moment to end what was killed
        assert await value(engine, "SELECT 1") == 1

    asked(test)


def test_a_zygote_that_is_killed_is_started_again() -> None:
    async def test(engine: Engine) -> None:
        zygote = engine._zygote._process
        assert zygote is not None
        zygote.kill()
        zygote.wait()
        for _ in range(50):
            try:
                assert await value(engine, "SELECT 1") == 1
                return
            except HanseError:
                await asyncio.sleep(0.05)
        raise AssertionError("the engine did not recover")

    asked(test)


def test_a_long_statement_is_gated_in_a_process_of_its_own() -> None:
    async def test(engine: Engine) -> None:
        numbers = ",".join(map(str, range(20_000)))
        assert await value(engine, f"SELECT 7 IN ({numbers})") is True
        with pytest.raises(NotAllowed, match="getvariable"):
            await engine.gate(f"SELECT getvariable('x') WHERE 7 IN ({numbers})")
        with pytest.raises(NotAllowed):
            await engine.gate("SELECT 1" + "+1" * 50_000)

    asked(test)


def test_a_worker_opens_no_file_but_its_own(tmp_path: Path) -> None:
    """Behind the gate: even a statement that passed it reaches nothing."""
    table = given(tmp_path, "a.b", publish(tmp_path, "a.b", pa.table({"x": [1]})))
    secret = tmp_path / "secret.csv"
    secret.write_text("x\nCANARY\n")

    async def test(engine: Engine) -> None:
        for sql in (
            f"SELECT * FROM read_csv('{secret}')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            "SET enable_external_access = true",
            "INSTALL httpfs",
            f"ATTACH '{tmp_path}/new.db' AS n",
            "SELECT * FROM glob('/etc/*')",
        ):
            with pytest.raises(HanseError):
                await engine.run(replace(await engine.gate("SELECT 1"), sql=sql, text=sql), [table])
        assert not (tmp_path / "out.csv").exists()
        assert not (tmp_path / "new.db").exists()

    asked(test)


def test_sources_are_read_by_their_name(tmp_path: Path) -> None:
    path = tmp_path / "raw.csv"
    path.write_text("a,b\n1,x\n2,y\n")
    source = SourceInput("raw", f"read_csv(['{path}'])", (path,))

    async def test(engine: Engine) -> None:
        answer = await engine.run(await engine.gate("WITH t AS (FROM raw) SELECT sum(a) AS s FROM t"), [source])
        assert (await answer.table()).to_pylist() == [{"s": 3}]
        assert answer.relations == {"raw": "source"}

    asked(test)


def test_another_thread_reads_batches_as_they_come(tmp_path: Path) -> None:
    async def test(engine: Engine) -> None:
        gated = await engine.gate("SELECT * FROM range(200000)")
        reader = await asyncio.to_thread(engine.read, gated, [])
        assert (await asyncio.to_thread(reader.read_all)).num_rows == 200_000
        cut = await asyncio.to_thread(engine.read, await engine.gate("SELECT * FROM range(100000000)"), [])
        await asyncio.to_thread(cut.read_next_batch)
        del cut
        assert await value(engine, "SELECT 1") == 1

    asked(test)
