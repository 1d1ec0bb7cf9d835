"""Tables on a terminal, and what wrong use looks like."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hanse.cli.render import size, table

HANSE = str(Path(sys.executable).with_name("hanse"))
HEADS = ("request", "product", "for", "columns", "state", "why")
ROW = ("r-operations-1", "operations/flights", "product:experience/delay_causes", "*", "waiting", "Delay by cause")


def hanse(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HANSE, *words], capture_output=True, text=True, timeout=60, cwd=cwd, check=False)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_a_table_is_never_wider_than_the_terminal(width: int) -> None:
    lines = table(HEADS, [ROW], width=width, colour=False)
    assert max(map(len, lines[:3])) <= width


def test_columns_of_words_are_narrowed_before_one_is_dropped() -> None:
    heads, _, row = table(HEADS, [ROW], width=90, colour=False)
    assert heads.split() == list(HEADS)
    assert row.startswith("r-operations-1  ")
    assert "waiting" in row
    assert "…" in row


def test_values_of_an_answer_are_not_cut_to_fit() -> None:
    lines = table(HEADS, [ROW], width=80, colour=False, fit=False)
    assert "product:experience/delay_causes" in lines[2]
    assert lines[-1] == "… and 2 more columns: state, why"


@pytest.mark.parametrize(("octets", "said"), [(812, "812 B"), (9_210, "9.2 kB"), (1_400_000, "1.4 MB")])
def test_an_amount_of_data_is_told_in_the_unit_that_fits(octets: int, said: str) -> None:
    assert size(octets) == said


@pytest.mark.parametrize(
    "words",
    [
        ("-f", "absent.sql"),
        ("select 1", "--out", "absent/o.csv"),
        ("select 1", "--out", "o.xyz"),
        ("-f", "latin1.sql"),
    ],
)
def test_a_file_that_cannot_be_used_is_wrong_use(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "latin1.sql").write_bytes(b"select '\xe9'")
    done = hanse("query", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "mend: hanse query --help" in done.stderr


def test_a_junit_file_that_cannot_be_written_stops_before_the_test(tmp_path: Path) -> None:
    (tmp_path / "a.odcs.yaml").write_text("kind: DataContract\n")
    done = hanse("test", "--contract", "a.odcs.yaml", "--junit", "absent/j.xml", cwd=tmp_path)
    assert (done.returncode, "there is no folder absent" in done.stderr) == (2, True)


def test_wrong_use_is_told_as_json_too() -> None:
    told = json.loads(hanse("query", "--nope", "--json").stdout)
    assert (told["schema"], told["code"], told["mend"]) == ("hanse.error/1", "cli.usage", "hanse query --node")


def test_an_option_without_its_value_names_the_verb() -> None:
    assert hanse("test", "--contract").stderr.endswith("mend: hanse test --help\n")


def test_a_reader_that_goes_away_is_no_failure() -> None:
    with subprocess.Popen([HANSE, "explain"], stdout=subprocess.PIPE) as verb:
        assert verb.stdout is not None
        verb.stdout.close()
        assert verb.wait(60) == 0


def test_an_event_is_explained_as_an_error_is() -> None:
    assert "(event)" in hanse("explain", "run.failed").stdout
    assert json.loads(hanse("explain", "run.failed", "--json").stdout)["name"] == "run.failed"
