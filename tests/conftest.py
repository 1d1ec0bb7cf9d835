"""What every test may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.demo import Demo, serving
from tests.postgres import Postgres, postgres

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


@pytest.fixture(scope="session")
def shop() -> Iterator[Postgres]:
    """A real PostgreSQL that asks for passwords; tests make their own tables in it."""
    with postgres() as one:
        yield one


class OneDemo(LoadScopeScheduling):
    """Gives all files that use the demo to one worker, so that one demo is started; any other test goes anywhere."""

    # pytest-xdist 3.8 cannot do it by its groups: it writes them into a name that pytest 9.2 no longer reads
    files = frozenset(
        str(file.relative_to(ROOT))
        for file in (ROOT / "tests").rglob("test_*.py")
        if any(asks in file.read_text() for asks in ("demo: Demo", "caller: Caller"))
    )

    # a walk goes from step to step: its file stays together
    walks = frozenset({"tests/cli/test_walk.py"})

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "demo" if file in self.files else file if file in self.walks else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneDemo:
    return OneDemo(config, log)
