"""What of a failing check's sample a viewer may see: decided as any other read of the table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from hanse.governance.decide import decide
from hanse.governance.decision import Clear, Decision, Principal, Request
from hanse.names import PortLine
from hanse.node.facts import facts_of_line
from hanse.node.permission import governing
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
    request = Request(viewer, node.clock(), protocol="http")
    domain = governing(node, line.product.domain, project)
    candidate = facts_of_line(files.product, line, contract, domain.team if domain else "")
    known = [facts for facts in home.facts(line.product) if facts.id.major == line.major]
    grants, policies = home.grants(line.product), home.policies()
    shown = {}
    for id, sample in samples.items():
        table = str(id).partition(".")[0]
        # a file that is not published yet cannot lower what its columns are: both states have to show them
        decisions = [
            decide(request, facts, grants, policies) for facts in (*candidate, *known) if facts.id.table == table
        ]
        if not decisions or not all(decision.allowed and not decision.rows for decision in decisions):
            continue

        def clear(columns: Collection[str], decisions: Collection[Decision] = decisions) -> bool:
            return all(is_clear(decision, column) for decision in decisions for column in columns)

        values = sample["values"] if clear(sample["columns"]) else []
        keys = sample["keys"] if clear(sample["keyColumns"]) else []
        if values or keys:
            shown[id] = {**sample, "values": values, "keys": keys}
    return shown
