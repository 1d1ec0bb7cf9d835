"""The facts of threat-model.md §4, asked of the installed engine: why gate, throw-away engine and process all stay."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest


@pytest.fixture
def engine() -> Any:
    return duckdb.connect(":memory:", config={"threads": "1"})


@pytest.fixture
def locked() -> Any:
    engine = duckdb.connect(":memory:")
    engine.execute("SET enable_external_access = false")
    engine.execute("SET lock_configuration = true")
    return engine


def test_the_facts_are_asked_of_the_version_in_use() -> None:
    assert duckdb.__version__.startswith("1.5.")


@pytest.mark.parametrize(
    "condition",
    [
        "region IN (SELECT r FROM allowed)",
        "region = 'A' OR id < 0",
        "EXISTS (SELECT 1 FROM allowed WHERE r = region)",
        "region = (SELECT r FROM allowed)",
    ],
)
def test_a_view_with_a_row_filter_showed_no_hidden_row_to_these_probes_on_this_version(
    engine: Any, condition: str
) -> None:
    """2.0.0 evaluated error() and casts on hidden rows; 1.5.5 does not here. That is a plan's luck: never a barrier."""
    engine.execute(
        "CREATE TABLE raw AS SELECT i AS id, CASE WHEN i % 4 = 3 THEN 'A' ELSE 'B' END AS region, "
        "CASE WHEN i % 4 = 3 THEN 'seen' ELSE 'hidden' END AS note FROM range(1000) t(i)"
    )
    engine.execute("CREATE TABLE allowed AS SELECT 'A' AS r")
    engine.execute("CREATE TABLE other AS SELECT i AS x FROM range(5) t(i)")
    engine.execute(f"CREATE VIEW shown AS SELECT * FROM raw WHERE {condition}")
    said = []
    for probe in (
        "SELECT count(*) FROM shown s JOIN other o ON error('L:' || s.note) IS NULL",
        "SELECT count(*) FROM shown s LEFT JOIN other o ON error('L:' || s.note) IS NULL",
        "SELECT count(*) FROM shown s JOIN other o ON s.note::INT = o.x",
        "SELECT count(*) FROM shown WHERE note::INT = 1",
    ):
        with pytest.raises(duckdb.Error) as caught:
            engine.execute(probe).fetchall()
        said.append(str(caught.value).split("\n")[0])
    assert all("seen" in text and "hidden" not in text for text in said)


def test_a_deletion_inside_a_cte_is_no_longer_read_as_a_select(engine: Any) -> None:
    engine.execute("CREATE TABLE t AS SELECT 1 AS x")
    with pytest.raises(duckdb.Error):
        engine.execute("WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d")
    assert engine.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_one_scalar_call_passes_the_engines_own_memory_limit() -> None:
    engine = duckdb.connect(":memory:", config={"memory_limit": "32MB", "threads": "1"})
    assert engine.execute("SELECT length(repeat('x', 200000000))").fetchone() == (200_000_000,)


@pytest.mark.parametrize(
    "question",
    [
        "SELECT current_setting('threads')",
        "SELECT count(*) FROM duckdb_settings()",
        "SELECT count(*) FROM duckdb_variables()",
        "SELECT * FROM query('SELECT 1')",
        "ATTACH ':memory:' AS another",
    ],
)
def test_a_locked_engine_still_answers(locked: Any, question: str) -> None:
    locked.execute(question).fetchall()


def test_a_locked_engine_still_runs_serialized_plans(locked: Any) -> None:
    plan = locked.execute("SELECT json_serialize_sql('SELECT 42 AS x')").fetchone()[0]
    assert json.loads(plan)["error"] is False
    assert locked.execute("SELECT * FROM json_execute_serialized_sql(?::VARCHAR)", [plan]).fetchall() == [(42,)]


def test_a_locked_engine_opens_no_file_and_unlocks_nothing(locked: Any) -> None:
    for refused in (
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM read_text('/etc/hostname')",
        "SET enable_external_access = true",
        "SET threads = 9",
    ):
        with pytest.raises(duckdb.Error):
            locked.execute(refused)


def test_views_hide_the_virtual_columns_of_files(engine: Any, tmp_path: Any) -> None:
    engine.execute(f"COPY (SELECT 1 AS id) TO '{tmp_path}/a.parquet'")
    engine.execute(f"CREATE VIEW v AS SELECT id FROM read_parquet(['{tmp_path}/a.parquet'])")
    for column in ("rowid", "filename", "file_row_number", "file_index"):
        with pytest.raises(duckdb.BinderException):
            engine.execute(f"SELECT {column} FROM v")
