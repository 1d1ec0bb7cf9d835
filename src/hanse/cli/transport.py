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

BUNDLE_BYTES = 16 * 1024 * 1024
_TEXTS = frozenset({".yaml", ".yml", ".sql", ".py", ".cedar", ".md", ".json", ".txt"})
_SKIPPED = frozenset({"node_modules", "__pycache__", "data"})


class NotSignedIn(HanseError):
    kind = Kind.DENIED
    code = code(
        "identity.not-signed-in",
        Kind.DENIED,
        "Nobody is signed in",
        "Every call needs a token, so that every answer can be decided for the one who asks. In the project's folder the "
        "person whose `login:` in people.yaml is the user of the operating system needs none.",
        "Give a token with --as-token FILE or HANSE_TOKEN; on the node's machine `hanse token PERSON` prints one.",
    )

    def __init__(self, login: str | None = None) -> None:
        if login is None:
            super().__init__(
                "no token was given for this node",
                mend="HANSE_TOKEN=… hanse …   (on the node's own machine: hanse token PERSON)",
            )
        else:
            super().__init__(
                f"no person in people.yaml has the login {login!r}",
                mend=f"hanse as PERSON -- COMMAND, or add `login: {login}` to your person in people.yaml",
            )


class BundleTooLarge(HanseError):
    kind = Kind.INVALID
    code = code(
        "walk.bundle-too-large",
        Kind.INVALID,
        "The project's text files are too large",
        "A plan carries the project's descriptors, transforms and policies, at most 16 MiB, and never data.",
        "Keep data and generated files out of the project's folders, or in a folder called data.",
    )

    def __init__(self) -> None:
        super().__init__("the project's text files exceed 16 MiB", mend="move data files out of the project's folder")


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
    """The text files below `root` by path, hidden folders and data left out; raise `BundleTooLarge`."""
    texts: dict[str, str] = {}
    size = 0
    for folder, names, files in os.walk(root):
        names[:] = sorted(n for n in names if not n.startswith(".") and n not in _SKIPPED)
        for name in sorted(files):
            path = Path(folder, name)
            if path.suffix not in _TEXTS or name.startswith(".") or path.is_symlink():
                continue
            size += path.stat().st_size
            if size > BUNDLE_BYTES:
                raise BundleTooLarge()
            try:
                texts[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
    return texts


def _connect(flags: State) -> Client:
    from hanse.client import Client

    token = _given_token(flags)
    remote = flags.node or os.environ.get("HANSE_NODE")
    if remote:
        if token is None:
            raise NotSignedIn()
        return Client(remote, token)
    root = flags.root
    from hanse.cli.local import holder, in_process

    if token is None:
        token = _local_token(root)
    address = holder(root)
    return Client(address, token) if address else in_process(root, token)


def _given_token(flags: State) -> str | None:
    if flags.as_token is not None:
        return flags.as_token.read_text().strip()
    return os.environ.get("HANSE_TOKEN") or None


def _local_token(root: Path) -> str:
    from hanse.cli.local import person_of_login, token

    login = pwd.getpwuid(os.getuid()).pw_name
    person = person_of_login(root, login)
    if person is None:
        raise NotSignedIn(login)
    return token(root, person)
