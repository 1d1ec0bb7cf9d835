"""The values a home keeps: publications, stages, requests; frozen, and equal when they say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hanse.engine.snapshot import LineSnapshot
from hanse.names import PortLine, ProductId, Version
from hanse.spec.model import Contract, Product


@dataclass(frozen=True, slots=True)
class PublishedLine:
    """A port line as served: its contract, the version of it, and the data."""

    contract: Contract
    version: Version
    snapshot: LineSnapshot


@dataclass(frozen=True, slots=True)
class Published:
    """What readers of a product get: one publication, whole."""

    product: Product
    domain_team: str
    lines: Mapping[PortLine, PublishedLine]
    default_major: int
    main: Mapping[int, str]
    sequence: int
    at: datetime
    plan_id: str
    status: str
    by: str
    lineage: Mapping[str, Any] = field(default_factory=dict)
    report: str | None = None
    bundle: str = ""


@dataclass(frozen=True, slots=True)
class LineRecord:
    """A port line as a publication keeps it: the contract by file, the data by its snapshot."""

    line: PortLine
    version: str
    contract_file: str
    snapshot: LineSnapshot


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication as kept, append-only. `key` makes it idempotent: a plan's id, a refresh's fingerprint."""

    product: ProductId
    sequence: int
    base: int
    kind: str  # publish | rollback | default | retire
    plan: str
    key: str
    lines: tuple[LineRecord, ...]
    default_major: int
    main: Mapping[int, str]
    bundle: str
    policies: str
    status: str
    by: str
    at: datetime
    report: str | None = None
    lineage: Mapping[str, Any] = field(default_factory=dict)
    signature: str = ""
    main_followed: bool = False
    forgotten_at: datetime | None = None  # its data is no longer kept, so `lines` are empty
    lines_sha256: str | None = None  # of the lines that were signed, once they are forgotten


@dataclass(frozen=True, slots=True)
class Stage:
    """A data state that waits for publication; no reader sees it."""

    line: PortLine
    snapshot: LineSnapshot
    fingerprint: str
    bundle: str
    at: datetime
    report: str | None = None


@dataclass(frozen=True, slots=True)
class KnownProduct:
    """A product that a home knows: accepted by a plan (`proposed`), or published."""

    id: ProductId
    document_id: str
    status: str
    known_since: datetime
    current: int | None


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """Somebody's wish to read a product, and what became of it. `columns`: None for all that is not sensitive."""

    id: str
    product: ProductId
    whom: str
    columns: tuple[str, ...] | None
    purpose: str | None
    until: datetime
    why: str
    by: str
    at: datetime
    status: str = "waiting"  # waiting | approved | refused
    decided_by: str | None = None
    decided_at: datetime | None = None
    note: str | None = None
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class HomeEvent:
    """What happened in a home, in order; kept until it is delivered, and after."""

    number: int
    name: str
    product: str | None
    body: Mapping[str, Any]
    at: datetime
