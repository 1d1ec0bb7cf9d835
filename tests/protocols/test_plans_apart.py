"""Plans run apart and a few at a time: whoever sends slow ones holds up nobody else."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from hanse.governance.decision import Principal, PrincipalKind
from hanse.node.runs import TooManyRuns
from hanse.protocols.http.call import PLANS_OF_ONE, Api, Call


def call(api: Api, person: str) -> Call:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    return Call(api, cast(Any, None), {}, receive, Principal(PrincipalKind.PERSON, person))


def test_slow_plans_of_one_person_hold_up_nobody_else() -> None:
    async def scene() -> None:
        nothing = cast(Any, None)
        now = datetime(2026, 11, 25, tzinfo=UTC)
        threads = ThreadPoolExecutor(1)
        api = Api(nothing, nothing, nothing, nothing, lambda: now, threads, "here", now)
        go_on = threading.Event()
        mallory, ada = call(api, "mallory"), call(api, "ada")
        slow = [asyncio.ensure_future(mallory.plan(go_on.wait, 30)) for _ in range(PLANS_OF_ONE)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyRuns):
            await mallory.plan(lambda: None)
        assert await asyncio.wait_for(ada.work(lambda: 7), 5) == 7
        waiting = asyncio.ensure_future(ada.plan(lambda: 8))
        go_on.set()
        assert await asyncio.wait_for(waiting, 5) == 8
        await asyncio.gather(*slow)
        assert await mallory.plan(lambda: 9) == 9
        assert not api.planning
        for pool in (threads, api.plans):
            pool.shutdown()

    asyncio.run(scene())
