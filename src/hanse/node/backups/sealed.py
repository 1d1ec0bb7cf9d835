"""Seal secrets with a passphrase: scrypt makes the key, AES-256-GCM seals and proves."""

from __future__ import annotations

import base64
import json
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from hanse.node.backups.errors import UnsafePassphrase, WrongPassphrase

_COST = 2**15  # scrypt's n: 32 MiB of memory a try
_COSTS = (2**14, 2**20)  # what a file may ask of the one who opens it
_LEAST = 12  # characters


def sealed(found: Mapping[str, bytes], passphrase: str, about: str) -> bytes:
    """The secrets `found` as bytes that only the passphrase opens; `about` is bound to them."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    plain = json.dumps({name: base64.b64encode(body).decode() for name, body in found.items()}).encode()
    body = AESGCM(_key(passphrase, salt, _COST)).encrypt(nonce, plain, about.encode())
    parts = {"salt": salt, "nonce": nonce, "body": body}
    said = {name: base64.b64encode(part).decode() for name, part in parts.items()}
    return json.dumps({"kdf": "scrypt", "n": _COST, "r": 8, "p": 1, "cipher": "aes-256-gcm", **said}).encode()


def opened(body: bytes, passphrase: str, about: str) -> dict[str, bytes]:
    """What `sealed` sealed; raise `WrongPassphrase`."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        said = json.loads(body)
        cost = int(said["n"])
        if not _COSTS[0] <= cost <= _COSTS[1]:
            raise ValueError("the cost is out of bounds")
        salt, nonce, text = (base64.b64decode(said[name]) for name in ("salt", "nonce", "body"))
        plain = json.loads(AESGCM(_key(passphrase, salt, cost)).decrypt(nonce, text, about.encode()))
        return {str(name): base64.b64decode(value) for name, value in plain.items()}
    except (InvalidTag, ValueError, KeyError, TypeError):
        raise WrongPassphrase(
            f"the passphrase does not open the keys of {about}", mend="give the one that the backup was made with"
        ) from None


def checked(passphrase: str) -> str:
    """The passphrase, when it is long enough; raise `UnsafePassphrase`."""
    if len(passphrase) < _LEAST:
        raise UnsafePassphrase("the passphrase is too short", mend=f"use {_LEAST} characters or more")
    return passphrase


def of_file(path: Path) -> str:
    """The passphrase in the first line of a file that only its owner may read; raise `UnsafePassphrase`."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UnsafePassphrase(f"the passphrase file {path.name!r} cannot be read: {why}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise UnsafePassphrase(f"others may read the passphrase file {path.name!r}", mend=f"chmod 600 {path}")
    return checked(text.partition("\n")[0].rstrip("\r"))


def _key(passphrase: str, salt: bytes, cost: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(passphrase.encode())
