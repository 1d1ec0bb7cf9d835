"""For each table the cheapest relation: clear files, a governed copy, or the trusted reader's stream."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hanse.engine.errors import TooLarge
from hanse.engine.gate import Comparison, Gated
from hanse.engine.relations.copies import HANDED, Copies
from hanse.engine.relations.inputs import Input, SourceInput
from hanse.engine.relations.policy import early, identity, is_clear, policy_select, visible
from hanse.engine.settings import EngineSettings
from hanse.engine.storage.scan import scan_sql
from hanse.names import literal, quote


@dataclass(frozen=True, slots=True)
class Relation:
    """What a worker is told: the name, the SQL of its view, the files it may open, and its part of the key."""

    called: tuple[str, ...]
    kind: str  # clear | copy | reader | source
    sql: str
    files: tuple[str, ...]
    key: tuple[Any, ...]
    stream: str | None = None
    copy: Path | None = None
    behind: tuple[Input, Path] | None = None  # the copy to make when the question has ended

    def as_request(self) -> dict[str, Any]:
        return {"called": list(self.called), "sql": self.sql, "stream": self.stream}


@dataclass(slots=True)
class _Plan:
    """What does not change for one input: its clear relation, or where its copy lies."""

    given: Input
    clear: Relation | None
    copy: Path | None
    size: int = 0
    ready: Relation | None = None

    def copied(self, path: Path) -> Relation:
        """The relation over the copy at `path`."""
        if self.ready is None:
            given = self.given
            columns = ", ".join(quote(column.name) for column in visible(given)) or "1 AS nothing"
            sql = _sampled(f"SELECT {columns} FROM read_parquet([{literal(str(path))}])", given.sample)
            key = ("copy", given.name, str(path), given.sample)
            self.ready = Relation(given.name, "copy", sql, (str(path),), key, copy=path)
        return self.ready


@dataclass(slots=True)
class Relations:
    """Makes relations; remembers what it worked out for an input, as long as the input lives on."""

    settings: EngineSettings
    copies: Copies
    _plans: dict[int, _Plan] = field(default_factory=dict)
    _behind: set[asyncio.Task[Path]] = field(default_factory=set)

    async def of(self, gated: Gated, inputs: Sequence[Input | SourceInput], *, stream: bool = True) -> list[Relation]:
        """One relation for each input, in order, without `stream` none of the trusted reader's.

        Raises when a policy or a file fails.
        """
        return [
            self._source(given) if isinstance(given, SourceInput) else await self._table(gated, given, stream=stream)
            for given in inputs
        ]

    def _source(self, given: SourceInput) -> Relation:
        files = tuple(str(path) for path in given.files)
        states = tuple((path.stat().st_size, path.stat().st_mtime_ns) for path in given.files)
        key = ("source", given.name, given.scan, files, states, given.sample)
        return Relation((given.name,), "source", _sampled(f"SELECT * FROM {given.scan}", given.sample), files, key)

    def _plan(self, given: Input) -> _Plan:
        plan = self._plans.get(id(given))
        if plan is None or plan.given is not given:
            if len(self._plans) > 8192:
                self._plans.clear()
            plan = self._plans[id(given)] = self._made(given)
        return plan

    def _made(self, given: Input) -> _Plan:
        if is_clear(given):
            shown = visible(given)
            columns = [column.name for column in shown]
            files = tuple(str(given.warehouse / file.path) for file in given.snapshot.files)
            key = ("clear", given.name, identity(given), tuple(columns), files, given.sample)
            # a column that the contract promises and this older snapshot lacks is null
            list_ = ", ".join(f"{column.sql} AS {quote(column.name)}" for column in shown) or "1 AS nothing"
            sql = _sampled(f"SELECT {list_} FROM ({scan_sql(given.snapshot, given.warehouse)})", given.sample)
            return _Plan(given, Relation(given.name, "clear", sql, files, key), None)
        return _Plan(given, None, Copies.path(given), sum(file.size for file in given.snapshot.files))

    async def _table(self, gated: Gated, given: Input, *, stream: bool) -> Relation:
        plan = self._plan(given)
        if plan.clear is not None:
            await self.copies.whole.sure(given)
            return plan.clear
        assert plan.copy is not None
        path = await self.copies.find(plan.copy)
        if path is None:
            await self.copies.whole.sure(given)
        if path is None and stream and given.sample is None and plan.size > self.settings.copy_at_once_bytes:
            relation = await self._streamed(gated, given, plan.copy)
            if relation is not None:
                return relation
        if path is None:
            path = await self.copies.make(given, plan.copy)
        return plan.copied(path)

    async def _streamed(self, gated: Gated, given: Input, copy: Path) -> Relation | None:
        """The first read of a large table: only what the statement needs, while the copy is made behind it."""
        columns, comparisons = needed(gated, given)
        if columns is None and not comparisons and self._plan(given).size > HANDED // 4:
            return None  # all of it would be too much
        path = copy.parent / f".{secrets.token_hex(8)}.arrow"
        select = policy_select(given, columns, comparisons)
        try:
            await self.copies.stream(given, select, path)
        except TooLarge:
            path.unlink(missing_ok=True)
            return None  # too much to hand over: wait for the copy
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        key = ("reader", given.name, str(path))
        return Relation(given.name, "reader", "", (), key, stream=str(path), behind=(given, copy))

    def ended(self, relations: Sequence[Relation]) -> None:
        """Remove what was streamed for one question; only now make the copies, which would have slowed it down."""
        for relation in relations:
            if relation.stream:
                Path(relation.stream).unlink(missing_ok=True)
            if relation.behind:
                self._make_behind(*relation.behind)

    def _make_behind(self, given: Input, copy: Path) -> None:
        async def make() -> Path:
            with contextlib.suppress(Exception):  # whoever needs the copy is told then
                await self.copies.make(given, copy)
            return copy

        task = asyncio.create_task(make())
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def close(self) -> None:
        """Stop what is being made behind."""
        for task in tuple(self._behind):
            task.cancel()
        await asyncio.gather(*self._behind, return_exceptions=True)


def _sampled(sql: str, percent: float | None) -> str:
    # seeded, so that equal questions give equal answers
    return sql if percent is None else f"SELECT * FROM ({sql}) USING SAMPLE {percent:g} PERCENT (bernoulli, 42)"


def needed(gated: Gated, given: Input) -> tuple[list[str] | None, list[Comparison]]:
    """The columns of `given` that the statement may touch (None: all), and the conjuncts that may run early."""
    shown = visible(given)
    columns: list[str] | None = None
    if gated.identifiers is not None:
        aliases = {given.name[-1], *(scan.alias for scan in gated.named if scan.called == given.name)}
        named = [column.name for column in shown if column.name.lower() in gated.identifiers]
        # `SELECT o FROM sales.orders o` is the whole row
        whole = any(names[-1].lower() in aliases for names, _ in gated.columns)
        if not whole and not _other_alias(gated, given):
            columns = named
    return columns, _own(gated, given)


def _other_alias(gated: Gated, given: Input) -> bool:
    """Whether the table may have an alias that the gate did not tell: then every column counts."""
    return all(scan.called != given.name for scan in gated.named)


def _own(gated: Gated, given: Input) -> list[Comparison]:
    mine = [scan for scan in gated.scans if scan.called == given.name]
    if len(mine) != 1:
        return []
    alone = len(gated.references) == 1
    alias = mine[0].alias
    return [
        comparison
        for comparison in gated.comparisons
        if (comparison.table == alias or (comparison.table is None and alone)) and early(given, comparison)
    ]
