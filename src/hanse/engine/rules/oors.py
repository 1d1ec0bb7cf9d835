"""A test report in the draft shape of Bitol's Open Observability Results Standard."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

API_VERSION = "v0.8.1"  # a draft: it may change until 1.0
_STATUS = {"ok": "pass", "fail": "fail", "warn": "warn", "error": "error", "not-run": "skip"}
_ORDER = ("error", "fail", "warn", "pass", "skip")


def document(report: Mapping[str, Any], samples: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The OORS document of a report value; `samples` are added as custom properties where the caller may see them."""
    found = [_result(result, (samples or {}).get(result["id"])) for t in report["tables"] for result in t["results"]]
    statuses = {result["status"] for result in found}
    contract = {
        "contractId": report["contract"]["id"],
        "standard": "ODCS",
        "version": report["contract"]["version"],
        "server": report["server"],
    }
    # the same report gives the same id, whoever makes the document
    digest = hashlib.sha256(json.dumps(report, sort_keys=True, default=str).encode()).hexdigest()
    return {
        "apiVersion": API_VERSION,
        "kind": "ObservabilityResults",
        "id": "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32])),
        "observedAt": report["startedAt"],
        "source": {"process": "hanse test", "vendor": "hanse"},
        "run": {"state": "completed", "startedAt": report["startedAt"]},
        "contract": {key: value for key, value in contract.items() if value is not None},
        "status": next((status for status in _ORDER if status in statuses), "unknown"),
        "results": found,
        "customProperties": [
            {"property": "schema", "value": report["schema"]},
            {"property": "data", "value": report["source"]},
            {"property": "seconds", "value": report["seconds"]},
        ],
    }


def _result(result: Mapping[str, Any], sample: Mapping[str, Any] | None) -> dict[str, Any]:
    measure = {
        "metric": result["kind"],
        "value": result["value"],
        "threshold": {result["operator"]: result["threshold"]} if result["value"] is not None else None,
        "unit": result["unit"] or None,
        "rowCount": result["rows"],
        "failedRowCount": result["count"],
    }
    extra = {"expected": result["expected"], "found": result["found"], "sample": sample}
    place = result["place"]
    if place["file"]:
        extra["place"] = f"{place['file']}:{place['line']}"
    full = {
        "id": result["id"],
        "type": "check",
        "name": result["name"],
        "status": _STATUS[result["status"]],
        "relatesTo": _relates_to(result),
        "severity": result["severity"],
        "dimension": result["dimension"],
        "target": {
            "resourceType": "column" if result["column"] else "table",
            "resourceIdentifier": ".".join(part for part in (result["table"], result["column"]) if part),
        }
        if result["table"]
        else None,
        "measure": {key: value for key, value in measure.items() if value is not None},
        "message": result["message"] or result["found"] or None,
        "customProperties": [
            {"property": name, "value": value} for name, value in extra.items() if value not in (None, "")
        ],
    }
    return {key: value for key, value in full.items() if value not in (None, "", [])}


def _relates_to(result: Mapping[str, Any]) -> str:
    """The part of the contract that promised it, as the standard's references spell it."""
    if not result["table"]:
        return f"slaProperties/{result['name']}"
    steps = ["schema", result["table"]]
    if result["column"]:
        steps += ["properties", result["column"].replace(".", "/")]
    if result["rule"]:
        steps += ["quality", result["rule"]]
    return "/".join(steps)
