"""Sign-ins that are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hanse.client import signins

LATER = datetime.now(UTC) + timedelta(hours=1)
HERE = "http://localhost:8470"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_a_sign_in_is_kept_by_address_for_its_person_alone() -> None:
    signins.keep(HERE + "/", token="t1", person="mia", ends=LATER)
    signins.keep("http://other:8470", token="t2", person="mia", ends=LATER)
    assert signins.kept(HERE) == "t1"
    assert signins.keeping_file().stat().st_mode & 0o077 == 0


def test_a_sign_in_that_ended_is_none() -> None:
    signins.keep(HERE, token="t1", person="mia", ends=datetime.now(UTC) - timedelta(seconds=1))
    assert signins.kept(HERE) is None


def test_a_file_that_others_may_read_is_not_used() -> None:
    signins.keep(HERE, token="t1", person="mia", ends=LATER)
    signins.keeping_file().chmod(0o644)
    assert signins.kept(HERE) is None


def test_signing_out_forgets_one_or_all() -> None:
    signins.keep(HERE, token="t1", person="mia", ends=LATER)
    signins.keep("http://other:8470", token="t2", person="mia", ends=LATER)
    assert signins.forget(HERE) == [HERE]
    assert signins.kept(HERE) is None
    assert signins.forget() == ["http://other:8470"]
    assert signins.forget() == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"http://localhost:8470": 1}'])
def test_a_damaged_file_is_as_none(text: str) -> None:
    file = signins.keeping_file()
    file.parent.mkdir()
    file.write_text(text)
    file.chmod(0o600)
    assert signins.kept(HERE) is None
