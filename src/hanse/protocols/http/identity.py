"""Who asks: the bearer of a verified token, and nobody else."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from hanse.governance.identity import LEEWAY, Claims, TokenRefused, require_scope
from hanse.protocols.http.errors import NO_TOKEN, IdentityHeader

if TYPE_CHECKING:
    from hanse.governance.decision import Principal
    from hanse.node.node import Node

_REMEMBERED = 1024
_PERSONS = frozenset(
    {
        b"x-user", b"x-remote-user", b"remote-user", b"x-forwarded-user", b"x-forwarded-email", b"x-auth-user",
        b"x-auth-request-user", b"x-auth-request-email", b"x-authenticated-user", b"x-username", b"x-user-id",
        b"x-principal", b"x-hanse-user", b"x-hanse-principal", b"x-on-behalf-of", b"x-impersonate-user",
        b"impersonate-user",
    }
)  # fmt: skip


class Identities:
    """Tokens verified once and remembered by their digest until they end."""

    def __init__(self, node: Node, clock: Callable[[], datetime]) -> None:
        self._node = node
        self._clock = clock
        self._known: OrderedDict[bytes, Claims] = OrderedDict()

    def principal(self, headers: Iterable[tuple[bytes, bytes]], scope: str) -> Principal:
        """The bearer, if the token is good and carries `scope`; raise `TokenRefused` or `IdentityHeader`."""
        token: bytes | None = None
        for name, value in headers:
            if name == b"authorization":
                if token is not None:
                    raise TokenRefused("two tokens were sent")
                token = value
            elif name in _PERSONS:
                raise IdentityHeader(f"the header {name.decode()} names a person", mend="leave it out")
        if token is None:
            raise TokenRefused("no token was sent", NO_TOKEN, "send Authorization: Bearer …; hanse token PERSON")
        kind, _, text = token.partition(b" ")
        if kind.lower() != b"bearer" or not text:
            raise TokenRefused("the token is not a bearer token")
        claims = self._claims(text.strip())
        require_scope(claims, scope)
        return self._node.principal(claims)

    def _claims(self, token: bytes) -> Claims:
        now = self._clock()
        key = hashlib.sha256(token).digest()
        claims = self._known.get(key)
        if claims is not None and now < claims.expires_at + LEEWAY:
            return claims
        claims = self._node.verifier.verify(token.decode("latin-1"), now)
        self._known[key] = claims
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return claims
