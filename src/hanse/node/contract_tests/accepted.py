"""Failing rules that a baseline accepts become warnings, as long as they are no worse and its day has not passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from hanse.spec.baseline import Accepted


def accept(report: Mapping[str, Any], baseline: Sequence[Accepted], today: date) -> dict[str, Any]:
    """The report (wire form) with what `baseline` accepts told as warnings, and why the rest of it is not accepted."""
    by_rule = {one.rule: one for one in baseline}
    tables = [
        {**table, "results": [_result(one, by_rule, today) for one in table["results"]]} for table in report["tables"]
    ]
    return {**report, "tables": tables}


def measure(result: Mapping[str, Any]) -> float | None:
    """How bad a failing rule is: its bad rows, else the number that it compared; None when it has neither."""
    for value in (result["count"], result["value"]):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    return None


def _no_worse(result: Mapping[str, Any], measured: float, accepted: float) -> bool:
    operator = str(result["operator"])
    if "Greater" in operator:
        return measured >= accepted
    if "Less" in operator or (operator == "mustBe" and result["threshold"] == 0):
        return measured <= accepted
    return measured == accepted  # the rule has two sides: only the very number is known to be no worse


def _result(result: Mapping[str, Any], by_rule: Mapping[str, Accepted], today: date) -> Mapping[str, Any]:
    accepted = by_rule.get(result["id"])
    if accepted is None or result["status"] != "fail":
        return result
    if today > accepted.until:
        return {**result, "message": f"its baseline ended on {accepted.until}"}
    measured = measure(result)
    if measured is None or not _no_worse(result, measured, accepted.count):
        return {**result, "message": f"its baseline accepts {accepted.count:g}"}
    return {**result, "status": "warn", "message": f"accepted until {accepted.until}: {accepted.why}"}
