"""Readers of the demo's node, through the Python side."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import hanse
from tests.demo import Demo

Reader = Callable[[str], hanse.Mesh]


@pytest.fixture
def reader(demo: Demo) -> Iterator[Reader]:
    """The mesh as one of the demo's people sees it."""
    made: list[hanse.Mesh] = []

    def connect(person: str) -> hanse.Mesh:
        made.append(hanse.connect(demo.url, token=demo.token(person)))
        return made[-1]

    yield connect
    for one in made:
        one.close()
