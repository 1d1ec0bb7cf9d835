"""Publishes and cleans a folder's sales/orders without end, each in a thread, until it is killed."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from datetime import timedelta
from itertools import count
from pathlib import Path

from hanse.node.node import Node
from hanse.node.settings import load
from hanse.node.steps.clean import clean
from tests.steps.mesh_of_two import CSV
from tests.steps.walking import ORDERS, OWNER_SALES, published
from tests.steps.world import NOON, World


def main(root: Path) -> None:
    ticks = count(int.from_bytes(os.urandom(3)))
    node = Node.open(load(root, os.environ), lambda: NOON + timedelta(seconds=next(ticks)))
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(node.engine.start(), loop).result(30)
    world = World(root, node, loop)

    def cleans() -> None:
        while True:
            clean(node, (ORDERS,), principal=OWNER_SALES)

    threading.Thread(target=cleans, daemon=True).start()
    for rows in count(1):
        line = CSV.splitlines()[-1].split(",")
        more = "".join(",".join([str(1000 + i), *line[1:]]) + "\n" for i in range(rows))
        world.write("data/orders.csv", CSV + more)
        done = published(world, ORDERS).products[0]
        print(done.sequence, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
