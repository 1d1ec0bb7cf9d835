"""What may be seen: requests, facts about tables, and the one decision that every protocol obeys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from hanse.names import ProductId, TableId
from hanse.spec.types import Type

ColumnPath = tuple[str, ...]  # ("email",), ("attrs", "ip"); a list's element is "[]"


class PrincipalKind(StrEnum):
    PERSON = "person"
    PRODUCT = "product"


class Action(StrEnum):
    """What a principal may do; Cedar's action ids are these words."""

    DISCOVER = "discover"
    READ = "read"
    UNMASK = "unmask"
    REQUEST = "request"
    APPROVE = "approve"
    PUBLISH = "publish"
    ADMINISTER = "administer"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a person, or a product reading its inputs. `teams` include the domain's owner team for a product."""

    kind: PrincipalKind
    name: str  # person: ada; product: experience/punctuality
    teams: frozenset[str] = frozenset()
    attributes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    scopes: frozenset[str] = frozenset({"read"})
    domain: str | None = None  # product principals: their domain

    @property
    def id(self) -> str:
        """`person:ada`, `product:experience/punctuality`."""
        return f"{self.kind.value}:{self.name}"


@dataclass(frozen=True, slots=True)
class Request:
    """One act of asking: who, for whom, why, over which protocol, when (aware UTC)."""

    principal: Principal
    at: datetime
    protocol: str = "http"
    purpose: str | None = None
    on_behalf_of: Principal | None = None


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What a decision needs to know of a column; nested fields are columns of their own, by path."""

    path: ColumnPath
    type: Type
    classification: str | None
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a decision needs to know of a table, from the published descriptors."""

    id: TableId
    columns: tuple[ColumnFacts, ...]  # every path, parents before children
    access: str  # open | request | closed
    status: str  # active, deprecated, …
    owner_team: str
    tags: frozenset[str] = frozenset()
    version: str = ""

    @property
    def product(self) -> ProductId:
        return self.id.product


@dataclass(frozen=True, slots=True)
class Grant:
    """A signed agreement in the owner's home. `columns` None means `*`, up to `ceiling` (a classification)."""

    id: str
    product: ProductId
    to: str  # person:ada, team:growth, product:growth/basket
    columns: frozenset[str] | None  # top-level names or dotted paths
    ceiling: str | None
    purposes: frozenset[str]  # empty: any purpose
    since: datetime
    until: datetime
    revoked_at: datetime | None = None
    by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Null:
    """Every value is null."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Every value is `value` (text, number, boolean)."""

    value: Any


@dataclass(frozen=True, slots=True)
class Bucket:
    """Numbers are rounded down to a multiple of `width`."""

    width: float


@dataclass(frozen=True, slots=True)
class Truncate:
    """Dates to `year`, `month` or `day`; numbers down to a multiple of the given number."""

    to: str | float


@dataclass(frozen=True, slots=True)
class HashMask:
    """HMAC-SHA-256 with a key of the domain's home, 24 hex characters: equal values stay equal in one domain."""


@dataclass(frozen=True, slots=True)
class Last:
    """All but the last `count` characters become `****`."""

    count: int


Mask = Null | Constant | Bucket | Truncate | HashMask | Last


@dataclass(frozen=True, slots=True)
class Clear:
    """The column is shown as it is."""

    because: str = ""


@dataclass(frozen=True, slots=True)
class Masked:
    """The column is shown through `mask`, by `rule` (its name and place)."""

    mask: Mask
    rule: str


@dataclass(frozen=True, slots=True)
class Hidden:
    """The column does not exist for this reader, by `rule`."""

    rule: str


ColumnView = Clear | Masked | Hidden


@dataclass(frozen=True, slots=True)
class RowRule:
    """A row policy that holds for this reader: one SQL predicate over the raw row, attributes already literals."""

    name: str
    predicate: str
    reads: frozenset[tuple[str, ...]] = frozenset()  # tables of the same domain that it reads, as written


@dataclass(frozen=True, slots=True)
class Decision:
    """What a request may see of a table. Two equal fingerprints show equal data, whoever asks."""

    table: TableId
    allowed: bool
    discoverable: bool
    code: str  # "" when allowed, else access.no-grant, access.ended, access.purpose …
    because: str
    mend: str = ""
    rows: tuple[RowRule, ...] = ()
    columns: Mapping[ColumnPath, ColumnView] = field(default_factory=lambda: MappingProxyType({}))
    grants: frozenset[str] = frozenset()

    @property
    def is_clear(self) -> bool:
        """Whether nothing is filtered, masked or hidden."""
        return not self.rows and all(isinstance(view, Clear) for view in self.columns.values())
