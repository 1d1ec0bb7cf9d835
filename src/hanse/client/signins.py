"""The sign-ins that `hanse login` keeps: a file of the person's own, by address, that nobody else may read."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any


def keeping_file() -> Path:
    """Where sign-ins are kept: `hanse/sign-ins.json` below XDG_CONFIG_HOME, or ~/.config."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "hanse" / "sign-ins.json"


def kept(address: str) -> str | None:
    """The token kept for the node at `address`, while it is good."""
    found = sign_ins().get(address.rstrip("/"))
    if found is None:
        return None
    try:
        ends = datetime.fromisoformat(str(found["ends"]))
    except (KeyError, ValueError):
        return None
    return str(found["token"]) if ends > datetime.now(timezone.utc) else None


def sign_ins() -> dict[str, Mapping[str, Any]]:
    """Every sign-in kept, by address: `token`, `person`, `ends` (RFC 3339). A file that others may read is not used."""
    file = keeping_file()
    try:
        if file.stat().st_mode & 0o077:
            return {}
        told = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(told, dict):
        return {}
    return {str(address): one for address, one in told.items() if isinstance(one, dict) and "token" in one}


def keep(address: str, *, token: str, person: str, ends: datetime) -> None:
    """Keep a sign-in, whole or not at all."""
    _write({**sign_ins(), address.rstrip("/"): {"token": token, "person": person, "ends": ends.isoformat()}})


def forget(address: str | None = None) -> list[str]:
    """Forget the sign-in at `address`, or all; the addresses that were forgotten."""
    known = sign_ins()
    gone = [one for one in known if address is None or one == address.rstrip("/")]
    if gone:
        _write({one: about for one, about in known.items() if one not in gone})
    return gone


def _write(told: Mapping[str, Mapping[str, Any]]) -> None:
    file = keeping_file()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=".sign-ins")  # mode 600
    with os.fdopen(handle, "w") as writing:
        json.dump(told, writing, indent=1)
        writing.flush()
        os.fsync(writing.fileno())
    os.replace(part, file)
