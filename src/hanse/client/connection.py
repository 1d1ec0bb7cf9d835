"""Finding a node and a token: what was given, the environment, the project around, this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from .errors import HanseError
from .http import Client
from .mesh import Mesh
from .signins import kept

LOCAL = "http://localhost:8470"
TOKENS = "hanse.tokens"  # entry points that sign in without asking, on the node's own machine
_MARKS = ("mesh.yaml", "domain.yaml")


class Tokens(Protocol):
    """What an entry point of `hanse.tokens` is: the token of whoever runs this process, None when it has none."""

    def __call__(self, project: Path) -> str | None: ...


def connect(
    address: str | None = None, *, token: str | None = None, purpose: str | None = None, timeout: float = 330.0
) -> Mesh:
    """The mesh behind `address`; without one HANSE_NODE, the node that serves this project, http://localhost:8470.

    The token is `token`, HANSE_TOKEN, the sign-in that `hanse login` kept, or, in a project's own folder, that of the
    person whose `login:` in people.yaml is the system's user. `purpose` is stated with every read. Raises `HanseError`.
    """
    project = _project()
    tried = [address] if address else list(_addresses(project))
    for place in tried:
        if _answers(place, only=len(tried) == 1):
            found = token or os.environ.get("HANSE_TOKEN") or kept(place) or _local(project)
            if found is None:
                raise _not_signed_in(place)
            return Mesh(Client(place, found, timeout=timeout), purpose=purpose)
    raise HanseError(
        {
            "kind": "unavailable",
            "code": "http.unreachable",
            "detail": f"no node answers at {' or '.join(tried)}",
            "mend": "start one: hanse serve; or name one: hanse.connect('https://…')",
        }
    )


def _addresses(project: Path | None) -> Iterator[str]:
    named = os.environ.get("HANSE_NODE")
    if named:
        yield named
        return
    if project is not None:
        serving = dict.fromkeys(filter(None, map(_holder, sorted(project.glob(".hanse/homes/*/lock")))))
        yield from serving
    yield LOCAL


def _project() -> Path | None:
    """The nearest folder upwards that holds a mesh or a domain; a domain inside a mesh means the mesh."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "mesh.yaml").is_file():
            return folder
        if (folder / "domain.yaml").is_file():
            return folder.parent if (folder.parent / "mesh.yaml").is_file() else folder
    return None


def _holder(lock: Path) -> str | None:
    """The address that the holder of a home wrote into its lock; it may be gone since."""
    try:
        said = json.loads(lock.read_bytes()[:4096] or b"{}")
    except (OSError, ValueError):
        return None
    address = said.get("address") if isinstance(said, dict) else None
    return address if isinstance(address, str) and address.startswith(("http://", "https://")) else None


def _answers(address: str, *, only: bool) -> bool:
    """Whether a node answers there; the `only` place tells why it does not."""
    client = Client(address, None, timeout=5.0)
    try:
        told: Any = client.get("/.well-known/hanse")
        if isinstance(told, dict) and "mesh" in told:
            return True
        raise HanseError(
            {"kind": "unavailable", "code": "http.not-a-node", "detail": f"{address} does not speak hanse"}
        )
    except HanseError:
        if only:
            raise
        return False
    finally:
        client.close()


def _local(project: Path | None) -> str | None:
    if project is None:
        return None
    for point in entry_points(group=TOKENS):
        tokens: Tokens = point.load()
        found = tokens(project)
        if found is not None:
            return found
    return None


def _not_signed_in(address: str) -> HanseError:
    return HanseError(
        {
            "kind": "denied",
            "code": "identity.not-signed-in",
            "detail": f"nobody is signed in at {address}",
            "mend": f"hanse login --node {address}, or hanse.connect(token=…), or set HANSE_TOKEN",
        },
        401,
    )
