"""A test report as plain values, for the store, for HTTP and for the command line; samples stand apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hanse.engine.rules.model import CheckResult, Sample, Status, TestReport

SCHEMA = "hanse.test/1"


def value(report: TestReport, *, strict: bool = False) -> dict[str, Any]:
    """The report without samples: counts, places and words, nothing that a row holds."""
    return {
        "schema": SCHEMA,
        "ok": report.tested > 0 and report.good(strict=strict),
        "strict": strict,
        "tested": report.tested,
        "contract": {"id": report.contract_id, "version": report.contract_version, "apiVersion": report.api_version},
        "file": report.file,
        "source": report.source,
        "server": report.server,
        "startedAt": report.started_at.isoformat(),
        "seconds": round(report.seconds, 4),
        "tables": [
            {
                "table": table.table,
                "source": table.source,
                "rows": table.rows,
                "results": [_result(result) for result in table.results],
            }
            for table in report.tables
        ],
    }


def samples(found: Mapping[str, Sample]) -> dict[str, Any]:
    """What failing rows hold, by check id: only for those who may see it."""
    return {
        id: {
            "columns": list(sample.columns),
            "keyColumns": list(sample.key_columns),
            "values": [{"value": text, "count": count} for text, count in sample.values],
            "keys": list(sample.keys),
            "more": sample.more,
        }
        for id, sample in found.items()
    }


def counts(values: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many results of several report values ended in each status."""
    found = {status.value: 0 for status in Status}
    for result in results(values):
        found[result["status"]] += 1
    return found


def results(values: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Every result of several report values."""
    return [result for each in values for table in each["tables"] for result in table["results"]]


def _result(result: CheckResult) -> dict[str, Any]:
    check = result.check
    return {
        "id": check.id,
        "name": check.name,
        "kind": check.kind,
        "table": check.table,
        "column": ".".join(check.column) if check.column else None,
        "rule": check.rule_id,
        "severity": check.severity,
        "dimension": check.dimension,
        "status": result.status.value,
        "expected": check.expected,
        "found": result.found,
        "message": result.message,
        "count": result.count,
        "rows": result.rows,
        "value": result.value,
        "operator": check.operator,
        "threshold": check.threshold,
        "unit": check.unit,
        "seconds": round(result.seconds, 6),
        "place": {
            "file": check.place.file,
            "line": check.place.line,
            "column": check.place.column,
            "pointer": check.place.pointer,
        },
    }
