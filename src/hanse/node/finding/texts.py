"""The words of a published table by what they are: title, id, columns, tags and terms, people, text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hanse.governance.decision import ColumnPath
from hanse.names import PortLine
from hanse.node.home.values import Published
from hanse.spec.model import Column, Contract, Product, Table

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MOST = 20_000  # words of one text


def words(text: str) -> list[str]:
    """The words of `text`, folded: lower case, without accents; `arr_delay` and `arrDelay` are two."""
    plain = _CAMEL.sub(" ", text)
    if not plain.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return _WORD.findall(plain.casefold())[:_MOST]


@dataclass(frozen=True, slots=True)
class Texts:
    """What a table can be found by, as folded words parted by blanks; one field for each rank of a match."""

    title: str
    id: str
    columns: str
    tags: str
    people: str
    text: str

    def rank(self, word: str) -> int | None:
        """How well a folded word fits, 0 best; None when no word of the table begins with it."""
        if self.title.startswith(word):
            return 0
        if word in self.id.split():
            return 1
        # people and text rank alike
        fields = ((2, f"{self.title} {self.id}"), (3, self.columns), (4, self.tags), (5, f"{self.people} {self.text}"))
        return next((rank for rank, text in fields if f" {word}" in f" {text}"), None)


def texts(
    published: Published, line: PortLine, table: Table, people: Iterable[str], hidden: Collection[ColumnPath] = ()
) -> Texts:
    """What `table` can be found by, for a reader to whom the columns `hidden` do not exist."""
    product, contract = published.product, published.lines[line].contract
    shown = list(_shown(table.columns, (), hidden))
    raw = _schema(contract, table)
    terms = dict(_column_terms(raw.get("properties"), ()))
    return Texts(
        title=_joined([product.title]),
        id=_joined([product.id.domain, product.id.name, table.name]),
        columns=_joined(column.name for _, column in shown),
        tags=_joined(
            [
                *product.tags, *contract.tags, *table.tags, *_terms(product.raw), *_terms(contract.raw), *_terms(raw),
                *(tag for _, column in shown for tag in column.tags),
                *(term for path, _ in shown for term in terms.get(path, ())),
            ]
        ),
        people=_joined([published.domain_team, *people, *members_of(product)]),
        text=_joined(
            [
                *_said(product.description), *_said(contract.description), table.description, line.port,
                *(column.description for _, column in shown),
            ]
        ),
    )  # fmt: skip


def members_of(product: Product) -> list[str]:
    """The people that a product's own team names."""
    return [str(name) for one in product.owner_members if (name := one.get("username") or one.get("name"))]


def column_matches(table: Table, asked: Collection[str], hidden: Collection[ColumnPath] = ()) -> list[str]:
    """The top-level columns whose names hold a word that begins as one of `asked`, in the contract's order."""
    return [
        column.name
        for column in table.columns
        if (column.name,) not in hidden
        and any(
            own.startswith(word)
            for path, one in _shown([column], (), hidden)
            for own in words(one.name)
            for word in asked
        )
    ]


def _shown(
    columns: Sequence[Column], above: ColumnPath, hidden: Collection[ColumnPath]
) -> Iterator[tuple[ColumnPath, Column]]:
    for column in columns:
        path = (*above, column.name)
        if path not in hidden:
            yield path, column
            yield from _shown(column.children, path, hidden)


def _schema(contract: Contract, table: Table) -> Mapping[str, Any]:
    """The table's own part of the document."""
    written = contract.raw.get("schema")
    number = next((i for i, one in enumerate(contract.tables) if one is table or one.name == table.name), None)
    if not isinstance(written, list) or number is None or number >= len(written):
        return {}
    found = written[number]
    return found if isinstance(found, Mapping) else {}


def _column_terms(properties: Any, above: ColumnPath) -> Iterator[tuple[ColumnPath, list[str]]]:
    for one in properties if isinstance(properties, list) else ():
        if isinstance(one, Mapping):
            path = (*above, str(one.get("name", "[]")))
            yield path, _terms(one)
            yield from _column_terms(one.get("properties"), path)


def _terms(written: Mapping[str, Any]) -> list[str]:
    """What it is called in business: `businessName`, and the definitions that it refers to."""
    found = [str(written["businessName"])] if written.get("businessName") else []
    listed = written.get("authoritativeDefinitions")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Mapping):
            found += [str(one[word]) for word in ("url", "description") if one.get(word)]
    return found


def _said(description: Mapping[str, Any] | None) -> list[str]:
    return [value for value in (description or {}).values() if isinstance(value, str)]


def _joined(parts: Iterable[str]) -> str:
    return " ".join(word for part in parts for word in words(part))
