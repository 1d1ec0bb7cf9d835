"""Upkeep of a serving node: what no publication names is swept when its grace is over."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hanse.engine.snapshot import TableSnapshot
from hanse.node.publications import held

if TYPE_CHECKING:
    from hanse.engine.storage import Swept
    from hanse.node.home import Home

LOG = logging.getLogger("hanse.upkeep")
FIRST_SECONDS = 60.0
EVERY_SECONDS = 3600.0


class Upkeep:
    """Sweeps the homes in a thread of its own, a minute after the start and then each hour."""

    def __init__(self, homes: Mapping[str, Home], grace: timedelta) -> None:
        self._homes, self._grace = homes, grace
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End after the home that is being swept."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        wait = FIRST_SECONDS
        while not self._ended.wait(wait):
            wait = EVERY_SECONDS
            for home in self._homes.values():
                if self._ended.is_set():
                    return
                try:
                    swept = sweep(home, self._grace, self._ended)
                except Exception:  # a home that cannot be swept now is served all the same, and tried again
                    LOG.exception("the home %s could not be swept", home.domain)
                    continue
                if swept is not None and swept.files:
                    LOG.info("swept %s: %d files, %d bytes", home.domain, swept.files, swept.size)


def sweep(home: Home, grace: timedelta, cancelled: threading.Event | None = None) -> Swept | None:
    """Drop stages that waited longer than `grace`, then the files that nothing names; None when there is nothing."""
    now = home.clock()
    # a publish beside may just be publishing a stage that has waited too long
    with held([home], cancelled) as ours:
        if not ours:
            return None
        home.store.drop_stale_stages(now - grace)
        keep = named(home)
        if not _has_unnamed(home, keep, now - grace):
            return None
        from hanse.engine import storage

        return storage.sweep(home.warehouse, home.catalog, keep, grace, now)


def named(home: Home) -> list[TableSnapshot]:
    """Every snapshot that is published, was published (a rollback may return to it), or waits as a stage."""
    lines = [
        record.snapshot
        for product in home.store.products()
        for publication in home.store.publications(product)
        for record in publication.lines
    ]
    lines += [stage.snapshot for stage in home.store.stages().values()]
    return [table for line in lines for table in line.tables.values()]


def _has_unnamed(home: Home, keep: Collection[TableSnapshot], before: datetime) -> bool:
    """Whether a data file older than `before` lies in the warehouse that no snapshot of `keep` names."""
    known = {home.warehouse / file.path for table in keep for file in table.files}
    for folder, _, files in os.walk(home.warehouse):
        for name in files:
            path = home.warehouse / folder / name
            if name.endswith(".parquet") and path not in known and path.stat().st_mtime < before.timestamp():
                return True
    return False
