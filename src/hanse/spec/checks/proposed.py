"""Classes that a program proposed and no person has looked at yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hanse.errors import Kind, Severity, code
from hanse.spec.checks.report import Report

PROPERTY = "classificationProposed"  # customProperty of a contract; its value says what was proposed and why
PROPOSED = code(
    "classification.proposed", Kind.INVALID, "The classifications are proposed, and nobody has confirmed them",
    "`hanse new product` guesses from names and shapes which columns tell of a person or a secret. Who may see a "
    "column follows from its class, so a person looks at each before anybody reads it; until then publishing waits.",
    "Look at the classification of each column, then delete the entry classificationProposed of customProperties.",
)  # fmt: skip


def check_proposed(report: Report, tree: Mapping[str, Any]) -> None:
    """Tell of a contract whose classes wait for a person."""
    for i, entry in enumerate(tree.get("customProperties") or ()):
        if entry.get("property") == PROPERTY:
            report.add(
                f"/customProperties/{i}",
                PROPOSED,
                "the classifications are proposed: publishing waits until you have confirmed them",
                mend="look at each classification, then delete this entry",
                severity=Severity.WARNING,
            )
