"""The audit of a build: what a product read of others, opened before the first row and closed with its outcome."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hanse.engine.relations.inputs import Input
from hanse.engine.relations.policy import visible
from hanse.governance.decision import Masked
from hanse.names import TableId

if TYPE_CHECKING:
    from hanse.node.node import Node


@dataclass(slots=True)
class Outcome:
    """What a build made of what it read; the closing entry tells it."""

    rows: int = 0


@contextmanager
def recorded(
    node: Node, table: TableId, given: Iterable[tuple[Input, frozenset[str] | None]], purpose: str | None = None
) -> Iterator[Outcome]:
    """Record that `table`'s product reads `given` (each with the lowered column names it uses, None for all).

    One entry in the home of each domain that is read, durable when the body begins.
    """
    outcome, id_, since = Outcome(), f"b-{secrets.token_hex(8)}", node.clock()
    homes: dict[str, list[dict[str, Any]]] = {}
    for one, words in given:
        homes.setdefault(one.facts.product.domain, []).append(_read(one, words))
    entries = []
    principal = node.product_principal(table.product)
    for domain, tables in sorted(homes.items()):
        home = node.homes[domain]
        entry = {
            "act": "build",
            "at": since.isoformat(),
            "principal": principal.id,
            "teams": sorted(principal.teams),
            "on_behalf_of": None,
            "purpose": purpose,
            "protocol": "build",
            "query": id_,
            "makes": str(table),
            "decision": "allowed",
            "tables": tables,
        }
        entries.append((home, home.audit.open_sync(entry)))
    said = "cancelled"
    try:
        yield outcome
        said = "answered"
    except Exception as error:
        said = str(getattr(error, "code", "hanse.failed"))
        raise
    finally:
        took = (node.clock() - since).total_seconds()
        for home, opened in entries:
            home.audit.closed(opened, {"outcome": said, "rows": outcome.rows, "bytes": 0, "seconds": round(took, 6)})


def _read(one: Input, words: frozenset[str] | None) -> dict[str, Any]:
    masks = {view.rule for view in one.decision.columns.values() if isinstance(view, Masked)}
    return {
        "table": str(one.facts.id),
        "called": ".".join(one.name),
        "version": one.facts.version,
        "snapshot": one.snapshot.snapshot_id,
        "scanned": sum(file.size for file in one.snapshot.files),
        "columns": [column.name for column in visible(one) if words is None or column.name.lower() in words],
        "rules": [*(rule.name for rule in one.decision.rows), *sorted(masks)],
        "because": one.decision.because,
        "grants": sorted(one.decision.grants),
    }
