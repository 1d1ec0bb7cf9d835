"""The prompt for SQL, in a real terminal and without one."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from pathlib import Path

import pytest

from hanse.cli.shell import Known, is_whole
from hanse.client import Client
from tests.demo import BIN, Demo


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("select 1;", True),
        ("select 1", False),
        ("select ';", False),
        ("select ';';", True),
        ("select 1 -- done;", False),
        ("select 1 -- done\n;", True),
        ("select /* ; */ 1;", True),
        ("select /* ;", False),
        ('select "a;', False),
        ("\\q", True),
        ("", True),
    ],
)
def test_enter_sends_a_whole_statement(text: str, whole: bool) -> None:
    assert is_whole(text) is whole


def test_completion_knows_what_its_person_may_know(demo: Demo) -> None:
    client = Client(demo.url, demo.token("consumer"))
    known = Known(client)
    assert "operations.flights" in known.words("select * from oper", "oper")
    assert "carrier" in known.words("select car from operations.flights", "car")
    assert known.words("sel", "sel") == ["select"]
    client.close()


def test_statements_are_read_from_a_pipe(demo: Demo) -> None:
    line = [str(BIN / "hanse"), "as", "stranger", "--", "shell"]
    said = "select 'a;b' as t;\nselect count(*) as n from operations.carriers;"
    done = subprocess.run(
        line, input=said, cwd=demo.folder, env=demo.environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "a;b" in done.stdout
    assert "16" in done.stdout


def test_a_refused_statement_ends_a_pipe_with_its_code(demo: Demo) -> None:
    line = [str(BIN / "hanse"), "as", "stranger", "--", "shell"]
    done = subprocess.run(
        line, input="select * from weather.observations;select 1;", cwd=demo.folder, env=demo.environment,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 3
    assert "access" in done.stderr


def _until(terminal: int, words: str, seconds: float = 30) -> str:
    seen = ""
    end = time.monotonic() + seconds
    while words not in seen and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")
    assert words in seen, seen
    return seen


def _after(terminal: int, words: str, prompt: str) -> None:
    """Read on until `prompt` comes after `words`: what is typed earlier would not be the prompt's."""
    seen = _until(terminal, words)
    if prompt not in seen.partition(words)[2]:
        _until(terminal, prompt)


def test_a_person_asks_is_refused_goes_on_and_leaves(demo: Demo, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**demo.environment, "XDG_CONFIG_HOME": str(tmp_path), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    line = [str(BIN / "hanse"), "as", "stranger", "--", "shell"]
    shell = subprocess.Popen(
        line, cwd=demo.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        _until(ours, "hanse>")
        os.write(ours, b"select * from weather.observations;\r")
        _after(ours, "mend:", "hanse>")
        os.write(ours, b"select count(*) as carriers\r")
        os.write(ours, b"from operations.carriers;\r")
        _after(ours, "1 row", "hanse>")
        os.write(ours, b"\x04")
        assert shell.wait(20) == 0
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)
    history = tmp_path / "hanse" / "history"
    assert "operations.carriers" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0
