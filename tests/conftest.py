"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo import Demo, serving

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def standards() -> Path:
    """The standards as published; they are read where they lie and never copied."""
    if not SHARED.is_dir():
        pytest.skip("../shared is absent: the published standards cannot be compared")
    return SHARED / "standards"


@pytest.fixture(scope="session")
def attacks() -> Path:
    """The public attack corpus."""
    return ROOT / "tests" / "attacks"


@pytest.fixture(scope="session")
def flights_data() -> Path:
    """The example's data files."""
    return ROOT / "examples" / "flights" / "data"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo mesh, serving."""
    with serving(tmp_path_factory.mktemp("demo") / "flights-mesh") as one:
        yield one


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that use the demo run in one process, so that one demo is started."""
    for item in items:
        if "demo" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("demo"))
