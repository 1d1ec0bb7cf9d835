"""Values of variables: each domain's own, from the environment or a file that only its owner reads, never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanse.engine.sources.errors import UnsafeVariables
from hanse.node.settings import load
from hanse.node.variables import Variables, filled, names_in


def test_a_domain_sees_its_own_values_and_those_of_all(tmp_path: Path) -> None:
    file = tmp_path / "variables.ini"
    file.write_text("[DEFAULT]\nRegion = eu\n[sales]\nPASSWORD = a%b # c = d\nUSER = file\n[growth]\nRegion = us\n")
    file.chmod(0o600)
    environment = {
        "HANSE_VARIABLE_SALES__USER": "ada",
        "HANSE_VARIABLE_SHARED": "all",
        "PASSWORD": "no",
        "HANSE_X": "no",
    }
    known = Variables.read(environment, file)
    assert known.value("sales", "PASSWORD") == "a%b # c = d"
    assert known.value("sales", "USER") == "ada", "the environment goes before the file"
    assert (known.value("sales", "Region"), known.value("growth", "Region")) == ("eu", "us")
    assert (known.value("growth", "SHARED"), known.value("growth", "PASSWORD")) == ("all", None)
    assert "a%b" not in repr(known)


@pytest.mark.parametrize(("text", "mode"), [("[sales]\nA = secret", 0o640), ("A = secret", 0o600), ("\xff", 0o600)])
def test_a_file_that_others_read_or_nobody_can_is_refused_without_a_line_of_it(
    tmp_path: Path, text: str, mode: int
) -> None:
    (tmp_path / ".hanse").mkdir()
    file = tmp_path / ".hanse/variables.ini"
    file.write_bytes(text.encode("latin-1"))
    file.chmod(mode)
    with pytest.raises(UnsafeVariables) as told:
        load(tmp_path, {})
    assert "secret" not in str(told.value.as_problem()).replace("Secrets", "")


def test_values_are_put_into_trees() -> None:
    tree = {"host": "${HOST}:1", "more": ["a${B}", {"c": 5}]}
    assert names_in(tree) == ["HOST", "B"]
    assert filled(tree, {"HOST": "db", "B": "${HOST}"}) == {"host": "db:1", "more": ["a${HOST}", {"c": 5}]}
