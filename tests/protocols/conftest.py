"""Callers of the demo's node, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import httpx
import pytest

from tests.demo import Demo

Caller = Callable[..., httpx.Client]


@cache
def token_of(folder: Path, person: str) -> str:
    """A token of `person`, asked for once."""
    from hanse.cli.local import token

    return token(folder, person)


@pytest.fixture
def caller(demo: Demo) -> Iterator[Caller]:
    """A client as one of the demo's people; without a name, as nobody."""
    made: list[httpx.Client] = []

    def client(person: str | None = None, **headers: str) -> httpx.Client:
        if person is not None:
            headers["authorization"] = f"Bearer {token_of(demo.folder, person)}"
        made.append(httpx.Client(base_url=demo.url, headers=headers, timeout=30, trust_env=False))
        return made[-1]

    yield client
    for one in made:
        one.close()
