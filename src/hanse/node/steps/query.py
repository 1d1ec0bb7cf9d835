"""query: gate, decide, enforce, record. Every protocol's question in SQL comes through here."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hanse.engine.answer import Answer
from hanse.engine.errors import NotAllowed
from hanse.engine.gate import Gated
from hanse.engine.parameters import Parameters
from hanse.engine.relations.policy import visible
from hanse.governance.decision import Action, Masked, Request, TableFacts
from hanse.names import ProductId
from hanse.node import catalog
from hanse.node.facts import ending
from hanse.node.freshness import of_report, shown
from hanse.node.names import Found, Home, Names, NoAccess, Publication, Stages
from hanse.node.permission import allowed
from hanse.node.stages import staged as waits
from hanse.node.steps.about import columns_of, explained, tables_of

if TYPE_CHECKING:
    from hanse.node.home.home import Home as RealHome
    from hanse.node.node import Node


async def query(
    node: Node,
    request: Request,
    sql: str,
    *,
    parameters: Parameters | None = None,
    limit: int | None = None,
    explain: bool = False,
    staged: bool = False,
    as_of: datetime | None = None,
) -> Answer:
    """Answer one question with what `request` may see, and nothing else.

    `as_of` holds for every table that the statement reads without an AT of its own, under today's policies.

    Raises the query errors of `hanse.engine.errors` and `hanse.node.names`. The answer's `facts` tell `id`,
    `publications`, `policies` and `deprecations`; an entry of the audit is durable before it is handed out.
    """
    names: Names = node.names
    gated = await node.engine.gate(sql, parameters)
    if gated.kind == "show":
        return tables_of(names, request, gated.show)
    reader = node.reads.begin()  # before any name is resolved: what it then finds stays until the answer has ended
    try:
        answer = await _answered(node, names, request, gated, parameters, limit, explain, staged, as_of)
    except BaseException:
        node.reads.end(reader)
        raise

    async def ended(_: BaseException | None) -> None:
        node.reads.end(reader)

    if answer.is_whole:
        node.reads.end(reader)
    else:
        answer.at_end(ended)
    return answer


async def _answered(
    node: Node,
    names: Names,
    request: Request,
    gated: Gated,
    parameters: Parameters | None,
    limit: int | None,
    explain: bool,
    staged: bool,
    as_of: datetime | None,
) -> Answer:
    found = await _found(node, names, request, gated, staged=staged, as_of=as_of)
    if explain or gated.kind == "explain":
        return explained(found)
    if gated.kind == "describe" and gated.subject is not None:
        return columns_of(found[0])
    return await _answer(node, request, gated, found, parameters, limit)


async def _found(
    node: Node, names: Names, request: Request, gated: Gated, *, staged: bool, as_of: datetime | None
) -> list[Found]:
    """Every table of the statement, decided; a refusal is recorded where the product lives."""
    found: list[Found] = []
    for reference in gated.references:
        if as_of is not None and reference.version is None and reference.timestamp is None:
            reference = replace(reference, timestamp=as_of)
        if reference.parts[0] == catalog.DOMAIN and names.catalog is not None:
            await asyncio.to_thread(node.catalog.prepare, request, reference.parts[-1])
        try:
            one = names.found(reference, request, _stages(node, request) if staged else None)
        except NoAccess as refusal:
            await _refused(node, request, refusal)
            raise
        found.append(one)
    return found


def _stages(node: Node, request: Request) -> Stages:
    """What waits in the homes of this node, for those who may publish it."""

    def stages(domain: str, product: ProductId) -> tuple[Publication, Collection[TableFacts]] | None:
        waiting = waits(node.homes[domain], product)
        if waiting is None or not allowed(node, node.homes[domain], request.principal, Action.PUBLISH, product)[0]:
            return None
        return waiting, waiting.facts

    return stages


async def _answer(
    node: Node,
    request: Request,
    gated: Gated,
    found: Sequence[Found],
    parameters: Parameters | None,
    limit: int | None,
) -> Answer:
    if limit is not None and limit < 0:
        raise NotAllowed("a limit is a number of rows", mend="give a limit of 0 or more")
    limits = replace(node.engine.settings.limits, rows=limit)
    inputs = [one.given for one in found]
    record = _Record(node, request, gated, found)
    opening = asyncio.ensure_future(record.open())
    try:
        answer = await node.engine.run(gated, inputs, parameters, limits=limits, caller=request.principal.id)
    except BaseException as error:
        await asyncio.shield(record.close(opening, None, error))
        raise
    answer.at_end(lambda failure: record.close(opening, answer, failure))
    try:
        # no byte leaves before its entry is durable
        await asyncio.shield(opening)
    except BaseException:
        await answer.cancel()
        raise
    answer.facts.update(record.facts)
    if not answer.is_whole:
        answer.guarded(lambda: _still(node, request, found))
    return answer


def _still(node: Node, request: Request, found: Sequence[Found]) -> None:
    """Raise when a grant that an answer rests on ended while it streams."""
    now = replace(request, at=node.clock())
    for one in found:
        node.names.still(one, now)


async def _refused(node: Node, request: Request, refusal: NoAccess) -> None:
    said = {"decision": "refused", "rule": refusal.code, "because": refusal.message}
    for home in _recorders(node, refusal.product.domain):
        entry = await home.audit.opened({**_asked(request), "product": str(refusal.product), **said})
        home.audit.closed(entry, {"outcome": "refused", "rows": 0, "bytes": 0})


def _recorders(node: Node, domain: str) -> list[RealHome]:
    """Where a question on data of a domain is recorded: in its home; on the catalogue, in all homes of the node."""
    if domain == catalog.DOMAIN:
        return list(node.homes.values())
    home = node.find(domain)
    return [] if home is None else [home]


def _asked(request: Request) -> dict[str, Any]:
    behalf = request.on_behalf_of
    return {
        "act": "query",
        "at": request.at.isoformat(),
        "principal": request.principal.id,
        "teams": sorted(request.principal.teams),
        "on_behalf_of": behalf.id if behalf else None,
        "purpose": request.purpose,
        "protocol": request.protocol,
    }


class _Record:
    """The entries of one question: one in the home of each domain that it reads."""

    def __init__(self, node: Node, request: Request, gated: Gated, found: Sequence[Found]) -> None:
        self._node, self._request, self._gated, self._found = node, request, gated, found
        self._since = node.clock()
        self._entries: list[tuple[Any, Any]] = []
        self.id = f"q-{secrets.token_hex(8)}"
        self.facts: dict[str, Any] = {"id": self.id}
        if found:
            self.facts["publications"] = {str(one.table): one.publication.sequence for one in found}
            if shaped := _shaped(found):
                self.facts["policies"] = shaped
            if masked := _masked(found):
                self.facts["masked"] = masked
            if fresh := _freshness(node, found, request.at):
                self.facts["freshness"] = fresh
            told = {str(f.table): ending(f.facts.status, f.publication.lines[f.line].contract) for f in found}
            if old := {table: said for table, said in told.items() if said is not None}:
                self.facts["deprecations"] = old

    async def open(self) -> None:
        """Write the *opened* entries; returns when they are durable."""
        homes: dict[str, list[Found]] = {}
        for one in self._found:
            for home in _recorders(self._node, one.home.domain):
                homes.setdefault(home.domain, []).append(one)
        opened = [self._opened(self._node.homes[domain], tables) for domain, tables in homes.items()]
        self._entries += await asyncio.gather(*opened)

    async def _opened(self, home: RealHome, tables: Sequence[Found]) -> tuple[RealHome, Any]:
        entry = {
            **_asked(self._request),
            "purpose": _purpose(self._request, home, tables),
            "query": self.id,
            "decision": "allowed",
            "tables": [_table(self._gated, one) for one in tables],
        }
        return home, await home.audit.opened(entry)

    async def close(self, opening: asyncio.Future[None], answer: Answer | None, failure: BaseException | None) -> None:
        """Write the *closed* entries: outcome, rows, bytes, what it cost."""
        await asyncio.wait([opening])
        if not opening.cancelled():
            opening.exception()  # it was raised to whoever asked
        took = (self._node.clock() - self._since).total_seconds()
        outcome = "answered" if failure is None else getattr(failure, "code", "cancelled")
        for home, entry in self._entries:
            home.audit.closed(
                entry,
                {
                    "outcome": outcome,
                    "rows": answer.rows if answer else 0,
                    "bytes": answer.bytes_out if answer else 0,
                    "cpu_seconds": round(answer.cpu_seconds, 6) if answer else 0.0,
                    "seconds": round(took, 6),
                    "relations": answer.relations if answer else {},
                },
            )


def _freshness(node: Node, found: Sequence[Found], now: datetime) -> dict[str, Any]:
    """How old the data of these tables is, where their contracts promise an age of a column that the reader sees."""
    told = {}
    for one in found:
        report = getattr(one.publication, "report", None)
        levels = of_report(node.homes[one.home.domain].store, report) if report else ()
        for level in shown(levels, one.table.table, str(one.line), one.decision):
            said = level.as_json(now)
            told[str(one.table)] = {name: said[name] for name in ("newest", "age_seconds", "goal_seconds", "state")}
    return told


def _purpose(request: Request, home: Home, tables: Sequence[Found]) -> str | None:
    """The purpose as stated or, unstated, that of the grants the answer rests on when they name one (design §4)."""
    if request.purpose is not None:
        return request.purpose
    named = {
        purpose
        for one in tables
        for grant in home.grants(one.table.product)
        if grant.id in one.decision.grants
        for purpose in grant.purposes
    }
    return next(iter(named)) if len(named) == 1 else None


def _table(gated: Gated, one: Found) -> dict[str, Any]:
    """What an entry says of a table: which state of it, which columns, under which rules."""
    shown = [column.name for column in visible(one.given)]
    words = gated.identifiers
    return {
        "table": str(one.table),
        "called": one.reference.text,
        "version": one.version,
        "publication": one.publication.sequence,
        "snapshot": one.snapshot.snapshot_id,
        "scanned": sum(file.size for file in one.snapshot.files),
        "columns": [name for name in shown if words is None or name.lower() in words],
        "rules": _rules(one),
        "because": one.decision.because,
        "grants": sorted(one.decision.grants),
    }


def _rules(one: Found) -> list[str]:
    """The row policies and masks that shape a table for its reader."""
    masks = {view.rule for view in one.decision.columns.values() if isinstance(view, Masked)}
    return [*(rule.name for rule in one.decision.rows), *sorted(masks)]


def _masked(found: Sequence[Found]) -> list[str]:
    """The names of the columns of these tables that their reader sees through a mask, or whose fields are."""
    views = (view for one in found for view in one.decision.columns.items())
    return sorted({path[0] for path, view in views if isinstance(view, Masked)})


def _shaped(found: Sequence[Found]) -> Mapping[str, list[str]]:
    return {str(one.table): rules for one in found if (rules := _rules(one))}
