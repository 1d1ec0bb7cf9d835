"""A small world that the tests of decisions share: one table, its people, a grant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hanse.errors import Finding
from hanse.governance.decision import ColumnFacts, Grant, Principal, PrincipalKind, Request, TableFacts
from hanse.governance.policies import Policies, load
from hanse.names import ProductId, TableId
from hanse.spec.types import Field, ListOf, MapOf, Scalar, Struct

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CLASSES = ("public", "internal", "restricted")
TEXT, WHOLE, DATE = Scalar("string"), Scalar("int64"), Scalar("date")
ATTRS = Struct((Field("channel", TEXT), Field("ip", TEXT)))

ORDERS = TableFacts(
    TableId(ProductId("sales", "orders"), 1, "orders"),
    (
        ColumnFacts(("id",), WHOLE, "public"),
        ColumnFacts(("region",), TEXT, "internal"),
        ColumnFacts(("email",), TEXT, "restricted", frozenset({"pii"})),
        ColumnFacts(("born",), DATE, "restricted"),
        ColumnFacts(("note",), TEXT, None),
        ColumnFacts(("attrs",), ATTRS, "internal"),
        ColumnFacts(("attrs", "channel"), TEXT, "public"),
        ColumnFacts(("attrs", "ip"), TEXT, "restricted"),
        ColumnFacts(("labels",), MapOf(TEXT, TEXT), "internal"),
        ColumnFacts(("labels", "{key}"), TEXT, None),
        ColumnFacts(("labels", "{value}"), TEXT, "restricted"),
        ColumnFacts(("items",), ListOf(Struct((Field("price", WHOLE),))), None),
        ColumnFacts(("items", "[]"), Struct((Field("price", WHOLE),)), None),
        ColumnFacts(("items", "[]", "price"), WHOLE, "internal"),
    ),
    access="request",
    status="active",
    owner_team="kontor",
    tags=frozenset({"money"}),
    version="1.0.0",
)
GRANT = Grant("g-1", ORDERS.product, "team:growth", None, "internal", frozenset(), NOON - DAY, NOON + DAY)


def person(name: str, *teams: str, **attributes: Any) -> Principal:
    """A person with teams and attributes."""
    return Principal(PrincipalKind.PERSON, name, frozenset(teams), attributes)


def product(id_: str, team: str) -> Principal:
    """A product as principal, in its domain's owner team."""
    return Principal(PrincipalKind.PRODUCT, id_, frozenset({team}), {}, domain=id_.split("/", maxsplit=1)[0])


ADA = person("ada", "growth")
BOB = person("bob")
OWNER = person("olga", "kontor")


def ask(principal: Principal = ADA, **changes: Any) -> Request:
    """A request of `principal` at noon."""
    return replace(Request(principal, NOON), **changes)


def policies(
    files: Mapping[str, str] | None = None,
    local: Mapping[str, str] | None = None,
    *,
    domain: str = "sales",
    classes: Sequence[str] = CLASSES,
) -> Policies:
    """Policies that must be read without a finding."""
    read, findings = load(files or {}, domain, local or {}, classes)
    assert findings == []
    return read


def findings(files: Mapping[str, str] | None = None, local: Mapping[str, str] | None = None) -> list[Finding]:
    """What is found wrong in policies of the domain sales."""
    return load(files or {}, "sales", local or {}, CLASSES)[1]
