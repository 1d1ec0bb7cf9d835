"""A node over a small project on disk, its engine running, with a fixed clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hanse.engine.settings import EngineSettings
from hanse.governance.decision import Principal, PrincipalKind
from hanse.names import ProductId
from hanse.node.builds.report import BuildReport
from hanse.node.events import Event
from hanse.node.node import Node
from hanse.node.settings import Settings
from hanse.node.steps.build import build
from hanse.spec.model import Project
from hanse.spec.project import project

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def person(name: str, team: str) -> Principal:
    return Principal(PrincipalKind.PERSON, name, frozenset({team}), scopes=frozenset({"read", "build", "administer"}))


STEWARD = person("owner_sales", "sales")


class World:
    """A project's folder, the node that holds its homes, and who acts."""

    def __init__(self, root: Path, node: Node, loop: asyncio.AbstractEventLoop) -> None:
        self.root, self.node, self.loop = root, node, loop
        self.events: list[Event] = []

    @property
    def project(self) -> Project:
        found = {
            path.relative_to(self.root).as_posix(): path.read_text()
            for path in self.root.rglob("*")
            if path.is_file() and path.suffix in (".yaml", ".sql", ".py", ".cedar") and ".hanse" not in path.parts
        }
        return project(found)[0]

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def build(self, *products: str, by: Collection[Principal] = (), **options: Any) -> BuildReport:
        """Build `products` as their owners."""
        owner = person("owner", "sales")
        principal = next(iter(by), owner)
        chosen = [ProductId.parse(name) for name in products] or None
        return build(self.node, self.project, chosen, principal=principal, progress=self.events.append, **options)


@contextmanager
def opened(
    root: Path,
    files: Mapping[str, str],
    data: Mapping[str, str],
    clock: Callable[[], datetime] = lambda: NOON,
    **more: Any,
) -> Iterator[World]:
    """The node of a project of `files` in `root`; `data` lies under data/, `more` goes into its settings."""
    for path, text in {**files, **{f"data/{name}": body for name, body in data.items()}}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    settings = Settings(root, **{"roots": (root,), "engine": EngineSettings(workers=2, threads=1), **more})
    node = Node.open(settings, clock)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(node.engine.start(), loop).result(30)
        yield World(root, node, loop)
    finally:
        asyncio.run_coroutine_threadsafe(node.close(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
