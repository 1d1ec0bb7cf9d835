"""Who executes, and as whom: the one door from a verb to a node (design §3)."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hanse.cli.state import State, state
from hanse.errors import HanseError, Kind, code

if TYPE_CHECKING:
    from hanse.client import Client


# what the client says of its own; it stands alone, so its words are declared here
for _slug, _kind, _title, _why, _mend in (
    (
        "http.unreachable", Kind.UNAVAILABLE, "The node cannot be reached",
        "Nobody answered at its address in time.", "Check the address, or start the node: hanse serve.",
    ),
    (
        "http.broken-answer", Kind.FAILED, "An answer broke off before its end",
        "The node stopped it, at a limit or because of a failure; what came so far must not be taken for the whole.",
        "Ask again; the node's audit names the limit.",
    ),
    (
        "http.not-a-node", Kind.UNAVAILABLE, "Another program answers at this address",
        "What it said is not what a node of hanse says.", "Check the address.",
    ),
    (
        "http.refused", Kind.INVALID, "The node refused without saying why",
        "Something between here and the node answered in its place.", "Look at what stands between: a proxy.",
    ),
):  # fmt: skip
    code(_slug, _kind, _title, _why, _mend)


class NotSignedIn(HanseError):
    kind = Kind.DENIED
    code = code(
        "identity.not-signed-in",
        Kind.DENIED,
        "Nobody is signed in",
        "Every call needs a token, so that every answer can be decided for the one who asks. In the project's folder "
        "the person whose `login:` in people.yaml is the user of the operating system needs none.",
        "hanse login; or give a token with --as-token FILE or HANSE_TOKEN: on the node's machine `hanse token PERSON` "
        "prints one.",
    )

    def __init__(self, address: str | None = None, *, login: str | None = None) -> None:
        if login is None:
            super().__init__(f"nobody is signed in at {address}", mend=f"hanse login --node {address}")
        else:
            super().__init__(
                f"no person in people.yaml has the login {login!r}",
                mend=f"hanse as PERSON -- COMMAND, or add `login: {login}` to your person in people.yaml",
            )


def connect(ctx: click.Context) -> Client:
    """The client of the node that answers this call: --node, else the project's, else one in this process."""
    flags = state(ctx)
    if flags.client is None:
        flags.client = _connect(flags)
    return flags.client


def bundle(ctx: click.Context) -> dict[str, str]:
    """The project's text files by path below its root, what `POST /plan` takes; never data, at most 16 MiB."""
    return read_bundle(state(ctx).root)


def read_bundle(root: Path) -> dict[str, str]:
    """The text files below `root` by path, hidden folders and data left out; raise what `project_files.read` does."""
    from hanse.node.project_files import read

    return read(root)


def token_for(flags: State) -> str:
    """The token of this call: --as-token, HANSE_TOKEN, the sign-in kept for the node; on its own machine the login's.

    Raises `NotSignedIn`.
    """
    return _token(flags, *_place(flags))


def _connect(flags: State) -> Client:
    from hanse.client import Client

    address, root = _place(flags)
    token = _token(flags, address, root)
    if address is not None:
        return Client(address, token)
    from hanse.cli.local import in_process

    assert root is not None
    return in_process(root, token)


def _place(flags: State) -> tuple[str | None, Path | None]:
    """The address of the node to ask, None for one in this process; the project, when the node is its own."""
    from hanse.cli.local import holder

    remote = flags.node or os.environ.get("HANSE_NODE")
    if not remote:
        return holder(flags.root), flags.root
    root = flags.find_root()
    own = root is not None and holder(root) == remote.rstrip("/")
    return remote, root if own else None


def _token(flags: State, address: str | None, root: Path | None) -> str:
    from hanse.client.signins import kept

    token = _given_token(flags) or (kept(address) if address else None)
    if token is not None:
        return token
    if root is None:
        raise NotSignedIn(address)
    return _local_token(root)


def _given_token(flags: State) -> str | None:
    if flags.as_token is not None:
        return flags.as_token.read_text().strip()
    return os.environ.get("HANSE_TOKEN") or None


def _local_token(root: Path) -> str:
    from hanse.cli.local import person_of_login, token

    login = pwd.getpwuid(os.getuid()).pw_name
    person = person_of_login(root, login)
    if person is None:
        raise NotSignedIn(login=login)
    return token(root, person)
