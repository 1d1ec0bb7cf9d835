"""A mesh as one person sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from typing import Any

from .answer import Answer
from .cards import Grid
from .errors import HanseError
from .http import Client
from .news import News
from .product import Product

_ID = re.compile(r"(?P<domain>[^/@\s]+)/(?P<name>[^/@\s]+)(?:@(?P<major>[0-9]+))?")


class Mesh:
    """What one node answers to one person. Close it, or use it as a context, when it is done with."""

    def __init__(self, client: Client, *, purpose: str | None = None) -> None:
        self._client = client
        self.purpose = purpose
        # of the task or thread that set it only
        self._as_of: ContextVar[str | None] = ContextVar("hanse_as_of", default=None)

    @property
    def address(self) -> str:
        return self._client.address

    def search(
        self,
        words: str = "",
        *,
        domain: str | None = None,
        status: str | None = None,
        tag: str | None = None,
        owner: str | None = None,
        limit: int = 100,
    ) -> Found:
        """The products that hold these words, best first; without words, every one that you may discover."""
        filters = {"domain": domain, "status": status, "tag": tag, "owner": owner}
        return Found(self, self._client.get("/products", {"q": words or None, **filters, "limit": limit}))

    def product(self, id: str, *, table: str | None = None) -> Product:
        """A product by `domain/name` or `domain/name@major`; `table` names another than its main table."""
        match = _match(id)
        path = f"/products/{match['domain']}/{match['name']}"
        return Product(self, self._client.get(path, {"major": match["major"]}), table)

    def sql(
        self,
        sql: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        purpose: str | None = None,
        limit: int | None = None,
    ) -> Answer:
        """A question in SQL over products (`sales.orders`, `sales.orders_v1.lines`); read when a form is asked for."""
        body = {
            "parameters": _plain(parameters),
            "purpose": purpose or self.purpose,
            "limit": limit,
            "as_of": self._as_of.get(),
        }
        return Answer(self._client, sql, body)

    @contextmanager
    def as_of(self, moment: str | date | datetime) -> Iterator[Mesh]:
        """Inside, tables are read as they were published at `moment`, under today's policies.

        A date means its beginning in UTC. SQL that says AT for itself keeps its own word.
        """
        set_before = self._as_of.set(moment if isinstance(moment, str) else moment.isoformat())
        try:
            yield self
        finally:
            self._as_of.reset(set_before)

    def request_access(
        self,
        product: str,
        *,
        why: str,
        until: str | date,
        to: str | None = None,
        purpose: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> Requested:
        """Ask the owner of `product` for access, for yourself or for `to` (`team:…`, `domain/product`)."""
        body = {
            "product": product,
            "why": why,
            "until": until if isinstance(until, str) else until.isoformat(),
            "to": to,
            "purpose": purpose or self.purpose,
            "columns": list(columns) if columns is not None else None,
        }
        told = self._client.post("/access/requests", {name: value for name, value in body.items() if value is not None})
        return Requested(told)

    def follow(self, product: str) -> None:
        """Be told of a product's news: versions, deprecations, breaking changes, failed runs, missed service levels."""
        self._client.post(f"/products/{_path(product)}/follow")

    def unfollow(self, product: str) -> None:
        """Be told of a product's news no longer."""
        self._client.post(f"/products/{_path(product)}/unfollow")

    def events(
        self, *, following: bool = False, product: str | None = None, after: str | None = None, limit: int = 100
    ) -> News:
        """What happened, in order: the newest, or what came after the cursor `after` of an earlier answer."""
        asked = {"following": "true" if following else None, "product": product, "after": after, "limit": limit}
        return News(self._client.get("/events", {**asked, "newest": None if after else "true"}))

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def __enter__(self) -> Mesh:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<mesh at {self.address}>"


class Found(Sequence["dict[str, Any]"]):
    """The products that a search found, as a list of mappings that prints as a table."""

    def __init__(self, mesh: Mesh, told: Mapping[str, Any]) -> None:
        self._mesh = mesh
        self._products: list[dict[str, Any]] = list(told.get("products", ()))
        self.total = int(told.get("total", len(self._products)))
        self.nearest: tuple[str, ...] = tuple(told.get("nearest", ()))

    def __len__(self) -> int:
        return len(self._products)

    def __getitem__(self, at: Any) -> Any:
        return self._products[at]

    def _grid(self) -> Grid:
        rows = tuple(
            (one["product"], one["title"], one["status"], one["access"], ", ".join(one.get("columns", ())[:6]))
            for one in self._products
        )
        near = f"nearest spelling: {', '.join(self.nearest)}" if self.nearest else ""
        more = f"{self.total - len(rows)} more" if self.total > len(rows) else ""
        notes = tuple(filter(None, (near, more)))
        heads = ("product", "title", "status", "access", "columns")
        return Grid(heads, rows, notes, empty="no product found", prose=frozenset({"title", "columns"}))

    def __repr__(self) -> str:
        return self._grid().text()

    def _repr_html_(self) -> str:
        return self._grid().html()


class Requested:
    """A request that was filed: its id, and who decides."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.told = told["request"]
        self.id = str(self.told["id"])
        self.decides: tuple[str, ...] = tuple(told.get("decides", ()))

    def __repr__(self) -> str:
        return f"request {self.id} sent to {', '.join(self.decides) or 'the owner'}"


def _match(id: str) -> re.Match[str]:
    match = _ID.fullmatch(id)
    if match is None:
        raise HanseError(
            {
                "kind": "invalid",
                "code": "client.bad-product",
                "detail": f"{id[:140]!r} names no product",
                "mend": "write domain/name, or domain/name@major",
            }
        )
    return match


def _path(id: str) -> str:
    match = _match(id)
    return f"{match['domain']}/{match['name']}"


def _plain(parameters: Mapping[str, Any] | Sequence[Any] | None) -> Any:
    if parameters is None:
        return None
    if isinstance(parameters, Mapping):
        return {name: _word(value) for name, value in parameters.items()}
    return [_word(value) for value in parameters]


def _word(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
