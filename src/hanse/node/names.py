"""SQL names against the homes of a node: which table, at which publication, and what a request may see of it."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol, runtime_checkable

from hanse.engine.errors import PolicyFailed, UnknownTable
from hanse.engine.gate import Reference
from hanse.engine.relations.inputs import Input
from hanse.engine.snapshot import LineSnapshot, TableSnapshot
from hanse.errors import HanseError, Kind, code
from hanse.governance.decide import decide, discoverable, fingerprint
from hanse.governance.decision import Decision, Grant, Request, TableFacts
from hanse.governance.policies import Policies
from hanse.names import PortLine, ProductId, TableId, Version
from hanse.spec.model import Contract

_MISTYPED = 0.8  # how alike two names are that differ by a slip of the finger
_REMEMBERED = 500_000  # ids of tables that may be known of, over all who asked
_PINNED = re.compile(r"(?P<product>.+)_v(?P<major>0|[1-9][0-9]*)\Z", re.ASCII)


class NoAccess(HanseError):
    kind = Kind.DENIED
    code = code(
        "access.refused",
        Kind.DENIED,
        "You may not read a product that you may know of",
        "Reading needs a grant, an open product, or a permit of the owner's policies.",
        "Ask for access: hanse access request PRODUCT --purpose P --why …",
    )

    def __init__(self, product: ProductId, decision: Decision) -> None:
        mend = decision.mend or f'hanse access request {product} --purpose … --why "…"'
        super().__init__(f"{product}: you may not read it: {decision.because}", mend=mend)
        self.product = product
        if decision.code:
            self.code = decision.code  # type: ignore[misc]  # the decision's own word: access.no-grant, access.ended …


class AccessChanged(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "access.changed",
        Kind.CONFLICT,
        "Access changed while an answer was read",
        "A change of grants or policies holds from the next batch of every answer that is still being read.",
        "Ask again; the new answer follows the new rules.",
    )


class UnknownPublication(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "query.unknown-publication",
        Kind.NOT_FOUND,
        "There is no such publication of the table",
        "AT names a publication by its number or a moment; the table must have been published then.",
        "Leave AT out to read the current one; hanse show PRODUCT lists the publications.",
    )


class Line(Protocol):
    """A port line as published."""

    @property
    def contract(self) -> Contract: ...
    @property
    def version(self) -> Version: ...
    @property
    def snapshot(self) -> LineSnapshot: ...


class Publication(Protocol):
    """A publication of a product."""

    @property
    def lines(self) -> Mapping[PortLine, Line]: ...
    @property
    def default_major(self) -> int: ...
    @property
    def main(self) -> Mapping[int, str]: ...
    @property
    def sequence(self) -> int: ...


class Home(Protocol):
    """What is asked of a domain's home."""

    @property
    def domain(self) -> str: ...
    @property
    def warehouse(self) -> Path: ...
    @property
    def copies(self) -> Path: ...
    @property
    def mask_key(self) -> bytes: ...
    def published(self) -> Mapping[ProductId, Publication]: ...
    def at_sequence(self, product: ProductId, sequence: int) -> Publication | None: ...
    def at_time(self, product: ProductId, at: datetime) -> Publication | None: ...
    def grants(self, product: ProductId) -> Collection[Grant]: ...
    def grants_to(self, whom: str) -> Collection[Grant]: ...
    def policies(self) -> Policies: ...
    def facts(self, product: ProductId) -> Collection[TableFacts]: ...


@runtime_checkable
class Catalogued(Home, Protocol):
    """The home of the catalogue, as one reader sees it."""

    def shows_less(self, request: Request) -> bool: ...


Stages = Callable[[str, ProductId], "tuple[Publication, Collection[TableFacts]] | None"]


@dataclass(frozen=True, slots=True)
class Found:
    """A reference, resolved and decided: it may be read."""

    reference: Reference
    home: Home
    facts: TableFacts
    publication: Publication
    line: PortLine
    version: str
    given: Input

    @property
    def decision(self) -> Decision:
        return self.given.decision

    @property
    def snapshot(self) -> TableSnapshot:
        return self.given.snapshot

    @property
    def table(self) -> TableId:
        return self.facts.id


@dataclass(slots=True)
class Names:
    """Resolves names for requests. Equal questions give the very same `Input`, so that the engine knows it again."""

    homes: Mapping[str, Home]
    catalog: Callable[[Request], Catalogued] | None = None
    catalogued: str = "mesh"
    _inputs: OrderedDict[tuple[object, ...], Input] = field(default_factory=OrderedDict)
    _known: OrderedDict[tuple[object, ...], tuple[object, frozenset[TableId]]] = field(default_factory=OrderedDict)
    _owners: dict[str, tuple[object, tuple[str, ...]]] = field(default_factory=dict)
    _remembering: threading.Lock = field(default_factory=threading.Lock)

    def found(self, reference: Reference, request: Request, stages: Stages | None = None) -> Found:
        """The table that `reference` names, if `request` may read it; with `stages`, what waits for publication.

        Raises `UnknownTable` (the same for a name that does not exist and one that may not be discovered),
        `NoAccess`, or `UnknownPublication`.
        """
        at = self._at(reference.parts, request, stages)
        decision = None if at is None else self._decided(at, request)
        if at is None or decision is None or not (decision.discoverable or decision.allowed):
            raise UnknownTable(reference.text, self._near(reference, request))
        home, facts, publication = at
        if not decision.allowed:
            raise NoAccess(facts.product, decision)
        if reference.version is not None or reference.timestamp is not None:
            publication = self._then(home, facts.product, reference)
        stored = _stored(publication, facts.id)
        if stored is None:
            raise UnknownPublication(
                f"{reference.text} was not part of publication {publication.sequence}",
                mend=f"hanse show {facts.product} lists the publications",
            )
        line, published, snapshot = stored
        given = self._input(reference.called, home, facts, snapshot, decision)
        return Found(reference, home, facts, publication, line, str(published.version), given)

    def still(self, found: Found, request: Request) -> None:
        """Raise `NoAccess` unless `request` may still see of `found` what it saw; `request.at` is now."""
        grants, policies = found.home.grants(found.table.product), found.home.policies()
        decision = decide(request, found.facts, grants, policies)
        if not decision.allowed:
            raise NoAccess(found.table.product, decision)
        shown = found.home
        if isinstance(shown, Catalogued) and shown.shows_less(request):
            raise AccessChanged("what you may know of the mesh changed while it was read", mend="ask again")
        if decision is not found.decision and fingerprint(decision) != fingerprint(found.decision):
            raise AccessChanged(
                f"what you may see of {found.table.product} changed while it was read", mend="ask again"
            )

    def home(self, domain: str, request: Request | None) -> Home | None:
        """The home of a domain; that of the mesh's catalogue is as `request` may see it."""
        if domain == self.catalogued and self.catalog is not None and request is not None:
            return self.catalog(request)
        return self.homes.get(domain)

    def _at(
        self, parts: tuple[str, ...], request: Request | None, stages: Stages | None = None
    ) -> tuple[Home, TableFacts, Publication] | None:
        if len(parts) not in (2, 3):
            return None
        home = self.home(parts[0], request)
        if home is None:
            return None
        pinned = _PINNED.fullmatch(parts[1])
        product = ProductId(parts[0], pinned["product"] if pinned else parts[1])
        waiting = stages(home.domain, product) if stages is not None and home.domain in self.homes else None
        publication, tables = waiting or (home.published().get(product), None)
        if publication is None:
            return None
        major = int(pinned["major"]) if pinned else publication.default_major
        table = parts[2] if len(parts) == 3 else publication.main.get(major)
        tables = home.facts(product) if tables is None else tables
        facts = next((f for f in tables if f.id.major == major and f.id.table == table), None)
        return None if facts is None else (home, facts, publication)

    def _decided(self, at: tuple[Home, TableFacts, Publication], request: Request) -> Decision:
        home, facts, _ = at
        return decide(request, facts, home.grants(facts.product), home.policies())

    @staticmethod
    def _then(home: Home, product: ProductId, reference: Reference) -> Publication:
        if reference.version is not None:
            found, what = home.at_sequence(product, reference.version), f"publication {reference.version}"
        else:
            assert reference.timestamp is not None
            found, what = home.at_time(product, reference.timestamp), f"publication at {reference.timestamp}"
        if found is None:
            raise UnknownPublication(
                f"there is no {what} of {product}", mend=f"hanse show {product} lists the publications"
            )
        return found

    def _input(
        self, called: tuple[str, ...], home: Home, facts: TableFacts, snapshot: TableSnapshot, decision: Decision
    ) -> Input:
        reads = _reads(decision)
        raw = {name: self._raw(home, facts, name) for name in reads}
        states = tuple((name, raw[name].snapshot.snapshot_id) for name in sorted(raw))
        key = (called, snapshot.snapshot_id, id(facts), id(decision), states)
        known = self._inputs.get(key)
        if known is not None and known.facts is facts and known.decision is decision and known.snapshot == snapshot:
            self._inputs.move_to_end(key)
            return known
        given = Input(called, facts, snapshot, decision, home.warehouse, home.copies, home.mask_key, raw)
        self._inputs[key] = given
        while len(self._inputs) > 4096:
            self._inputs.popitem(last=False)
        return given

    def _raw(self, home: Home, facts: TableFacts, name: tuple[str, ...]) -> Input:
        """A table that a row policy reads: of the same domain, whole, under the home's own authority."""
        at = self._at(name, None)
        stored = None if at is None or name[0] != home.domain else _stored(at[2], at[1].id)
        if at is None or stored is None:
            raise PolicyFailed(str(facts.id))
        _, read, _ = at
        own = Decision(read.id, True, True, "", "read by a row policy of its own domain")
        return Input(name, read, stored[2], own, home.warehouse, home.copies, home.mask_key)

    def visible(self, request: Request, *, catalogued: bool = False) -> list[tuple[Home, TableFacts]]:
        """Every published table that `request` may know of, by name; on demand with those of the catalogue."""
        seen: list[tuple[Home, TableFacts]] = []
        for domain, allowed in self.discovered(request).items():
            home = self.homes[domain]
            products = {id.product for id in allowed}
            seen += [(home, facts) for one in products for facts in home.facts(one) if facts.id in allowed]
        if catalogued:
            seen += self.visible_catalogue(request)
        return sorted(seen, key=lambda pair: pair[1].id)

    def visible_catalogue(self, request: Request) -> list[tuple[Home, TableFacts]]:
        """The tables of the mesh's catalogue that `request` may know of."""
        if self.catalog is None:
            return []
        home = self.catalog(request)
        tables = [facts for product in home.published() for facts in home.facts(product)]
        allowed = discoverable(request, tables, home.policies())
        return [(home, facts) for facts in tables if facts.id in allowed]

    def discovered(self, request: Request) -> dict[str, frozenset[TableId]]:
        """The tables that `request` may know of, by domain; remembered for all whom the policies cannot tell apart."""
        return {domain: self._discovered(home, request) for domain, home in self.homes.items()}

    def _discovered(self, home: Home, request: Request) -> frozenset[TableId]:
        published, policies = home.published(), home.policies()
        principal, behalf = request.principal, request.on_behalf_of
        named = (principal.id, *(f"team:{team}" for team in principal.teams))
        grants = (grant for whom in named for grant in home.grants_to(whom) if is_live(grant, request))
        granted = frozenset(grant.product for grant in grants)
        access = policies.access
        context = access.context(request.protocol, request.purpose, request.at)
        owners = self._owners_of(home, published)
        # whom the policies cannot tell apart is the same
        who = tuple(access.asker(one, owner) for one in (principal, behalf) if one is not None for owner in owners)
        key = (home.domain, who, policies, context, granted)
        known = self._known.get(key)
        if known is None or known[0] is not published:
            tables = [facts for product in published for facts in home.facts(product)]
            known = (published, discoverable(request, tables, policies, granted))
            with self._remembering:
                self._known[key] = known
                while len(self._known) > 1 and sum(len(ids) + 1 for _, ids in self._known.values()) > _REMEMBERED:
                    self._known.popitem(last=False)
        return known[1]

    def _owners_of(self, home: Home, published: Mapping[ProductId, Publication]) -> tuple[str, ...]:
        """The teams that own products of a home."""
        held = self._owners.get(home.domain)
        if held is None or held[0] is not published:
            teams = {facts.owner_team for product in published for facts in home.facts(product)}
            held = self._owners[home.domain] = (published, tuple(sorted(teams)))
        return held[1]

    def _near(self, reference: Reference, request: Request) -> list[str]:
        """Names that differ from the one asked for by a typing mistake: of tables that the caller may read only."""
        tables = {}
        for home, facts in self.visible(request, catalogued=True):
            if (home.published()[facts.product].main.get(facts.id.major)) == facts.id.table:
                tables[facts.product.sql] = (home, facts)
        asked = ".".join(reference.parts[:2])
        domain, _, leaf = asked.rpartition(".")
        leaves = {name.partition(".")[2]: name for name in sorted(tables, reverse=True) if name.startswith(domain)}
        near = dict.fromkeys(
            [
                *(leaves[word] for word in get_close_matches(leaf, leaves, cutoff=_MISTYPED)),
                *get_close_matches(asked, tables, cutoff=_MISTYPED),
            ]
        )
        return [name for name in near if self._may_read(*tables[name], request)][:3]

    @staticmethod
    def _may_read(home: Home, facts: TableFacts, request: Request) -> bool:
        return decide(request, facts, home.grants(facts.product), home.policies()).allowed


def _reads(decision: Decision) -> set[tuple[str, ...]]:
    return {tuple(part.lower() for part in name) for rule in decision.rows for name in rule.reads}


def is_live(grant: Grant, request: Request) -> bool:
    """Whether a grant holds when it is asked."""
    return grant.revoked_at is None and grant.since <= request.at < grant.until


def _stored(publication: Publication, table: TableId) -> tuple[PortLine, Line, TableSnapshot] | None:
    for line, published in publication.lines.items():
        if line.major == table.major and table.table in published.snapshot.tables:
            return line, published, published.snapshot.tables[table.table]
    return None


def address_of(facts: TableFacts, publication: Publication) -> str:
    """How SQL calls a table for short: `sales.orders`, `sales.orders.lines`, `sales.orders_v2.lines`."""
    table = facts.id
    product = table.product.name if table.major == publication.default_major else f"{table.product.name}_v{table.major}"
    address = f"{table.product.domain}.{product}"
    return address if publication.main.get(table.major) == table.table else f"{address}.{table.table}"
