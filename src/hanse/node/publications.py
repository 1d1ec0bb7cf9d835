"""The one pointer: publications are appended and signed, and the pointer moves, in one transaction."""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hanse.errors import HanseError, Kind, code
from hanse.governance.decision import Action, Principal
from hanse.governance.keys import private_key, public_key
from hanse.names import ProductId
from hanse.node.home.codec import instant, lines, text
from hanse.node.home.values import Publication
from hanse.node.outbox import deliver
from hanse.node.permission import require

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.node import Node

LOG = logging.getLogger("hanse.publish")
_LOCKS: weakref.WeakKeyDictionary[Home, threading.Lock] = weakref.WeakKeyDictionary()
_GUARD = threading.Lock()
_TRY_SECONDS = 0.2


class PublicationMoved(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "publish.moved",
        Kind.CONFLICT,
        "The product was published by somebody else meanwhile",
        "A publication is made from the state it was planned on; another one came first, and stands.",
        "Plan again, look, and publish.",
    )


class NotPublished(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "publish.not-published",
        Kind.NOT_FOUND,
        "There is no such publication",
        "Only what was published can be published again, moved or retired.",
        "hanse show PRODUCT tells what is published.",
    )


@contextmanager
def held(homes: Sequence[Home], cancelled: threading.Event | None = None) -> Iterator[bool]:
    """One publish at a time in each of `homes`; yields False, holding nothing, when `cancelled` came first."""
    with ExitStack() as stack:
        for home in sorted(homes, key=lambda home: home.domain):
            with _GUARD:
                lock = _LOCKS.setdefault(home, threading.Lock())
            while not lock.acquire(timeout=_TRY_SECONDS):
                if cancelled is not None and cancelled.is_set():
                    yield False
                    return
            stack.callback(lock.release)
        yield True


def current(home: Home, product: ProductId) -> Publication:
    """The publication that readers get; raise `NotPublished` when there is none."""
    found = home.store.current().get(product)
    if found is None or found.kind == "retire":
        raise NotPublished(f"{product} is not published", mend="hanse publish")
    return found


def commit(
    node: Node,
    home: Home,
    publication: Publication,
    *,
    act: str,
    principal: Principal,
    facts: Mapping[str, Any],
    also: Callable[[Any], None] = lambda _: None,
) -> Publication:
    """Append `publication` signed, move the pointer, tell audit and outbox: all of it or nothing.

    A publication that was made already under the same key is returned as it is. Raises `PublicationMoved`. `also`
    may do more in the same transaction.
    """
    product = publication.product
    made = home.store.publication_by_key(product, publication.key)
    if made is not None:
        return made
    signed = replace(publication, signature=sign(home, publication))
    versions = {f"{one.line.port}@{one.line.major}": one.version for one in signed.lines}
    said = {"sequence": signed.sequence, "versions": versions, "plan": signed.plan, **facts}
    failpoints = node.settings.failpoints
    with home.change() as change:
        if not home.store.append(change.connection, signed):
            raise PublicationMoved(
                f"{product} was published by somebody else just now", mend="hanse plan, look, publish"
            )
        home.store.drop_stages(product, change.connection)
        home.store.tell(change.connection, act, product, {"by": principal.id, **said})
        change.append(
            {
                "act": act,
                "at": instant(signed.at),
                "principal": principal.id,
                "teams": sorted(principal.teams),
                "product": str(product),
                "outcome": "done",
                **said,
            }
        )
        also(change.connection)
        failpoints.reach("P7")
    failpoints.reach("P7+")
    return signed


def follow_up(node: Node, home: Home, product: ProductId) -> None:
    """What comes after the transaction and is made good at the next start: Iceberg's main, the outbox."""
    from hanse.node.node import follow

    node.settings.failpoints.reach("P8")
    try:
        follow(home, product)
        deliver(home, failpoints=node.settings.failpoints)
    except Exception:
        # the publication stands; whatever keeps Iceberg or a listener from following does not unmake it
        LOG.exception("after the publication of %s", product)


def sign(home: Home, publication: Publication) -> str:
    """The home's word on a publication: its descriptors, data and policies (Ed25519, base64url)."""
    return base64.urlsafe_b64encode(private_key(home.key).sign(_signed_bytes(publication))).decode()


def is_signed(home: Home, publication: Publication) -> bool:
    """Whether the publication is as its home signed it."""
    from cryptography.exceptions import InvalidSignature

    try:
        public_key(home.key).verify(base64.urlsafe_b64decode(publication.signature), _signed_bytes(publication))
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed_bytes(one: Publication) -> bytes:
    said = {
        "product": str(one.product),
        "sequence": one.sequence,
        "base": one.base,
        "kind": one.kind,
        "plan": one.plan,
        "lines": one.lines_sha256 or hashlib.sha256(lines(one.lines).encode()).hexdigest(),
        "default_major": one.default_major,
        "main": {str(major): table for major, table in one.main.items()},
        "bundle": one.bundle,
        "policies": one.policies,
        "status": one.status,
        "by": one.by,
        "at": instant(one.at),
    }
    return b"hanse-publication-1\n" + text(said).encode()


def again(
    node: Node,
    product: ProductId,
    principal: Principal,
    *,
    act: str,
    change: Callable[[Home, Publication], Publication],
    facts: Mapping[str, Any],
    also: Callable[[Any], None] = lambda _: None,
) -> Publication:
    """Publish what `change` makes of the current publication, as somebody who may publish the product."""
    home = node.find(product.domain)
    if home is None:
        raise NotPublished(f"{product} is not published", mend="hanse search lists what is")
    # before anything is told of the product: who may not publish here does not learn whether it exists
    require(node, home, principal, Action.PUBLISH, product)
    if product not in home.store.products():
        raise NotPublished(f"{product} is not published", mend="hanse search lists what is")
    with held([home]):
        now = current(home, product)
        next_ = replace(
            change(home, now),
            sequence=home.store.last_sequence(product) + 1,
            base=now.sequence,
            by=principal.id,
            at=node.clock(),
            policies=home.store.meta("policies") or "",
            main_followed=False,
        )
        made = commit(node, home, next_, act=act, principal=principal, facts=facts, also=also)
        follow_up(node, home, product)
    return made
