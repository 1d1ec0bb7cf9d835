"""The async twins: the same words, awaited. The work is done in threads, so that the caller's loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from . import answer, mesh, product
from .connection import connect as connect_now

if TYPE_CHECKING:
    import duckdb
    import pandas
    import polars
    import pyarrow as pa

    from .news import News


async def connect(
    address: str | None = None, *, token: str | None = None, purpose: str | None = None, timeout: float = 330.0
) -> Mesh:
    """As `hanse.connect`."""
    return Mesh(await asyncio.to_thread(connect_now, address, token=token, purpose=purpose, timeout=timeout))


class Mesh:
    """As `hanse.Mesh`."""

    def __init__(self, sync: mesh.Mesh) -> None:
        self.sync = sync

    async def search(
        self,
        words: str = "",
        *,
        domain: str | None = None,
        status: str | None = None,
        tag: str | None = None,
        owner: str | None = None,
        limit: int = 100,
    ) -> mesh.Found:
        """As `hanse.Mesh.search`."""
        return await asyncio.to_thread(
            self.sync.search, words, domain=domain, status=status, tag=tag, owner=owner, limit=limit
        )

    async def product(self, id: str, *, table: str | None = None) -> Product:
        """As `hanse.Mesh.product`."""
        return Product(await asyncio.to_thread(self.sync.product, id, table=table))

    def sql(
        self,
        sql: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        purpose: str | None = None,
        limit: int | None = None,
    ) -> Answer:
        """As `hanse.Mesh.sql`; nothing is read until a form is awaited."""
        return Answer(self.sync.sql(sql, parameters, purpose=purpose, limit=limit))

    def as_of(self, moment: str | date | datetime) -> AbstractContextManager[mesh.Mesh]:
        """As `hanse.Mesh.as_of`, for this task."""
        return self.sync.as_of(moment)

    async def request_access(self, product: str, *, why: str, until: str | date, **more: Any) -> mesh.Requested:
        """As `hanse.Mesh.request_access`."""
        return await asyncio.to_thread(self.sync.request_access, product, why=why, until=until, **more)

    async def follow(self, product: str) -> None:
        """As `hanse.Mesh.follow`."""
        await asyncio.to_thread(self.sync.follow, product)

    async def unfollow(self, product: str) -> None:
        """As `hanse.Mesh.unfollow`."""
        await asyncio.to_thread(self.sync.unfollow, product)

    async def events(
        self, *, following: bool = False, product: str | None = None, after: str | None = None, limit: int = 100
    ) -> News:
        """As `hanse.Mesh.events`."""
        return await asyncio.to_thread(self.sync.events, following=following, product=product, after=after, limit=limit)

    async def close(self) -> None:
        """Let go of the connections."""
        await asyncio.to_thread(self.sync.close)

    async def __aenter__(self) -> Mesh:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Answer:
    """As `hanse.Answer`; what a node says of it is awaited by `told`."""

    def __init__(self, sync: answer.Answer) -> None:
        self.sync = sync

    async def arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        return await asyncio.to_thread(self.sync.arrow)

    async def pandas(self) -> pandas.DataFrame:
        """All rows as a pandas frame."""
        return await asyncio.to_thread(self.sync.pandas)

    async def polars(self) -> polars.DataFrame:
        """All rows as a polars frame."""
        return await asyncio.to_thread(self.sync.polars)

    async def duckdb(self) -> duckdb.DuckDBPyRelation:
        """All rows as a relation of DuckDB's default connection in this process."""
        # a connection of DuckDB belongs to the thread that uses it
        return answer.relation(await asyncio.to_thread(self.sync.arrow))

    async def batches(self) -> AsyncIterator[pa.RecordBatch]:
        """All rows in Arrow record batches as they come, in bounded memory."""
        batches = self.sync.batches()
        try:
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                yield batch
        finally:
            await asyncio.to_thread(batches.close)

    async def policies(self) -> Mapping[str, Sequence[str]]:
        """The row policies and masks that shape the answer, by table."""
        return await asyncio.to_thread(lambda: self.sync.policies)

    async def plan(self) -> tuple[answer.Step, ...]:
        """Each table of the question: its version, publication, and what the reader gets of it."""
        return await asyncio.to_thread(lambda: self.sync.plan)


class Product:
    """As `hanse.Product`; what is known without reading rows stands in `sync`, and by its own names here."""

    def __init__(self, sync: product.Product) -> None:
        self.sync = sync

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sync, name)

    def read(
        self, columns: Sequence[str] | None = None, *, where: str | None = None, limit: int | None = None
    ) -> Answer:
        """As `hanse.Product.read`."""
        return Answer(self.sync.read(columns, where=where, limit=limit))

    def sample(self, rows: int = 5) -> Answer:
        """A few rows, as you may see them."""
        return self.read(limit=rows)

    async def arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        return await self.read().arrow()

    async def pandas(self) -> pandas.DataFrame:
        """All rows as a pandas frame."""
        return await self.read().pandas()

    async def polars(self) -> polars.DataFrame:
        """All rows as a polars frame."""
        return await self.read().polars()

    async def duckdb(self) -> duckdb.DuckDBPyRelation:
        """All rows as a relation of DuckDB's default connection in this process."""
        return await self.read().duckdb()

    def batches(self) -> AsyncIterator[pa.RecordBatch]:
        """All rows in Arrow record batches as they come, in bounded memory."""
        return self.read().batches()

    async def request_access(self, *, why: str, until: str | date, **more: Any) -> mesh.Requested:
        """As `hanse.Product.request_access`."""
        return await asyncio.to_thread(self.sync.request_access, why=why, until=until, **more)

    async def follow(self) -> None:
        """As `hanse.Product.follow`."""
        await asyncio.to_thread(self.sync.follow)

    async def unfollow(self) -> None:
        """As `hanse.Product.unfollow`."""
        await asyncio.to_thread(self.sync.unfollow)

    def __repr__(self) -> str:
        return repr(self.sync)

    def _repr_html_(self) -> str:
        return self.sync._repr_html_()
