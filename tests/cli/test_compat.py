"""`hanse compat`: every change on a line, the version judged, exit 1 when it did not move far enough."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hanse.cli.main import main
from tests.spec.mesh_texts import ORDERS, column


def put(path: Path, tree: Any) -> str:
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree, indent=1))
    return str(path)


def ran(tmp_path: Path, new: Any, *flags: str, old: Any = ORDERS) -> Result:
    return CliRunner().invoke(
        main, [*flags, "compat", put(tmp_path / "old.odcs.yaml", old), put(tmp_path / "new.odcs.yaml", new)]
    )


def after(version: str, *, columns: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    schema = ORDERS["schema"] if columns is None else [{**ORDERS["schema"][0], "properties": columns}]
    return {**ORDERS, "version": version, "schema": schema, **more}


COLUMNS: list[dict[str, Any]] = ORDERS["schema"][0]["properties"]


def test_a_compatible_change_is_told_and_exits_0(tmp_path: Path) -> None:
    result = ran(tmp_path, after("1.1.0", columns=[*COLUMNS, column("note")]))
    assert result.exit_code == 0
    assert "minor" in result.stdout
    assert "column added orders.note" in result.stdout
    assert "new.odcs.yaml:" in result.stdout
    assert "1.0.0 -> 1.1.0  compatible (minor)" in result.stdout


def test_a_breaking_change_under_the_same_major_exits_1_with_its_mend(tmp_path: Path) -> None:
    result = ran(tmp_path, after("1.1.0", columns=COLUMNS[:2]))
    assert result.exit_code == 1
    assert "major  column removed orders.buyer" in result.stdout
    assert "mend: undo it, or make it version 2.0.0 beside this one" in result.stderr


def test_a_version_that_did_not_move_is_told(tmp_path: Path) -> None:
    result = ran(tmp_path, after("1.0.0", tags=["gold"]))
    assert result.exit_code == 1
    assert "version.unchanged" in result.stderr


def test_the_same_contract_has_nothing_to_tell(tmp_path: Path) -> None:
    result = ran(tmp_path, ORDERS)
    assert result.exit_code == 0
    assert "nothing changed" in result.stdout


def test_json_is_one_document_with_every_change(tmp_path: Path) -> None:
    result = ran(tmp_path, after("2.0.0", columns=COLUMNS[:2]), "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert (told["schema"], told["step"]) == ("hanse.compat/1", "major")
    assert [(c["what"], c["table"], c["column"]) for c in told["changes"]] == [("column-removed", "orders", "buyer")]
    assert told["changes"][0]["reason"]


@pytest.mark.parametrize("text", ["", "[]", "kind: DataProduct", "a: [", "kind: DataContract\nid: x"])
def test_what_is_no_contract_is_told_and_exits_1(tmp_path: Path, text: str) -> None:
    result = ran(tmp_path, text)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "new.odcs.yaml" in result.output


def test_a_file_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["compat", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")])
    assert result.exit_code == 2


def test_classifications_are_those_of_the_project_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mesh.yaml").write_text("name: trade\nclassifications: [secret, internal]\n")
    monkeypatch.chdir(tmp_path)
    columns = [{**COLUMNS[0], "classification": "secret"}, *COLUMNS[1:]]
    result = ran(tmp_path, after("1.1.0", columns=columns))
    assert "classification lowered orders.id" in result.stdout
