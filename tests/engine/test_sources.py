"""Files as sources: found below the roots only, fingerprinted cheaply, told clearly when something is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hanse.engine.sources import Given, Scan, SourceBadOption, SourceMissing, SourceOutsideRoot, Wanted, reader
from hanse.engine.sources.files import FILES
from hanse.errors import Place
from hanse.spec.model import Source


def source(path: str, kind: str = "files", **options: Any) -> Source:
    return Source("raw", kind, {"path": path, **options}, Place("build.yaml", 3, 5))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mesh"
    (root / "data" / "deep").mkdir(parents=True)
    duckdb.sql(f"copy (select 1 a, 'x' b) to '{root}/data/one.parquet'")
    (root / "data" / "two.csv").write_text("a;b\n1;x\n2;NA\n")
    (root / "data" / "three.json").write_text('{"a": 1}\n{"a": 2}\n')
    (root / "data" / "deep" / "part-1.csv").write_text("a,b\n1,x\n")
    (root / "data" / "deep" / "part-2.csv").write_text("a,b\n2,y\n")
    return root


def scan(wanted: Source, root: Path) -> Scan:
    return FILES.scan(wanted, Given([root], root), Wanted(), root)


def rows(root: Path, wanted: Source) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"select * from {scan(wanted, root).scan} order by all").fetchall()


def test_parquet_csv_and_json_are_read(root: Path) -> None:
    assert rows(root, source("data/one.parquet")) == [(1, "x")]
    assert rows(root, source("data/two.csv", delimiter=";", null="NA")) == [(1, "x"), (2, None)]
    assert rows(root, source("data/three.json")) == [(1,), (2,)]


def test_a_folder_and_a_pattern_are_many_files(root: Path) -> None:
    assert rows(root, source("data/deep")) == [(1, "x"), (2, "y")]
    assert rows(root, source("data/**/part-*.csv")) == [(1, "x"), (2, "y")]
    assert len(scan(source("data/deep"), root).files) == 2


def test_the_plug_in_is_found_by_its_kind() -> None:
    assert reader(source("x")) is FILES
    with pytest.raises(SourceBadOption, match="no kind 'filez'") as told:
        reader(source("x", kind="filez"))
    assert "kind: files" in told.value.mend


def test_a_missing_file_offers_the_nearest(root: Path) -> None:
    with pytest.raises(SourceMissing) as told:
        scan(source("data/one.parqet"), root)
    assert told.value.mend == "did you mean 'data/one.parquet'?"
    assert told.value.where == "build.yaml:3:5"


@pytest.mark.parametrize("path", ["../secret.csv", "/etc/hostname", "data/../../secret.csv", "../*.csv", "../nothing"])
def test_what_lies_outside_the_roots_is_refused_whether_it_exists_or_not(root: Path, path: str) -> None:
    (root.parent / "secret.csv").write_text("a\n1\n")
    with pytest.raises(SourceOutsideRoot):
        scan(source(path), root)
    with pytest.raises(SourceOutsideRoot):
        FILES.fingerprint(source(path), Given([root], root))


def test_a_link_that_leaves_the_roots_is_refused(root: Path) -> None:
    (root.parent / "secret.csv").write_text("a\n1\n")
    (root / "data" / "deep" / "link.csv").symlink_to(root.parent / "secret.csv")
    (root / "away").symlink_to(root.parent)
    for path in ("data/deep/link.csv", "data/deep", "data/deep/*.csv", "away/secret.csv", "away/*.csv"):
        with pytest.raises(SourceOutsideRoot):
            scan(source(path), root)


@pytest.mark.parametrize(
    "path",
    [
        ".hanse/issuer", ".hanse/homes/sales/store.db", ".hanse/homes/sales/warehouse/**/*.parquet", ".hanse/nothing",
        "data/../.hanse/homes/sales/warehouse", "elsewhere/sales/warehouse", "elsewhere/sales/warehouse/*.parquet",
        "elsewhere/sales/key", "data/link", "./.hanse/*", "**/.hanse/*", "elsewhere/*/warehouse/*",
    ],
)  # fmt: skip
def test_what_a_node_or_a_home_keeps_is_no_source(root: Path, path: str) -> None:
    for home in (root / ".hanse" / "homes" / "sales", root / "elsewhere" / "sales"):
        (home / "warehouse").mkdir(parents=True)
        for name in ("key", "mask.key", "store.db"):
            (home / name).write_text("a")
        duckdb.sql(f"copy (select 1 a) to '{home}/warehouse/raw.parquet'")
    (root / ".hanse" / "issuer").write_text("a")
    (root / "data" / "link").symlink_to(root / ".hanse" / "homes" / "sales" / "warehouse")
    with pytest.raises(SourceOutsideRoot):
        scan(source(path, format="csv"), root)


def test_a_device_is_no_file(root: Path) -> None:
    os.mkfifo(root / "data" / "pipe.csv")
    with pytest.raises(SourceMissing):
        scan(source("data/pipe.csv"), root)


def test_a_fingerprint_changes_with_data_and_options_only(root: Path) -> None:
    first = FILES.fingerprint(source("data/two.csv"), Given([root], root))
    assert FILES.fingerprint(source("data/two.csv"), Given([root], root)) == first
    assert FILES.fingerprint(source("data/two.csv", delimiter=";"), Given([root], root)) != first
    (root / "data" / "two.csv").write_text("a;b\n1;x\n2;NB\n")
    os.utime(root / "data" / "two.csv", ns=(1, 1))
    assert FILES.fingerprint(source("data/two.csv"), Given([root], root)) != first


@pytest.mark.parametrize(
    ("options", "mend"),
    [
        ({"delimeter": ";"}, "delimiter"),
        ({"header": "yes"}, "true or false"),
        ({"format": "parket"}, "parquet"),
        ({"delimiter": "'); drop table x; --", "skip": -1}, "whole number"),
    ],
)
def test_an_option_that_does_not_exist_names_those_that_do(root: Path, options: dict[str, Any], mend: str) -> None:
    with pytest.raises(SourceBadOption) as told:
        scan(source("data/two.csv", **options), root)
    assert mend in told.value.mend


def test_a_text_in_an_option_stays_a_text(root: Path) -> None:
    made = scan(source("data/two.csv", delimiter="';--"), root)
    assert "delim = ''';--'" in made.scan
