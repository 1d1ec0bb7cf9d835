"""Why a file cannot be read, in words of ours and without a value of it: each asked of the engine itself."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from hanse.engine.sources.unreadable import unreadable
from hanse.names import literal

CASES = [
    ("latin.csv", "id,name\n1,café\n".encode("latin-1"), "", "latin.csv:2", "not UTF-8", "encoding:"),
    ("rows.csv", b"a,b,c\n" + b"x,2,3\n" * 30_000 + b"secret,2\n", "", "rows.csv:30002", "number of columns", "types"),
    ("odd.csv", b"a,b,c\n" + b"x,2,3\n" * 30_000 + b"secret,2\n", ", sample_size = -1", "odd.csv", "alike", "quote:"),
    ("typed.csv", b"a\n" + b"1\n" * 30_000 + b"secret\n", "", "typed.csv:30002", "'a' does not hold", "types"),
    ("cut.ndjson", b'{"a": "secret"}\n{"a" 2}\n{"a": 3}\n', "", "cut.ndjson:2", "well-formed JSON", ""),
    ("twice.json", b'[{"id": 1, "id": "secret"}]', "", "twice.json", "names a member twice", ""),
    ("text.parquet", b"secret, but no parquet", "", "text.parquet", "no Parquet file", "format:"),
    ("short.parquet", b"", "", "short.parquet", "no Parquet file", "format:"),
]


FUNCTIONS = {".csv": "read_csv", ".json": "read_json", ".ndjson": "read_json", ".parquet": "read_parquet"}


@pytest.mark.parametrize(("name", "data", "options", "place", "why", "state"), CASES, ids=[case[0] for case in CASES])
def test_what_is_wrong_is_told_with_its_place_and_no_value(
    name: str, data: bytes, options: str, place: str, why: str, state: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    function = FUNCTIONS[file.suffix]
    with pytest.raises(duckdb.Error) as failure:
        duckdb.sql(f"SELECT count(COLUMNS(*)) FROM {function}({literal(str(file))}{options})").fetchall()
    told = unreadable(str(failure.value), [file])
    assert told.place == place
    assert why in told.why
    assert state in told.state
    assert "secret" not in f"{told} {told.mend_or_state}"


def test_a_folder_whose_files_differ_names_one_of_them(tmp_path: Path) -> None:
    for name, data in (("a.csv", "x,y\n1,2\n"), ("b.csv", "x\n1\n")):
        (tmp_path / name).write_text(data)
    files = sorted(tmp_path.iterdir())
    with pytest.raises(duckdb.Error) as failure:
        duckdb.sql(f"SELECT * FROM read_csv([{', '.join(literal(str(file)) for file in files)}])").fetchall()
    told = unreadable(str(failure.value), files)
    assert (told.why, told.state) == ("not all files have the same columns", "union_by_name: true")
