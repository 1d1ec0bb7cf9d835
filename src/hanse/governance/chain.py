"""The audit chain: entries linked by hash, and heads signed over their number, so that nothing is lost unseen."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class ChainEntry:
    """An entry as kept: its number from 1, what it says, and its link (a SHA-256 over the former link and it)."""

    number: int
    entry: Mapping[str, Any]
    link: str


@dataclass(frozen=True, slots=True)
class Head:
    """A signed word on a chain: so many entries, the last link, at that time (aware UTC)."""

    chain: str
    count: int
    last: str
    at: datetime
    signature: str


@dataclass(frozen=True, slots=True)
class ChainFault:
    """What is wrong at entry `number` (0: with the chain as a whole)."""

    number: int
    what: str  # edited | missing | reordered | cut | forged-head
    message: str


def canonical(entry: Mapping[str, Any]) -> bytes:
    """`entry` as bytes: JSON with sorted keys, no spaces, UTF-8; ValueError for what JSON cannot say."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "surrogatepass"
    )


def link(previous: str, entry: Mapping[str, Any]) -> str:
    """The link of `entry` after the one with link `previous` (`GENESIS` for the first)."""
    return sha256(b"hanse-audit-1\n" + previous.encode() + b"\n" + canonical(entry)).hexdigest()


def sign_head(pem: bytes, *, chain: str, count: int, last: str, at: datetime) -> Head:
    """Sign that `chain` has `count` entries and ends in the link `last`, with the home's Ed25519 key."""
    from hanse.governance.keys import private_key

    signature = private_key(pem).sign(_signed_bytes(chain, count, last, at))
    return Head(chain, count, last, at, base64.urlsafe_b64encode(signature).decode())


def verify_head(head: Head, public_key: bytes) -> bool:
    """Whether `head` was signed by the key (public or private PEM)."""
    from cryptography.exceptions import InvalidSignature

    from hanse.governance.keys import public_key as read

    try:
        read(public_key).verify(
            base64.urlsafe_b64decode(head.signature), _signed_bytes(head.chain, head.count, head.last, head.at)
        )
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _signed_bytes(chain: str, count: int, last: str, at: datetime) -> bytes:
    value = {"at": at.astimezone(UTC).isoformat(), "chain": chain, "count": count, "last": last}
    return b"hanse-head-1\n" + canonical(value)


def verify_chain(entries: Iterable[ChainEntry], heads: Sequence[Head], public_key: bytes) -> list[ChainFault]:
    """Every fault of one chain: entries edited, missing, out of order, a tail cut off, heads forged.

    `entries` come in the order in which they are kept. Entries after the last head are only linked, not yet sworn
    to: a head is signed every few seconds.
    """
    faults: list[ChainFault] = []
    previous, expected = GENESIS, 1
    links: dict[int, str] = {0: GENESIS}
    kept = list(entries)
    numbers = {entry.number for entry in kept}
    for entry in kept:
        if entry.number != expected:
            if entry.number > expected and expected not in numbers:
                gone = f"{expected}" if entry.number == expected + 1 else f"{expected} to {entry.number - 1}"
                faults.append(ChainFault(expected, "missing", f"entry {gone} is missing"))
            else:
                faults.append(ChainFault(entry.number, "reordered", f"entry {entry.number} stands in another's place"))
        elif link(previous, entry.entry) != entry.link:
            faults.append(ChainFault(entry.number, "edited", f"entry {entry.number} was changed after it was written"))
        previous, expected = entry.link, entry.number + 1
        links[entry.number] = entry.link
    last = max(numbers, default=0)
    sworn = 0
    for head in heads:
        if not verify_head(head, public_key):
            faults.append(ChainFault(head.count, "forged-head", f"the head over {head.count} entries is not signed"))
        elif head.count > last:
            sworn = max(sworn, head.count)
        elif links.get(head.count) not in (None, head.last):
            told = f"the entries up to {head.count} are not those that were signed"
            faults.append(ChainFault(head.count, "edited", told))
    if sworn:
        faults.append(ChainFault(last + 1, "cut", f"the entries {last + 1} to {sworn} were cut off"))
    if len({head.chain for head in heads}) > 1:
        faults.append(ChainFault(0, "forged-head", "the heads are of several chains"))
    return faults
