"""What of a failing check's sample a viewer may see: decided as any other read of the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hanse.governance.decide import decide
from hanse.governance.decision import Clear, Decision, Principal, Request
from hanse.names import PortLine
from hanse.node.facts import facts_of_line
from hanse.spec.model import Contract, ProductFiles, Project

if TYPE_CHECKING:
    from hanse.node.home import Home
    from hanse.node.node import Node


def is_clear(decision: Decision, column: str) -> bool:
    """Whether the top-level `column` and all of its parts are shown as they are."""
    views = [view for path, view in decision.columns.items() if path[0].lower() == column.lower()]
    return bool(views) and all(isinstance(view, Clear) for view in views)


def visible(
    node: Node,
    project: Project,
    home: Home,
    files: ProductFiles,
    line: PortLine,
    contract: Contract,
    viewer: Principal,
    samples: Mapping[str, Any],
) -> dict[str, Any]:
    """Of `samples`, what the viewer's own decision on the table shows: whole rows, clear columns only."""
    if not samples:
        return {}
    domain = project.domains.get(line.product.domain)
    request = Request(viewer, node.clock(), protocol="http")
    decisions = {
        facts.id.table: decide(request, facts, home.grants(line.product), home.policies())
        for facts in facts_of_line(files.product, line, contract, domain.team if domain else "")
    }
    shown = {}
    for id, sample in samples.items():
        decision = decisions.get(str(id).partition(".")[0])
        if decision is None or not decision.allowed or decision.rows:
            continue
        values = sample["values"] if all(is_clear(decision, c) for c in sample["columns"]) else []
        keys = sample["keys"] if all(is_clear(decision, c) for c in sample["keyColumns"]) else []
        if values or keys:
            shown[id] = {**sample, "values": values, "keys": keys}
    return shown
