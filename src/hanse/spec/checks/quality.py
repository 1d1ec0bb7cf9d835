"""Quality rules that can run: known metrics, arguments and operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hanse.errors import Kind, Severity, code
from hanse.spec.checks.columns import check_pattern
from hanse.spec.checks.report import Report
from hanse.spec.checks.sql import check_sql

ARGUMENTS = code(
    "quality.arguments", Kind.INVALID, "A rule lacks what it needs to run",
    "A library metric needs its arguments: the column it looks at, the values it accepts.",
    "Give the arguments that the metric has.",
)  # fmt: skip
OPERATOR = code(
    "quality.operator", Kind.INVALID, "A rule's expectation cannot be compared",
    "A metric is a number, so what it must be is a number as well, and of two bounds the lower comes first.",
    "Write numbers, the lower bound first.",
)  # fmt: skip
NOT_RUN = code(
    "quality.not-run", Kind.INVALID, "A rule that is not run",
    "Rules of type text are for people, rules of type custom for another engine; hanse reports them as not run.",
    "Write it as a library or sql rule to have it run.",
)  # fmt: skip

OPERATORS = (
    "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo",
    "mustBeBetween", "mustNotBeBetween",
)  # fmt: skip
METRICS: Mapping[str, tuple[str, ...]] = {
    "nullValues": (),
    "missingValues": ("missingValues",),
    "invalidValues": ("validValues", "pattern"),
    "duplicateValues": ("properties",),
    "rowCount": (),
}


def rule_kind(rule: Mapping[str, Any]) -> str:
    """library, sql, custom or text: as written, else by what the rule holds."""
    kind = rule.get("type")
    if isinstance(kind, str):
        return kind
    if rule.get("metric") or rule.get("rule"):
        return "library"
    if rule.get("query"):
        return "sql"
    return "custom" if rule.get("implementation") else "text"


def check_rule(
    report: Report, pointer: str, rule: Mapping[str, Any], column: str | None, columns: Mapping[str, str]
) -> None:
    """One entry of `quality`, on `column` or (None) on the table with `columns` (names by lower case)."""
    kind = rule_kind(rule)
    if kind == "library":
        _check_library(report, pointer, rule, column, columns)
    elif kind == "sql":
        check_sql(report, f"{pointer}/query", rule.get("query"))
    if kind in ("library", "sql"):
        _check_operators(report, pointer, rule, number=kind == "library")


def _check_library(
    report: Report, pointer: str, rule: Mapping[str, Any], column: str | None, columns: Mapping[str, str]
) -> None:
    metric = rule.get("metric") or rule.get("rule")
    at = f"{pointer}/{'metric' if 'metric' in rule else 'rule'}"
    if not isinstance(metric, str) or metric not in METRICS:
        near = report.near(str(metric), METRICS)
        report.add(
            at, NOT_RUN, f"metric {str(metric)[:40]!a} is not of the standard's library and is not run",
            mend=f"write metric: {near[0]}" if near else f"write one of: {', '.join(METRICS)}", severity=Severity.NOTE,
        )  # fmt: skip
        return
    if column is None and metric in ("nullValues", "missingValues", "invalidValues"):
        report.add(
            at, ARGUMENTS, f"{metric} looks at one column, but the rule stands on the table",
            mend="move the rule to the column's quality",
        )  # fmt: skip
    arguments = rule.get("arguments")
    given = arguments if isinstance(arguments, dict) else {}
    for name in given:
        if name not in METRICS[metric]:
            known = METRICS[metric]
            near = report.near(name, known) or list(known[:1])
            report.add(
                f"{pointer}/arguments/{name}", ARGUMENTS, f"{metric} has no argument {name[:40]!a}",
                mend=f"write {near[0]}" if near else "remove it", severity=Severity.WARNING, key=True,
            )  # fmt: skip
    for name in ("missingValues", "validValues", "properties"):
        if name in given and not isinstance(given[name], list):
            report.add(f"{pointer}/arguments/{name}", ARGUMENTS, f"{name} is not a list", mend=f"write {name}: [ … ]")
    if "pattern" in given:
        check_pattern(report, f"{pointer}/arguments/pattern", given["pattern"])
    if metric == "duplicateValues" and isinstance(given.get("properties"), list):
        for i, name in enumerate(given["properties"]):
            if not isinstance(name, str) or name.lower() not in columns:
                near = report.near(str(name), columns.values())
                report.add(
                    f"{pointer}/arguments/properties/{i}", ARGUMENTS, f"the table has no column {str(name)[:60]!a}",
                    mend=f"write {near[0]}" if near else "name a column of this table",
                )  # fmt: skip


def _check_operators(report: Report, pointer: str, rule: Mapping[str, Any], *, number: bool) -> None:
    written = [name for name in OPERATORS if name in rule]
    if not written:
        report.add(
            pointer, NOT_RUN, "the rule says nothing about what its result must be, so it is not run",
            mend="add an operator such as mustBe: 0", severity=Severity.NOTE,
        )  # fmt: skip
    for name in written:
        value = rule[name]
        if name.endswith("Between"):
            if (
                isinstance(value, list)
                and len(value) == 2
                and all(_is_number(v) for v in value)
                and value[0] > value[1]
            ):
                report.add(
                    f"{pointer}/{name}", OPERATOR, f"{value[0]} to {value[1]} holds no value",
                    mend=f"write {name}: [{value[1]}, {value[0]}]",
                )  # fmt: skip
        elif number and not _is_number(value):
            report.add(
                f"{pointer}/{name}", OPERATOR, f"{name} is {str(value)[:40]!a}, but a metric is a number",
                mend=f"write a number, such as {name}: 0",
            )  # fmt: skip
    unit = rule.get("unit")
    if isinstance(unit, str) and unit.strip().lower() in ("percent", "%"):
        for name in written:
            values = rule[name] if isinstance(rule[name], list) else [rule[name]]
            if any(_is_number(v) and not 0 <= v <= 100 for v in values):
                report.add(
                    f"{pointer}/{name}", OPERATOR, f"{name} is outside of 0 to 100 percent", mend="write 0 to 100",
                    severity=Severity.WARNING,
                )  # fmt: skip


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
