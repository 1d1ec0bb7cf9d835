"""explain: the long form of every code."""

from __future__ import annotations

import json

from click.testing import CliRunner, Result

from hanse.cli.explain import command
from hanse.cli.state import State


def run(*words: str, flags: State | None = None) -> Result:
    return CliRunner().invoke(command, list(words), obj=flags or State(), catch_exceptions=False)


def test_a_code_is_explained() -> None:
    done = run("yaml.alias-bomb")
    assert done.exit_code == 0
    assert done.stdout.startswith("yaml.alias-bomb  (invalid)\n\nToo many aliases.\n\nwhy:   Aliases can make")
    assert "mend:  Write the values out." in done.stdout


def test_all_codes_are_listed() -> None:
    listed = run().stdout.splitlines()
    assert len(listed) > 40
    assert listed == sorted(listed)
    document = json.loads(run(flags=State(json=True)).stdout)
    assert [code["code"] for code in document["codes"]] == [text.split()[0] for text in listed]


def test_an_unknown_code_is_wrong_use_and_offers_the_nearest() -> None:
    done = run("yaml.alias-bom")
    assert done.exit_code == 2
    assert "nearest: yaml.alias-bomb" in done.stderr
    assert "nearest: yaml.depth" in run("too.depth").stderr
