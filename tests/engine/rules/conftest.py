"""A contract over real files, tested as `hanse test --contract` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hanse.engine.rules.alone import check_contract
from hanse.engine.rules.model import CheckResult, TestReport

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HEAD = """\
apiVersion: {version}
kind: DataContract
id: things
name: things
version: 1.0.0
status: active
"""
Tested = Callable[..., TestReport]


@pytest.fixture
def tested(tmp_path: Path) -> Tested:
    """`tested(schema, data={table: SELECT})`: write the data, test the contract, return the report."""

    def run(
        schema: str,
        data: Mapping[str, str],
        *,
        format: str = "parquet",
        version: str = "v3.1.0",
        variables: Mapping[str, str] | None = None,
        servers: str | None = None,
        **options: Any,
    ) -> TestReport:
        for name, select in data.items():
            file = tmp_path / f"{name}.{format}"
            if not file.exists():
                duckdb.execute(f"COPY ({select}) TO '{file}' (FORMAT {format})")
        if servers is None:
            servers = f"servers: [{{server: here, type: local, path: ./, format: {format}}}]\n"
        path = tmp_path / "things.odcs.yaml"
        path.write_text(HEAD.format(version=version) + servers + schema)
        return check_contract(path.read_text(), path, variables or {}, clock=lambda: NOW, **options)

    return run


def by_id(report: TestReport) -> dict[str, CheckResult]:
    """The results by check id, which is unique."""
    found = {result.check.id: result for result in report.results}
    assert len(found) == len(report.results)
    return found


@pytest.fixture
def results() -> Callable[[TestReport], dict[str, CheckResult]]:
    return by_id
