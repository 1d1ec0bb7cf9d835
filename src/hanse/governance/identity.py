"""Tokens of the built-in issuer: Ed25519-signed, short-lived, bound to one audience, checked without exceptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from hanse.errors import HanseError, Kind, code
from hanse.governance.keys import new_key, private_key, public_pem

if TYPE_CHECKING:
    from joserfc.jwk import OKPKey

__all__ = ["SCOPES", "Claims", "TokenRefused", "Verifier", "issue", "new_key", "public_jwk", "require_scope"]

SCOPES = ("read", "build", "administer")
DEFAULT_LIFETIME = timedelta(hours=8)
LONGEST_LIFETIME = timedelta(hours=24)
LEEWAY = timedelta(seconds=30)
TYPE = "at+jwt"
# `EdDSA` is how RFC 8037 called it; RFC 9864 names the curve. Both verify under an Ed25519 key only
ALGORITHMS = ("Ed25519", "EdDSA")
_LONGEST_TOKEN = 8192


_AGAIN = "hanse token PERSON, on the node's machine"


class TokenRefused(HanseError):
    """The token is not accepted; `error` is the word of RFC 6750. The text never holds any of the token."""

    kind = Kind.DENIED
    code = code(
        "identity.token-refused",
        Kind.DENIED,
        "The token is not accepted",
        "A token must be signed by an issuer of the mesh, be meant for this node, and neither be ended nor too early.",
        "Get a new one: hanse token PERSON on the node's machine.",
    )

    def __init__(self, message: str, error: str = "invalid_token", mend: str = _AGAIN) -> None:
        super().__init__(message, mend=mend)
        self.error = error


class ScopeMissing(TokenRefused):
    """A good token that does not carry the scope asked for."""

    code = code(
        "identity.scope-missing",
        Kind.DENIED,
        "The token lacks a scope",
        "A token opens only what its scopes name: read, build or administer.",
        "Ask for a token with that scope.",
    )

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"the token lacks the scope {scope}", "insufficient_scope", f"hanse token PERSON --scope {scope}"
        )
        self.scope = scope


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    issuer: str
    subject: str
    audience: str
    scopes: frozenset[str]
    issued_at: datetime
    expires_at: datetime
    id: str


def public_jwk(pem: bytes) -> dict[str, str]:
    """The public key of a private or public PEM as JWK, with its RFC 7638 thumbprint as `kid`."""
    from joserfc.jwk import OKPKey

    key = OKPKey.import_key(public_pem(pem))
    jwk = {name: str(value) for name, value in key.as_dict(private=False).items()}
    return {**jwk, "kid": key.thumbprint(), "use": "sig", "alg": "Ed25519"}


def issue(
    pem: bytes,
    *,
    issuer: str,
    subject: str,
    audience: str,
    scopes: Iterable[str],
    now: datetime,
    lifetime: timedelta = DEFAULT_LIFETIME,
) -> str:
    """A signed bearer token; ValueError for an unknown scope or a lifetime that is not within 24 hours."""
    from joserfc import jwt
    from joserfc.jwk import OKPKey

    if not timedelta(0) < lifetime <= LONGEST_LIFETIME:
        raise ValueError("a token lives for at most 24 hours")
    wanted = sorted(set(scopes), key=lambda scope: SCOPES.index(scope) if scope in SCOPES else -1)
    if unknown := [scope for scope in wanted if scope not in SCOPES]:
        raise ValueError(f"{unknown[0]!r} is no scope; one of {', '.join(SCOPES)}")
    private_key(pem)
    issued = int(now.astimezone(UTC).timestamp())
    ends = issued + int(lifetime.total_seconds())
    key = OKPKey.import_key(pem)
    identity = sha256(f"{issuer}\n{subject}\n{audience}\n{now.isoformat()}\n{ends}\n{wanted}".encode()).hexdigest()[:32]
    claims = {
        "iss": issuer, "sub": subject, "aud": audience, "scope": " ".join(wanted),
        "iat": issued, "nbf": issued, "exp": ends, "jti": identity,
    }  # fmt: skip
    header = {"alg": "Ed25519", "typ": TYPE, "kid": key.thumbprint()}
    return jwt.encode(header, claims, key, algorithms=["Ed25519"])


class Verifier:
    """Checks tokens against the keys of configured issuers; keys and addresses in a token's header are ignored."""

    def __init__(self, issuers: Mapping[str, Sequence[Mapping[str, Any]]], audience: str) -> None:
        import warnings

        from joserfc.jwk import OKPKey

        # other issuers may still write the older name of the algorithm; that is no news for our log
        warnings.filterwarnings("ignore", message="EdDSA is deprecated")
        self._audience = audience
        self._keys: dict[str, tuple[OKPKey, ...]] = {
            issuer: tuple(
                OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": str(jwk["x"])})
                for jwk in jwks
                if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519"
            )
            for issuer, jwks in issuers.items()
        }

    def verify(self, token: str, now: datetime) -> Claims:
        """The claims of `token` at `now`; `TokenRefused` for anything short of perfect, with 30 s of leeway."""
        if not token or len(token) > _LONGEST_TOKEN or not token.isascii():
            raise TokenRefused("the token is not one of this mesh")
        header, claims = self._signed(token)
        if str(header.get("typ", "")).lower().removeprefix("application/") != TYPE:
            raise TokenRefused("the token is not an access token", mend=f"its header must say typ: {TYPE}")
        audience = claims.get("aud")
        if audience != self._audience and not (isinstance(audience, list) and self._audience in audience):
            raise TokenRefused("the token is meant for another node")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise TokenRefused("the token names nobody")
        issued, ends = _instant(claims, "iat"), _instant(claims, "exp")
        if now >= ends + LEEWAY:
            raise TokenRefused("the token has ended")
        if issued > now + LEEWAY or ("nbf" in claims and _instant(claims, "nbf") > now + LEEWAY):
            raise TokenRefused("the token does not hold yet; compare the clocks", mend="hanse doctor")
        if ends - issued > LONGEST_LIFETIME:
            raise TokenRefused("the token lives longer than 24 hours")
        scope = claims.get("scope", "")
        scopes = frozenset(scope.split()) if isinstance(scope, str) else frozenset()
        return Claims(
            str(claims["iss"]), subject, self._audience, scopes & frozenset(SCOPES), issued, ends,
            str(claims.get("jti", ""))[:128],
        )  # fmt: skip

    def _signed(self, token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Header and claims under a good signature of the issuer that the claims name."""
        import json

        from joserfc import jws
        from joserfc.errors import JoseError

        for issuer, keys in self._keys.items():
            for key in keys:
                try:
                    signed = jws.deserialize_compact(token, key, algorithms=list(ALGORITHMS))
                    claims = json.loads(signed.payload)
                    header = signed.headers()
                except (JoseError, ValueError, TypeError, KeyError, RecursionError):
                    continue
                # another issuer's key must not vouch for this one's people
                if isinstance(claims, dict) and claims.get("iss") == issuer:
                    return header, claims
        raise TokenRefused("the token is not signed by an issuer of this mesh")


def require_scope(claims: Claims, scope: str) -> None:
    """Raise `ScopeMissing` (RFC 6750 insufficient_scope) unless the token carries `scope`."""
    if scope not in claims.scopes:
        raise ScopeMissing(scope)


def _instant(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 2**33:
        raise TokenRefused(f"the token does not say when it {'ends' if name == 'exp' else 'begins'}")
    return datetime.fromtimestamp(value, UTC)
