"""The two twin worlds of fixture.json: real files, real policies, homes that hold them, and the step that asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import duckdb

from hanse.engine.engine import Engine
from hanse.engine.settings import EngineSettings, Limits
from hanse.engine.snapshot import LineSnapshot
from hanse.errors import Place
from hanse.governance.decision import Grant, Principal, PrincipalKind, Request, TableFacts
from hanse.governance.policies import Policies, load
from hanse.names import PortLine, ProductId, Version
from hanse.node.home.reads import Reads
from hanse.node.names import Names
from hanse.spec.model import Column, Contract, Table
from tests.engine.tables import KEY, publish

if TYPE_CHECKING:
    from hanse.node.node import Node

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FIXTURE = json.loads((Path(__file__).parent / "fixture.json").read_text())
ACCESS = {"countries": "open", "reviews": "closed", "entitlements": "closed"}
MASKS = """
- {name: no-email, column: sales.orders.orders.email, mask: {constant: '***'}}
- {name: card-tail, column: sales.orders.orders.card_no, mask: {last: 4}}
- {name: no-address, column: sales.orders.orders.attrs.ip, mask: {constant: 0.0.0.0}}
- {name: no-cost, column: sales.orders.orders.cost, mask: hide}
- {name: pseudonym, column: sales.customers.customers.email, mask: hash}
- {name: year-only, column: sales.customers.customers.birth_date, mask: {truncate: year}}
"""
ROWS = {
    "rows/emea.sql": "-- table: sales.orders.orders\n-- to: person:eve\nregion = 'EMEA'\n",
    "rows/entitled.sql": (
        "-- table: sales.shipments.shipments\n-- to: person:eve\n"
        "region IN (SELECT region FROM sales.entitlements WHERE usr = principal.name)\n"
    ),
}


@dataclass(frozen=True)
class Line:
    contract: Contract
    version: Version
    snapshot: LineSnapshot


@dataclass(frozen=True)
class Publication:
    lines: Mapping[PortLine, Line]
    default_major: int = 1
    main: Mapping[int, str] = field(default_factory=dict)
    sequence: int = 1


@dataclass
class Audit:
    """An audit that keeps its entries in memory, in order."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    async def opened(self, entry: dict[str, Any]) -> int:
        self.entries.append({"kind": "opened", **entry})
        return len(self.entries) - 1

    def closed(self, entry: int, facts: dict[str, Any]) -> None:
        self.entries.append({"kind": "closed", "of": entry, **facts})


@dataclass
class Home:
    """A domain's home in memory: what the query path asks of one."""

    domain: str
    warehouse: Path
    copies: Path
    rules: Policies
    mask_key: bytes = KEY
    products: dict[ProductId, Publication] = field(default_factory=dict)
    tables: dict[ProductId, tuple[TableFacts, ...]] = field(default_factory=dict)
    given: dict[ProductId, tuple[Grant, ...]] = field(default_factory=dict)
    audit: Audit = field(default_factory=Audit)

    def published(self) -> Mapping[ProductId, Publication]:
        return self.products

    def at_sequence(self, product: ProductId, sequence: int) -> Publication | None:
        found = self.products[product]
        return found if sequence == found.sequence else None

    def at_time(self, product: ProductId, at: datetime) -> Publication | None:
        return self.products[product] if at >= NOW - timedelta(days=1) else None

    def grants(self, product: ProductId) -> tuple[Grant, ...]:
        return self.given.get(product, ())

    def grants_to(self, whom: str) -> tuple[Grant, ...]:
        return tuple(grant for held in self.given.values() for grant in held if grant.to == whom)

    def policies(self) -> Policies:
        return self.rules

    def facts(self, product: ProductId) -> tuple[TableFacts, ...]:
        return self.tables[product]


@dataclass
class World:
    """A node of one twin."""

    homes: dict[str, Home]
    engine: Engine
    folder: Path
    names: Names = field(init=False)
    reads: Reads = field(init=False)

    def __post_init__(self) -> None:
        self.names = Names(self.homes)
        self.reads = Reads()

    def clock(self) -> datetime:
        return NOW

    def find(self, domain: str) -> Home | None:
        return self.homes.get(domain)

    def as_node(self) -> Node:
        """This world, which has what a question asks of a node and nothing more of one."""
        return cast("Node", self)


def asks(name: str, *teams: str) -> Request:
    """A request of person `name` over HTTP."""
    return Request(Principal(PrincipalKind.PERSON, name, frozenset(teams), MappingProxyType({})), NOW)


EVE = asks("eve", "consumers")


def build(k: int, folder: Path, engine: Engine) -> World:
    """Twin `k`: every relation of the fixture as a product of its domain."""
    source = duckdb.connect()
    source.execute(FIXTURE[f"build_sql_k{k}"])
    homes: dict[str, Home] = {}
    for product, told in FIXTURE["products"].items():
        domain = told["domain"]
        if domain not in homes:
            rules, findings = load({"masks.yaml": MASKS, **ROWS}, domain, {}, ("public", "internal", "restricted"))
            assert not findings, findings
            homes[domain] = Home(domain, folder / domain, folder / domain / "copies", rules)
        home = homes[domain]
        data = source.execute(f"SELECT * FROM {told['relation']}").to_arrow_table()
        facts, stored = publish(home.warehouse, f"{domain}.{product}", data)
        facts = replace(facts, access=ACCESS.get(product, "request"), version="1.0.0")
        id_ = facts.product
        line = PortLine(id_, "data", 1)
        snapshot = LineSnapshot({product: stored}, "fingerprint")
        contract = contract_of(product, stored.columns)
        home.products[id_] = Publication({line: Line(contract, Version(1, 0, 0), snapshot)}, 1, {1: product})
        home.tables[id_] = (facts,)
        home.given[id_] = tuple(
            Grant(
                f"g-{product}-{who}", id_, f"person:{who}", None, "internal", frozenset(),
                NOW - timedelta(days=1), NOW + timedelta(days=30),
            )
            for who in told.get("grants", ())
        )  # fmt: skip
    return World(homes, engine, folder)


def contract_of(table: str, columns: Any) -> Contract:
    """A contract that promises `columns` of one table."""
    place = Place("test.odcs.yaml")
    parts = tuple(
        Column(
            c.name, c.type, None, None, False, False, None, "internal", "", (), None, {}, (), (), {}, place
        )
        for c in columns
    )  # fmt: skip
    promised = Table(table, table, None, "", parts, (), (), (), {}, place)
    fields = dict.fromkeys(Contract.__dataclass_fields__)
    return Contract(**{**fields, "tables": (promised,), "place": place})  # type: ignore[arg-type]


def engine(wall_seconds: float = 3.0) -> Engine:
    """An engine with small limits, as the attacks want them."""
    limits = Limits(wall_seconds=wall_seconds, memory_bytes=512 << 20, reply_bytes=64 << 20)
    return Engine(EngineSettings(workers=2, threads=2, limits=limits))


async def started() -> Engine:
    found = engine()
    await found.start()
    return found


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)
