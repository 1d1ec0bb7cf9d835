"""The reference is what the code says, and everything in it is documented."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _pages() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages: dict[str, str] = module.pages()
    return pages


def test_the_reference_is_what_make_docs_writes() -> None:
    for name, text in _pages().items():
        page = ROOT / "docs" / "reference" / name
        assert page.exists(), f"{name} is missing: make docs"
        assert page.read_text() == text, f"{name} is out of date: make docs"


def test_every_code_says_why_and_how_to_mend() -> None:
    _pages()
    from hanse.errors import codes

    for one in codes().values():
        assert one.title, one
        assert one.why, one
        assert one.mend, one


def test_every_place_that_the_architecture_names_exists() -> None:
    import re

    text = (ROOT / "ARCHITECTURE.md").read_text()
    table = text.split("## Where a change goes")[1]
    for path in re.findall(r"`([a-z_/]+(?:\.py|\.cedar|/))`", table):
        assert (ROOT / "src" / "hanse" / path).exists(), path


def test_every_event_that_the_code_tells_is_documented() -> None:
    from hanse.node.events import EVENTS

    told = set()
    for file in (ROOT / "src" / "hanse" / "node").rglob("*.py"):
        told |= set(re.findall(r'(?:Event\(\s*|\.tell\([^"\n]*)"([a-z]+\.[a-z-]+)"', file.read_text()))
    assert {"test.done", "build.started", "publish.done", "run.failed"} <= told
    assert told <= set(EVENTS)
