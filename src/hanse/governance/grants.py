"""Grants: which hold for a request, what they cover, and their signed form."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hanse.errors import Kind, code
from hanse.governance.decision import ColumnPath, Grant, Principal, PrincipalKind
from hanse.governance.masks import spellings
from hanse.names import ProductId

NO_GRANT = code(
    "access.no-grant",
    Kind.DENIED,
    "No grant lets you read this product",
    "The product is not open, and its owner has not granted it to you, to your team or to the product you build.",
    "Ask its owner: hanse access request PRODUCT --purpose … --why …",
)
ENDED = code(
    "access.ended",
    Kind.DENIED,
    "Your access to this product has ended",
    "A grant ends on its date, or when its owner revokes it; nobody has to do anything for that.",
    "Ask for it again: hanse access renew GRANT",
)
PURPOSE = code(
    "access.purpose",
    Kind.DENIED,
    "The grant is for another purpose",
    "A grant names the purposes it is given for; data may not be read for any other.",
    "State one of the granted purposes: --purpose …",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the grants say before any policy is asked: those that hold now, for which purpose, or why none does."""

    holding: tuple[Grant, ...]
    purpose: str | None
    code: str = ""
    because: str = ""
    mend: str = ""
    live: bool = False  # some grant holds, be it for another purpose


def standing(
    grants: Iterable[Grant], principal: Principal, product: ProductId, purpose: str | None, at: datetime
) -> Standing:
    """Pick the grants for `principal` on `product` that hold at `at` for `purpose`.

    A purpose that is not stated is the grants' own when they name exactly one.
    """
    own = [grant for grant in grants if grant.product == product and is_for(grant, principal)]
    if not own:
        mend = f'hanse access request {product} --purpose … --why "…"'
        return Standing((), purpose, NO_GRANT, f"no grant for {principal.id} on {product}", mend)
    live = sorted((grant for grant in own if is_live(grant, at)), key=lambda grant: grant.id)
    if not live:
        return _ended(own, product, purpose, at)
    if purpose is None:
        stated = {name for grant in live for name in grant.purposes}
        if len(stated) == 1:
            purpose = next(iter(stated))
    holding = tuple(grant for grant in live if not grant.purposes or purpose in grant.purposes)
    if holding:
        return Standing(holding, purpose, live=True)
    names = sorted({name for grant in live for name in grant.purposes})
    asked = "you stated no purpose" if purpose is None else f"you asked for purpose {purpose!r}"
    mend = f"--purpose {names[0]}" if len(names) == 1 else "--purpose, one of: " + ", ".join(names)
    return Standing((), purpose, PURPOSE, f"{asked}; {product} is granted for {', '.join(names)}", mend, True)


def _ended(own: Sequence[Grant], product: ProductId, purpose: str | None, at: datetime) -> Standing:
    past = [grant for grant in own if _end(grant) <= at]
    if not past:
        first = min(own, key=lambda grant: (grant.since, grant.id))
        because = f"your access to {product} begins on {_day(first.since)}"
        return Standing((), purpose, NO_GRANT, because, "ask again from that day on")
    last = max(past, key=lambda grant: (_end(grant), grant.id))
    if last.revoked_at is not None and last.revoked_at <= at:
        because = f"your access to {product} was revoked on {_day(last.revoked_at)}"
        return Standing((), purpose, ENDED, because, f'hanse access request {product} --purpose … --why "…"')
    return Standing(
        (), purpose, ENDED, f"your access to {product} ended on {_day(last.until)}", f"hanse access renew {last.id}"
    )


def _end(grant: Grant) -> datetime:
    return grant.until if grant.revoked_at is None else min(grant.until, grant.revoked_at)


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


def is_for(grant: Grant, principal: Principal) -> bool:
    """Whether `grant` names `principal`: the person, one of its teams, or the product itself.

    What a team was granted is for its people: a product passes on what it reads, and needs a grant of its own.
    """
    kind, _, name = grant.to.partition(":")
    if kind == "team":
        return principal.kind is PrincipalKind.PERSON and name in principal.teams
    return kind == principal.kind.value and name == principal.name


def is_live(grant: Grant, at: datetime) -> bool:
    """Whether `grant` holds at `at`: from `since` on, before `until`, and not revoked by then."""
    return grant.since <= at < grant.until and (grant.revoked_at is None or at < grant.revoked_at)


def names(grant: Grant, path: ColumnPath, top_level: frozenset[str] = frozenset()) -> bool:
    """Whether `grant` names the column at `path` or one it is part of.

    `top_level` are the table's column names: a dotted name that is a column's own means that column only.
    """
    if grant.columns is None:
        return False
    for length in range(1, len(path) + 1):
        for spelling in spellings(path[:length]):
            if spelling in grant.columns and (length == 1 or spelling not in top_level):
                return True
    return False


def covers(
    grant: Grant,
    path: ColumnPath,
    classification: str | None,
    order: Sequence[str],
    *,
    purpose: str | None = None,
    at: datetime | None = None,
    top_level: frozenset[str] = frozenset(),
) -> bool:
    """Whether `grant` reaches the column: it names it, or is `*` and the class is not above its ceiling.

    `order` are the classifications from least to most strict; without one a column counts as the strictest.
    Given `at`, the grant must hold then, for `purpose` if it names purposes.
    """
    if at is not None and not (is_live(grant, at) and (not grant.purposes or purpose in grant.purposes)):
        return False
    if grant.columns is not None:
        return names(grant, path, top_level)
    if grant.ceiling is None or grant.ceiling not in order:
        return False
    return level(classification, order) <= order.index(grant.ceiling)


def level(classification: str | None, order: Sequence[str]) -> int:
    """The place of a classification in `order`; none, or one that is not listed, counts as the strictest."""
    return order.index(classification) if classification in order else len(order) - 1


def canonical(grant: Grant) -> bytes:
    """The agreement as bytes to sign: everything agreed; a revocation comes later and is no part of it."""
    value: dict[str, Any] = {
        "by": grant.by,
        "ceiling": grant.ceiling,
        "columns": None if grant.columns is None else sorted(grant.columns),
        "id": grant.id,
        "product": str(grant.product),
        "purposes": sorted(grant.purposes),
        "since": grant.since.astimezone(UTC).isoformat(),
        "to": grant.to,
        "until": grant.until.astimezone(UTC).isoformat(),
        "why": grant.why,
    }
    return b"hanse-grant-1\n" + json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sign(grant: Grant, pem: bytes) -> str:
    """The owner's signature (Ed25519, base64url) with the home's private key in PEM."""
    from hanse.governance.keys import private_key

    return base64.urlsafe_b64encode(private_key(pem).sign(canonical(grant))).decode()


def verify(grant: Grant, signature: str, public_pem: bytes) -> bool:
    """Whether `signature` is the owner's under exactly this agreement."""
    from cryptography.exceptions import InvalidSignature

    from hanse.governance.keys import public_key

    try:
        public_key(public_pem).verify(base64.urlsafe_b64decode(signature), canonical(grant))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
