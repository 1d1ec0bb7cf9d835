"""search: find products by words in names, titles, columns and texts; only what the caller may discover."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hanse.governance.decide import decide
from hanse.governance.decision import Hidden, Request
from hanse.names import ProductId, nearest

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.home.values import Published
    from hanse.node.node import Node

_WORD = re.compile(r"\w+")
_MOST_WORDS = 16


@dataclass(frozen=True, slots=True)
class Hit:
    """A product that was found: `columns` are those whose names hold a word, `rank` is lower the better it fits."""

    product: ProductId
    title: str
    status: str
    access: str
    owner: str
    purpose: str
    published_at: datetime
    columns: tuple[str, ...] = ()
    rank: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "product": str(self.product),
            "title": self.title,
            "status": self.status,
            "access": self.access,
            "owner": self.owner,
            "purpose": self.purpose,
            "published_at": self.published_at.isoformat(),
            "columns": list(self.columns),
        }


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found, best first; without a hit the spellings that are nearest."""

    hits: tuple[Hit, ...]
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A product as it can be found: lowered texts, each with the rank of what it is."""

    hit: Hit
    title: str
    id: str
    columns: tuple[tuple[str, str, str], ...]  # lowered, as written, lowered description
    tags: frozenset[str]
    text: str
    words: frozenset[str]


@dataclass(slots=True)
class _Index:
    generation: int
    entries: dict[ProductId, _Entry] = field(default_factory=dict)


_INDEXES: weakref.WeakKeyDictionary[Home, _Index] = weakref.WeakKeyDictionary()


def search(node: Node, request: Request, words: str) -> SearchResult:
    """The discoverable products that hold every word, best first: title prefix, id, columns, tags, text.

    Without words every discoverable product, by name. Columns are those that `request` may know by their contract.
    """
    asked = [word.lower() for word in _WORD.findall(words)][:_MOST_WORDS]
    known = {facts.product for _, facts in node.names.visible(request)}
    entries = [entry for home in node.homes.values() for id, entry in _index(home).entries.items() if id in known]
    if not asked:
        return SearchResult(tuple(sorted((entry.hit for entry in entries), key=lambda hit: hit.product)))
    hits = sorted(_found(node, request, entries, asked), key=lambda hit: (hit.rank, hit.product))
    near = () if hits else _near(node, request, entries, asked)
    return SearchResult(tuple(hits), near)


def _found(node: Node, request: Request, entries: Iterable[_Entry], asked: Sequence[str]) -> list[Hit]:
    hits = []
    for entry in entries:
        if None in [_rank(entry, word) for word in asked]:
            continue
        if hidden := _hidden(node, request, entry.hit.product):
            entry = replace(entry, columns=tuple(one for one in entry.columns if one[1] not in hidden))
        ranks = [_rank(entry, word) for word in asked]
        if None in ranks:
            continue
        columns = tuple(written for lowered, written, _ in entry.columns if any(word in lowered for word in asked))
        hit = entry.hit
        hits.append(
            Hit(
                hit.product,
                hit.title,
                hit.status,
                hit.access,
                hit.owner,
                hit.purpose,
                hit.published_at,
                columns,
                sum(rank for rank in ranks if rank is not None),
            )
        )
    return hits


def _hidden(node: Node, request: Request, product: ProductId) -> set[str]:
    """The top-level columns that do not exist for this reader in any table of the product."""
    home = node.homes[product.domain]
    grants, policies = home.grants(product), home.policies()
    hidden: set[str] = set()
    shown: set[str] = set()
    for facts in home.facts(product):
        for path, view in decide(request, facts, grants, policies).columns.items():
            (hidden if isinstance(view, Hidden) else shown).add(path[0])
    return hidden - shown


def _rank(entry: _Entry, word: str) -> int | None:
    """How well `word` fits, 0 best; None when the entry does not hold it."""
    if entry.title.startswith(word):
        return 0
    if word in entry.id:
        return 1 if word in entry.id.split("/") else 2
    if any(word in column for column, _, _ in entry.columns):
        return 3
    if any(word in tag for tag in entry.tags):
        return 4
    described = any(word in description for _, _, description in entry.columns)
    return 5 if described or word in entry.title or word in entry.text else None


def _near(node: Node, request: Request, entries: Iterable[_Entry], asked: Sequence[str]) -> tuple[str, ...]:
    known: set[str] = set()
    for entry in entries:
        hidden = {name.lower() for name in _hidden(node, request, entry.hit.product)}
        known |= entry.words | {column for column, _, _ in entry.columns if column not in hidden}
    return tuple(dict.fromkeys(name for word in asked for name in nearest(word, known, 2)))[:3]


def _index(home: Home) -> _Index:
    generation = home.store.generation
    held = _INDEXES.get(home)
    if held is None or held.generation != generation:
        held = _Index(generation, {id: _entry(id, one) for id, one in home.published().items()})
        _INDEXES[home] = held
    return held


def _entry(id: ProductId, published: Published) -> _Entry:
    described = published.product
    purpose = _said(described.description.get("purpose")) if described.description else ""
    columns = tuple(
        dict.fromkeys(
            (column.name.lower(), column.name, column.description.lower())
            for line in published.lines.values()
            for table in line.contract.tables
            for column in table.columns
        )
    )
    tables = [table for line in published.lines.values() for table in line.contract.tables]
    texts = [
        purpose,
        *(_said(value) for value in described.description.values()),
        *(table.description for table in tables),
        *(table.name for table in tables),
        published.domain_team,
    ]
    hit = Hit(
        id,
        described.title,
        published.status,
        described.access.value,
        published.domain_team,
        purpose,
        published.at,
    )
    tags = frozenset(tag.lower() for tag in (*described.tags, *(tag for table in tables for tag in table.tags)))
    title = described.title.lower()
    words = {*_WORD.findall(title), id.domain, id.name, *tags}
    return _Entry(hit, title, str(id), columns, tags, "\n".join(texts).lower(), frozenset(words))


def _said(value: Any) -> str:
    return value if isinstance(value, str) else ""
