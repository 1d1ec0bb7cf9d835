"""search: find products by words in titles, ids, columns, tags, people and texts; only what may be discovered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hanse.governance.decision import Request
from hanse.names import ProductId, TableId
from hanse.node.catalog import PRODUCT
from hanse.node.finding import others
from hanse.node.finding.hits import Hit, catalogue, hit
from hanse.node.finding.others import FoundPerson, FoundPolicy, Step
from hanse.node.finding.reader import Reader
from hanse.node.finding.texts import members_of, texts, words

if TYPE_CHECKING:
    from hanse.node.node import Node

_MOST_WORDS = 16
_NEAREST = 3  # spellings that are told


@dataclass(frozen=True, slots=True)
class Filters:
    """Which products are wanted at all; what is empty asks for nothing."""

    domain: str = ""
    status: str = ""
    tag: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found: `hits` are the page that was asked for of `total` products, best first.

    People, policies and steps come with the first page. Without any product, `nearest` are the closest spellings.
    """

    hits: tuple[Hit, ...]
    total: int
    nearest: tuple[str, ...] = ()
    people: tuple[FoundPerson, ...] = ()
    policies: tuple[FoundPolicy, ...] = ()
    steps: tuple[Step, ...] = ()


def search(
    node: Node,
    request: Request,
    asked: str,
    filters: Filters = Filters(),
    *,
    start: int = 0,
    limit: int | None = None,
) -> SearchResult:
    """The discoverable products that hold every word, or one that begins so.

    Best first: title, id, columns, tags and terms, text; without words all of them, by name. A column that does not
    exist for the reader finds nothing.
    """
    reader = Reader.of(node, request)
    wanted = words(asked)[:_MOST_WORDS]
    node.index.follow(node.homes)
    ranked = _ranked(reader, wanted) if wanted else dict.fromkeys(reader.products, 0)
    if filters != Filters():
        ranked = {product: rank for product, rank in ranked.items() if _is_wanted(reader, product, filters)}
    own = _catalogued(node, request, wanted, filters)
    if own is not None:
        ranked[PRODUCT] = own
    products = sorted(ranked, key=lambda product: (ranked[product], product.domain, product.name))
    page = products[start:] if limit is None else products[start : start + limit]
    hits = tuple(
        catalogue(node.catalog(request), wanted) if product == PRODUCT else hit(reader, product, wanted)
        for product in page
    )
    if not wanted or start:
        return SearchResult(hits, len(products))
    return SearchResult(
        hits,
        len(products),
        () if products else _nearest(reader, wanted),
        tuple(others.people(reader, wanted)),
        tuple(others.policies(reader, wanted)),
        tuple(others.steps([(one.product, one.may_read, one.access) for one in hits])),
    )


def _catalogued(node: Node, request: Request, wanted: Sequence[str], filters: Filters) -> int | None:
    """The rank of the mesh's catalogue: it is found by its own words, or as the product of its domain."""
    asks = replace(filters, domain="") if filters.domain == PRODUCT.domain else filters
    if asks != Filters() or not (wanted or filters.domain):
        return None
    found = node.catalog.words(node.catalog(request))
    ranks = [min((rank for one in found if (rank := one.rank(word)) is not None), default=None) for word in wanted]
    if None in ranks or not node.names.visible_catalogue(request):
        return None
    return sum(rank for rank in ranks if rank is not None)


def _ranked(reader: Reader, wanted: Sequence[str]) -> dict[ProductId, int]:
    """The rank of each product of which every word is in some table that the reader may know of, lower is better."""
    found: dict[ProductId, int] | None = None
    listed = [
        (domain, reader.node.index.listed(tables), reader.may_hide(domain)) for domain, tables in reader.tables.items()
    ]
    for word in dict.fromkeys(wanted):
        best: dict[ProductId, int] = {}
        ranks = reader.node.index.ranks(word)
        for domain, numbers, hides in listed:
            for number, rank in ranks.get(domain, ()):
                table = numbers.get(number)
                if table is None or best.get(table.product, 9) <= rank:
                    continue
                seen = _seen(reader, table, word, rank) if hides else rank
                if seen is not None and seen < best.get(table.product, 9):
                    best[table.product] = seen
        found = best if found is None else {one: found[one] + rank for one, rank in best.items() if one in found}
    return found or {}


def _seen(reader: Reader, table: TableId, word: str, rank: int) -> int | None:
    """The rank of a word in a table without the columns that do not exist for the reader."""
    home = reader.home(table.product)
    facts = next(one for one in home.facts(table.product) if one.id == table)
    hidden = reader.hidden(facts)
    if not hidden:
        return rank
    published = home.published()[table.product]
    line, found = next((line, one) for line, one, of in reader.lines(published) if of.id == table)
    return texts(published, line, found, home.team.members if home.team is not None else (), hidden).rank(word)


def _is_wanted(reader: Reader, product: ProductId, filters: Filters) -> bool:
    published = reader.home(product).published()[product]
    if filters.domain not in ("", product.domain) or filters.status not in ("", published.status):
        return False
    if filters.owner:
        people: Collection[str] = (published.domain_team, *members_of(published.product))
        if filters.owner.lower() not in {one.lower() for one in people}:
            return False
    if not filters.tag:
        return True
    tags = {tag.lower() for _, _, facts in reader.lines(published) for tag in facts.tags}
    return filters.tag.lower() in tags


def _nearest(reader: Reader, wanted: Sequence[str]) -> tuple[str, ...]:
    """Spellings like those words that find nothing; each finds something for this reader."""
    near: dict[str, None] = {}
    for word in wanted:
        if _ranked(reader, [word]):
            continue
        for other in reader.node.index.near(word):
            if len(near) == _NEAREST:
                break
            if _ranked(reader, [other]):
                near[other] = None
    return tuple(near)
