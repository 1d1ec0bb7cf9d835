"""Test reports as people read them: which data, a line a check, what failed below it, the count last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

WORDS = {"ok": "ok", "fail": "fail", "warn": "warn", "error": "fail", "not-run": "skip"}
_COLORS = {"ok": "green", "fail": "red", "warn": "yellow", "skip": "cyan"}
_NAME, _EXPECTED, _FOUND = 24, 40, 26


def lines(report: Mapping[str, Any], samples: Mapping[str, Any], *, rows_of: str | None = None) -> Iterator[str]:
    """Every line of one report; `rows_of` is the address whose rows a query may show."""
    several = sum(1 for table in report["tables"] if table["table"]) > 1
    for table in report["tables"]:
        if several and table["table"]:
            rows = f", {number(table['rows'])} rows" if table["rows"] is not None else ""
            yield f"\n{printable(table['table'])}  {printable(table['source'])}{rows}"
        yield from _table(table["results"], samples, rows_of, " --staged" if report.get("staged") else "")


def first(report: Mapping[str, Any]) -> str:
    """The first line: which data was tested, and against what."""
    contract = report["contract"]
    where = ""
    if len(report["tables"]) >= 1 and report["tables"][0]["source"]:
        tables = [table for table in report["tables"] if table["table"]]
        rows = f", {number(tables[0]['rows'])} rows" if len(tables) == 1 and tables[0]["rows"] is not None else ""
        where = f": {tables[0]['source']}{rows}" if len(tables) == 1 else ""
    return printable(f"Tested {report['source']}{where}, against {contract['id']} {contract['version']}")


def summary(results: Sequence[Mapping[str, Any]], *, strict: bool) -> str:
    """The last line: how many checks passed, failed, warned and were not run."""
    return counted({status: sum(r["status"] == status for r in results) for status in WORDS}, strict=strict)


def counted(checks: Mapping[str, int], *, strict: bool = False) -> str:
    """How many checks passed, failed, warned and were not run, from their numbers by status."""
    count = dict.fromkeys(("ok", "fail", "warn", "skip"), 0)
    for status, number_of in checks.items():
        if status in WORDS:
            count[WORDS[status]] += number_of
    tried = sum(count.values()) - count["skip"]
    parts = [f"{number(count['ok'])} of {number(tried)} checks pass"]
    if count["fail"]:
        parts.append(f"{number(count['fail'])} fail{'s' if count['fail'] == 1 else ''}")
    if count["warn"]:
        parts.append(f"{number(count['warn'])} warn{'s' if count['warn'] == 1 else ''}")
    if count["skip"]:
        parts.append(f"{number(count['skip'])} not run" + (" (--strict fails on them)" if strict else ""))
    return ", ".join(parts)


def _table(
    results: Sequence[Mapping[str, Any]], samples: Mapping[str, Any], rows_of: str | None, flag: str
) -> Iterator[str]:
    types = [r for r in results if r["kind"] == "type" and r["status"] == "ok"]
    folded = len(types) > 1
    for result in results:
        if folded and result["kind"] == "type" and result["status"] == "ok":
            # types that are as promised say so together
            if result is types[0]:
                yield _line("ok", "types", f"{len(types)} types match", "", sum(t["seconds"] for t in types))
            continue
        yield from _check(result, samples.get(result["id"]), rows_of, flag)


def _check(
    result: Mapping[str, Any], sample: Mapping[str, Any] | None, rows_of: str | None, flag: str
) -> Iterator[str]:
    word = WORDS[result["status"]]
    found = result["found"]
    if result["count"] is None and result["kind"] != "rowCount" and word != "ok":
        found = ""
    if word == "ok" and result["count"] == 0:
        found = f"{number(result['rows'])} rows" if result["rows"] is not None else ""
    yield _line(word, result["name"], result["expected"], found, result["seconds"])
    if word == "ok":
        return
    if word == "skip":
        yield f"        not run: {printable(result['message'])}"
        return
    if result["status"] == "error":
        yield f"        could not be evaluated: {printable(result['message'])}"
    elif (said := _said(result, sample)) is not None:
        yield f"        found {said}"
    place = result["place"]
    yield f"        rule  {printable(place['file'])}:{place['line']}"
    if rows_of is not None and result["count"] and result["column"] and result["kind"] in ("required", "nullValues"):
        yield f'        rows  hanse query "select * from {rows_of} where {result["column"]} is null"{flag}'


def _said(result: Mapping[str, Any], sample: Mapping[str, Any] | None) -> str | None:
    """What was found in words: values and the first key where they may be shown, else the message."""
    parts = []
    if sample is not None and sample["values"]:
        values = ", ".join(f"{printable(v['value'])} ({number(v['count'])})" for v in sample["values"])
        parts.append(values + (", …" if sample["more"] else ""))
    if sample is not None and sample["keys"]:
        columns = ", ".join(sample["keyColumns"])
        parts.append(f"first at {printable(columns)} {printable(sample['keys'][0])}")
    if parts:
        return ", ".join(parts)
    if result["message"]:
        return printable(result["message"])
    return None if result["count"] is not None else printable(result["found"]) or None


def _line(word: str, name: str, expected: str, found: str, seconds: float) -> str:
    time = f"{seconds * 1000:,.0f} ms".replace(",", " ") if seconds >= 0.0005 else ""
    mark = click.style(f"{word:<4}", fg=_COLORS[word])
    return f"  {mark}  {_fit(name, _NAME)}  {_fit(expected, _EXPECTED)}  {_fit(found, _FOUND)} {time:>8}".rstrip()


def _fit(text: str, width: int) -> str:
    text = printable(" ".join(str(text).split()))
    return f"{text:<{width}}" if len(text) <= width else text[: width - 1] + "…"


def number(value: int | None) -> str:
    """A count with thousands apart."""
    return "?" if value is None else f"{value:,}".replace(",", " ")


def printable(text: str) -> str:
    """`text` with everything escaped that could move the cursor or reorder what is read."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))
