"""An answer that fails after its first rows says why, as it would have before them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import duckdb
import pytest

from hanse.engine.engine import Engine, SourceInput
from hanse.engine.errors import QueryFailed
from hanse.engine.settings import EngineSettings


def test_a_question_that_fails_after_many_rows_is_told_what_failed(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    duckdb.sql(
        "COPY (SELECT CASE WHEN i = 2500000 THEN 'x' ELSE '1' END AS s FROM range(3000000) r(i)) "
        f"TO '{file}' (FORMAT parquet)"
    )
    source = SourceInput("raw", f"read_parquet(['{file}'])", (file,))

    async def main() -> int:
        engine = Engine(EngineSettings(workers=1, threads=1))
        try:
            await engine.start()
            answer = await engine.run(await engine.gate("SELECT CAST(s AS INTEGER) AS i FROM raw"), [source])
            rows = 0
            async for batch in answer.batches():
                rows += batch.num_rows
            return rows
        finally:
            await engine.close()

    with pytest.raises(QueryFailed, match="a value cannot be converted"):
        asyncio.run(main())
