"""Publishes the plan of a folder as owner_sales; HANSE_FAILPOINT says where it dies."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path

from hanse.node.node import Node
from hanse.node.settings import load
from tests.steps.walking import ORDERS, OWNER_SALES, planned, publish
from tests.steps.world import NOON, World


def main(root: Path) -> None:
    node = Node.open(load(root, os.environ), lambda: NOON)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(node.engine.start(), loop).result(30)
    plan = planned(World(root, node, loop))
    print(plan.id, flush=True)
    report = publish(node, plan.id, principal=OWNER_SALES, only=[ORDERS])
    print(report.as_json()["products"][0]["sequence"], flush=True)
    asyncio.run_coroutine_threadsafe(node.close(), loop).result(30)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
