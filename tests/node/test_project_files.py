"""Which files of a folder belong to a project: texts, never data, nothing from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanse.node import project_files
from hanse.node.project_files import BundleTooLarge, LinkOutside, NotReadable, read


def put(path: Path, data: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def test_texts_are_read_and_data_and_hidden_folders_are_not(tmp_path: Path) -> None:
    for name in ("mesh.yaml", "sales/orders/orders.sql", "sales/orders/README.md", "policies/access/a.cedar"):
        put(tmp_path / name, name)
    for name in (".git/x.yaml", ".hanse/node.yaml", "data/flights.sql", "sales/orders/x.parquet", ".x.yaml"):
        put(tmp_path / name, "no")
    assert read(tmp_path) == {
        name: name
        for name in ("mesh.yaml", "policies/access/a.cedar", "sales/orders/README.md", "sales/orders/orders.sql")
    }


def test_a_domain_may_be_called_data(tmp_path: Path) -> None:
    put(tmp_path / "data/domain.yaml", "team: data")
    assert set(read(tmp_path)) == {"data/domain.yaml"}


def test_a_link_that_leaves_the_project_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "secret.yaml", "password: x")
    (tmp_path / "project").mkdir()
    (tmp_path / "project/mesh.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(LinkOutside, match=r"mesh\.yaml"):
        read(tmp_path / "project")


def test_a_linked_folder_is_not_entered_and_a_link_inside_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "outside/x.sql", "SELECT 1")
    put(tmp_path / "project/a.sql", "SELECT 2")
    (tmp_path / "project/b.sql").symlink_to("a.sql")
    (tmp_path / "project/out").symlink_to(tmp_path / "outside")
    assert read(tmp_path / "project") == {"a.sql": "SELECT 2", "b.sql": "SELECT 2"}


def test_more_than_the_limit_is_refused_and_the_largest_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_files, "BUNDLE_BYTES", 100)
    put(tmp_path / "a.sql", "x" * 90)
    put(tmp_path / "b.sql", "x" * 20)
    with pytest.raises(BundleTooLarge) as raised:
        read(tmp_path)
    assert raised.value.where == "a.sql"


def test_what_is_not_utf8_is_told_by_its_line(tmp_path: Path) -> None:
    put(tmp_path / "a.sql", b"SELECT 1\n-- caf\xe9")
    with pytest.raises(NotReadable, match="0xe9 on line 2"):
        read(tmp_path)


def test_a_readme_in_another_encoding_stops_nothing(tmp_path: Path) -> None:
    put(tmp_path / "README.md", b"caf\xe9")
    assert read(tmp_path) == {"README.md": "caf\ufffd"}
