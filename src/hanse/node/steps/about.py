"""What hanse itself answers about tables: SHOW, DESCRIBE and EXPLAIN, from contracts and decisions alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hanse.engine.answer import Answer, whole
from hanse.engine.relations.policy import is_clear, visible
from hanse.governance.decision import Masked, Request
from hanse.governance.view_words import view_words
from hanse.node.names import Found, Names, address_of


def tables_of(names: Names, request: Request, what: str) -> Answer:
    """SHOW TABLES, SHOW DATABASES: the tables (or their domains) that `request` may know of."""
    seen = names.visible(request, catalogued=True)
    if what == "domains":
        return _answer([("domain", sorted({facts.product.domain for _, facts in seen}))])
    rows = [(facts, address_of(facts, home.published()[facts.product])) for home, facts in seen]
    return _answer(
        [
            ("address", [address for _, address in rows]),
            ("product", [str(facts.product) for facts, _ in rows]),
            ("major", [facts.id.major for facts, _ in rows]),
            ("table", [facts.id.table for facts, _ in rows]),
            ("status", [facts.status for facts, _ in rows]),
            ("access", [facts.access for facts, _ in rows]),
        ]
    )


def columns_of(found: Found) -> Answer:
    """DESCRIBE: the columns that the contract promises and the decision shows."""
    line = next(t for t in found.publication.lines[found.line].contract.tables if t.name == found.table.table)
    shown = visible(found.given)
    promised = {column.name: column for column in line.columns}
    keys = line.primary_key
    masked = [_words(found, column.name) for column in shown]
    return _answer(
        [
            ("column_name", [column.name for column in shown]),
            ("column_type", [column.type.sql for column in shown]),
            ("required", [column.name in promised and promised[column.name].required for column in shown]),
            ("key", ["primary" if column.name in keys else None for column in shown]),
            ("classification", [_classification(found, column.name) for column in shown]),
            ("shown", masked),
            ("description", [promised[c.name].description if c.name in promised else "" for c in shown]),
        ]
    )


def explained(found: Sequence[Found]) -> Answer:
    """EXPLAIN: for each table its publication, relation and rules; never a plan of the engine."""
    inputs = [one.given for one in found]
    return _answer(
        [
            ("table", [one.reference.text for one in found]),
            ("product", [str(one.table.product) for one in found]),
            ("version", [one.version for one in found]),
            ("publication", [one.publication.sequence for one in found]),
            ("relation", ["clear" if is_clear(given) else "policy applied" for given in inputs]),
            ("rows", [", ".join(_short(rule.name) for rule in one.decision.rows) or "all" for one in found]),
            ("columns", [", ".join(column.name for column in visible(given)) for given in inputs]),
            ("masks", ["; ".join(_masks(one)) or "none" for one in found]),
            ("because", [one.decision.because for one in found]),
        ]
    )


def _masks(found: Found) -> list[str]:
    shown = {column.name for column in visible(found.given)}
    return [
        f"{'.'.join(path)}: {_short(view_words(view))}"
        for path, view in found.decision.columns.items()
        if isinstance(view, Masked) and path[0] in shown
    ]


def _words(found: Found, column: str) -> str:
    views = [
        (path, view) for path, view in found.decision.columns.items() if path[0] == column and isinstance(view, Masked)
    ]
    return (
        "; ".join(
            _short(view_words(view)) if len(path) == 1 else f"{'.'.join(path[1:])}: {_short(view_words(view))}"
            for path, view in views
        )
        or "clear"
    )


def _classification(found: Found, column: str) -> str | None:
    return next((facts.classification for facts in found.facts.columns if facts.path == (column,)), None)


def _short(rule: str) -> str:
    """A rule by its name; where it stands is for its owner."""
    return rule.partition(" (")[0]


def _answer(columns: Sequence[tuple[str, Sequence[Any]]]) -> Answer:
    import pyarrow as pa

    types = {"major": pa.int64(), "publication": pa.int64(), "required": pa.bool_()}
    arrays = [pa.array(values, types.get(name, pa.string())) for name, values in columns]
    return whole(pa.table(arrays, names=[name for name, _ in columns]))
