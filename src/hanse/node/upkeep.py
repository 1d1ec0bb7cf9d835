"""Upkeep of a home: publications beyond `keep` are forgotten, and what nothing names goes when its grace is over."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.engine.snapshot import TableSnapshot
from hanse.names import ProductId
from hanse.node.forgetting import BY_ITSELF, forget, forgettable
from hanse.node.home.lease import undisturbed
from hanse.node.publications import held

if TYPE_CHECKING:
    from hanse.node.home import Home

LOG = logging.getLogger("hanse.upkeep")
FIRST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a cleaning took away, or would: publications by product, data and metadata files with their bytes."""

    domain: str
    forgotten: Mapping[ProductId, tuple[int, ...]] = field(default_factory=dict)
    files: int = 0
    size: int = 0
    snapshots: int = 0
    waiting: int = 0  # files that nothing names and that still lie: somebody may read them, or their grace goes on
    kept_size: int = 0  # bytes of the data files that stay named


class Upkeep:
    """Cleans the homes in a thread of its own, a minute after the start and then at an interval."""

    def __init__(self, homes: Mapping[str, Home], grace: timedelta, every: timedelta) -> None:
        self._homes, self._grace, self._every = homes, grace, every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End after the home that is being cleaned."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        wait = min(FIRST_SECONDS, self._every.total_seconds())
        while not self._ended.wait(wait):
            wait = self._every.total_seconds()
            for home in self._homes.values():
                if self._ended.is_set():
                    return
                try:
                    done = clean(home, self._grace, by=BY_ITSELF, cancelled=self._ended)
                except Exception:  # a home that cannot be cleaned now is served all the same, and tried again
                    LOG.exception("the home %s could not be cleaned", home.domain)
                    continue
                if done is not None and (done.files or done.forgotten):
                    LOG.info("cleaned %s: %d files, %d bytes", home.domain, done.files, done.size)


def clean(
    home: Home,
    grace: timedelta,
    *,
    by: str,
    products: Collection[ProductId] | None = None,
    dry_run: bool = False,
    cancelled: threading.Event | None = None,
) -> Cleaned | None:
    """Forget what `keep` lets go (of `products`, None: all), then delete what nothing names; None when cancelled.

    A file goes when it is older than `grace`, no kept publication and no stage names it, no query, build or test that
    began while it had a name still goes on, and no backup is copying. A dry run says what would go and changes nothing.
    """
    now = home.clock()
    # a publish beside may just be publishing a stage that has waited too long
    with held([home], cancelled) as ours:
        if not ours:
            return None
        gone = {one: found for one, found in forgettable(home).items() if products is None or one in products}
        forgotten = {one: tuple(publication.sequence for publication in found) for one, found in gone.items()}
        if dry_run:
            return _would(home, forgotten, now - grace)
        forget(home, gone, by)
        home.store.drop_stale_stages(now - grace)
        with undisturbed(home.path) as alone:
            return _swept(home, forgotten, grace, now) if alone else Cleaned(home.domain, forgotten)


def named(home: Home, without: Mapping[ProductId, Collection[int]] | None = None) -> list[TableSnapshot]:
    """Every snapshot that is published, is kept of former publications, or waits as a stage."""
    lines = [
        record.snapshot
        for product in home.store.products()
        for publication in home.store.publications(product)
        if publication.sequence not in (without or {}).get(product, ())
        for record in publication.lines
    ]
    lines += [stage.snapshot for stage in home.store.stages().values()]
    return list({(one.iceberg_table, one.snapshot_id): one for line in lines for one in line.tables.values()}.values())


def _swept(home: Home, forgotten: Mapping[ProductId, tuple[int, ...]], grace: timedelta, now: datetime) -> Cleaned:
    from hanse.engine import storage

    there = _files(home)
    look = home.reads.look()
    keep = named(home)
    paths = {home.warehouse / file.path for table in keep for file in table.files}
    size = sum(path.stat().st_size for path in paths if path.exists())
    unnamed = {path for path in there if path.suffix == ".parquet" and path not in paths}
    before = (now - grace).timestamp()
    if not forgotten and not any(path.stat().st_mtime < before for path in unnamed):
        return Cleaned(home.domain, waiting=len(unnamed), kept_size=size)

    def free(found: Collection[Hashable]) -> set[Hashable]:
        return home.reads.free(home.path, look, found)

    swept = storage.sweep(home.warehouse, home.catalog, keep, grace, now, there=there, free=free)
    waiting = sum(path.exists() for path in unnamed)
    return Cleaned(home.domain, forgotten, swept.files, swept.size, swept.snapshots, waiting, size)


def _would(home: Home, forgotten: Mapping[ProductId, tuple[int, ...]], before: datetime) -> Cleaned:
    """What a cleaning would take away: data files only, metadata comes on top."""
    paths = {home.warehouse / file.path for table in named(home, forgotten) for file in table.files}
    unnamed = [path for path in _files(home) if path.suffix == ".parquet" and path not in paths]
    old = [path for path in unnamed if path.stat().st_mtime < before.timestamp()]
    size = sum(path.stat().st_size for path in old)
    kept = sum(path.stat().st_size for path in paths if path.exists())
    return Cleaned(home.domain, forgotten, len(old), size, 0, len(unnamed) - len(old), kept)


def _files(home: Home) -> Sequence[Path]:
    return [path for kind in ("data", "metadata") for path in home.warehouse.glob(f"*/*/*/*/{kind}/*")]
