"""How a product is, as far as a reader may know: ok, or what is wrong with its data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hanse.engine.rules import wire
from hanse.governance.decision import Clear
from hanse.node.freshness import MISSED, of_report, shown

if TYPE_CHECKING:
    from hanse.node.finding.reader import Reader
    from hanse.node.home.store import Store
    from hanse.node.home.values import Published


@dataclass(frozen=True, slots=True)
class Health:
    """`ok`, `warn` with the reason, or nothing where the reader may not know; since when the data stands."""

    state: str
    because: str
    since: datetime

    def as_json(self) -> dict[str, Any]:
        return {"state": self.state or None, "because": self.because or None, "since": self.since.isoformat()}


def health(reader: Reader, published: Published) -> Health:
    """What may be told of the tables that the reader sees with every row, by rules on columns that they see clear."""
    if published.report is None:
        return Health("", "", published.at)
    store = reader.home(published.product.id).store
    results, levels = _results(store, published.report), of_report(store, published.report)
    told, failing, late = False, 0, ""
    for line, table, facts in reader.lines(published):
        decision = reader.decision(facts)
        if not decision.allowed or decision.rows:
            continue
        told = True
        failing += sum(
            status in ("warn", "fail")
            and (decision.is_clear if column is None else isinstance(decision.columns.get(column), Clear))
            for where, name, column, status in results
            if (where, name) == (str(line), table.name)
        )
        missed = [
            one for one in shown(levels, table.name, str(line), decision) if one.state(reader.request.at) == MISSED
        ]
        late = late or (missed[0].table if missed else "")
    said = [f"{failing} rule{'s' if failing > 1 else ''} fail{'' if failing > 1 else 's'}"] if failing else []
    if late:
        said.append(f"data of {late} is older than promised")
    return Health(("warn" if said else "ok") if told else "", ", ".join(said), published.at)


@lru_cache(maxsize=4096)
def _results(store: Store, report: str) -> tuple[tuple[str, str, tuple[str, ...] | None, str], ...]:
    """Port line, table, column and status of each result of a publication's test; reports never change."""
    whole = store.report(report)
    ids = [] if whole is not None else json.loads(store.blob(report) or b"[]")
    values = [whole] if whole is not None else [found for id in ids if (found := store.report(id)) is not None]
    return tuple(
        (
            str(value.get("line", "")),
            result["table"],
            tuple(result["column"].split(".")) if result["column"] else None,
            result["status"],
        )
        for value in values
        for result in wire.results([value])
    )
