"""The node of this machine: who holds the project's homes, one in this process, and the issuer's key."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.errors import HanseError, Kind, code

if TYPE_CHECKING:
    from hanse.client import Client


class UnknownPerson(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "identity.unknown-person",
        Kind.NOT_FOUND,
        "Nobody has this name",
        "The people of the built-in issuer stand in people.yaml.",
        "Add the person to people.yaml, or use one of its names.",
    )

    def __init__(self, name: str, known: Iterable[str]) -> None:
        from hanse.names import nearest

        near = nearest(name, known, 1)
        super().__init__(
            f"people.yaml has no person {name[:63]!r}",
            mend=f"did you mean {near[0]}?" if near else f"one of: {', '.join(sorted(known))[:200] or 'nobody yet'}",
        )


class KeyUnreadable(HanseError):
    kind = Kind.DENIED
    code = code(
        "identity.key-unreadable",
        Kind.DENIED,
        "The issuer's key cannot be read",
        "Only who may read the key of the node's issuer may write tokens without asking anybody.",
        "Run the command as the user that runs the node, or ask for a token there.",
    )

    def __init__(self) -> None:
        super().__init__("the key of the node's issuer cannot be read by you", mend="run it as the node's own user")


def homes_of(root: Path) -> list[Path]:
    """The homes of the project in `root`, by name."""
    folder = root / ".hanse" / "homes"
    return sorted(home for home in folder.iterdir() if home.is_dir()) if folder.is_dir() else []


def holder(root: Path) -> str | None:
    """The address of the process that holds a home of the project now; None when nobody does."""
    from hanse.node.home.lock import holder as holder_of

    for home in homes_of(root):
        found = holder_of(home)
        if found is not None and found.address:
            return found.address
    return None


def in_process(root: Path, token: str | None) -> Client:
    """A client of a node that runs in this process for as long as the client is open."""
    from hanse.app import IN_PROCESS, InProcess
    from hanse.client import Client
    from hanse.client.asgi import AsgiTransport
    from hanse.node.home.lock import HomeLocked

    try:
        node = InProcess(root)
    except HomeLocked as locked:
        # somebody took the homes since we looked
        if locked.address is None:
            raise
        return Client(locked.address, token)
    return Client(IN_PROCESS, token, transport=AsgiTransport(node.app, node.loop), on_close=node.close)


def person_of_login(root: Path, login: str) -> str | None:
    """The one person of people.yaml whose `login` is `login`; None when there is none, or more than one."""
    found = [name for name, about in _people(root).items() if isinstance(about, dict) and about.get("login") == login]
    return found[0] if len(found) == 1 else None


def login_token(root: Path) -> str | None:
    """The token of the person whose `login` is the system's user, for whoever can read the issuer's key; else None."""
    import os
    import pwd

    person = person_of_login(root, pwd.getpwuid(os.getuid()).pw_name)
    try:
        return None if person is None else token(root, person)
    except (KeyUnreadable, UnknownPerson):
        return None


def token(root: Path, person: str, *, scopes: Iterable[str] | None = None, hours: float = 8) -> str:
    """A bearer token of `person`, written with the issuer's key; raise `UnknownPerson`, `KeyUnreadable`."""
    import os
    from datetime import UTC, datetime, timedelta

    from hanse.governance.identity import SCOPES, issue
    from hanse.node.layout import mesh_of
    from hanse.node.people import ISSUER, audience, issuer_key
    from hanse.node.settings import load

    people = _people(root)
    if person not in people:
        raise UnknownPerson(person, people)
    folder = root / ".hanse"
    try:
        folder.mkdir(exist_ok=True)
        key = issuer_key(folder / "issuer")
    except PermissionError:
        raise KeyUnreadable from None
    return issue(
        key,
        issuer=ISSUER,
        subject=person,
        audience=load(root, os.environ).audience or audience(mesh_of(root)),
        scopes=SCOPES if scopes is None else scopes,
        now=datetime.now(UTC),
        lifetime=timedelta(hours=hours),
    )


def _people(root: Path) -> dict[str, object]:
    import yaml

    file = root / "people.yaml"
    if not file.is_file():
        return {}
    try:
        tree = yaml.safe_load(file.read_bytes())
    except yaml.YAMLError:
        return {}
    people = tree.get("people") if isinstance(tree, dict) else None
    return {str(name): about for name, about in people.items()} if isinstance(people, dict) else {}
