"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

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
