"""Test reports as JUnit XML, which every CI shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring


def xml(reports: Sequence[Mapping[str, Any]]) -> bytes:
    """One suite a table, one case a check; a warning is a passing case that says so in its output."""
    root = Element("testsuites", name="hanse test")
    for report in reports:
        for table in report["tables"]:
            _suite(root, report, table)
    body: bytes = tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + body


def _suite(root: Element, report: Mapping[str, Any], table: Mapping[str, Any]) -> None:
    results = table["results"]
    name = f"{report['file']} {table['table'] or 'service levels'}"
    suite = SubElement(
        root,
        "testsuite",
        name=_clean(name),
        tests=str(len(results)),
        failures=str(sum(r["status"] == "fail" for r in results)),
        errors=str(sum(r["status"] == "error" for r in results)),
        skipped=str(sum(r["status"] == "not-run" for r in results)),
        time=f"{sum(r['seconds'] for r in results):.3f}",
        timestamp=str(report["startedAt"]),
    )
    for result in results:
        case = SubElement(
            suite,
            "testcase",
            classname=_clean(f"{report['contract']['id']}.{table['table']}"),
            name=_clean(f"{result['id']}: {result['expected']}"),
            time=f"{result['seconds']:.3f}",
            file=_clean(result["place"]["file"]),
            line=str(result["place"]["line"]),
        )
        said = _clean(result["message"] or result["found"])
        if result["status"] in ("fail", "error"):
            tag = "failure" if result["status"] == "fail" else "error"
            SubElement(case, tag, message=said, type=result["kind"]).text = _clean(
                f"expected {result['expected']}\nfound {said}\nrule {result['place']['file']}:{result['place']['line']}"
            )
        elif result["status"] == "not-run":
            SubElement(case, "skipped", message=said)
        elif result["status"] == "warn":
            SubElement(case, "system-out").text = f"warn: {said}"


def _clean(text: Any) -> str:
    # XML 1.0 knows no control characters, not even escaped
    return "".join(c if c in "\t\n" or (c.isprintable() and ord(c) not in (0xFFFE, 0xFFFF)) else "?" for c in str(text))
