"""What can stand between a contract and the data of its server."""

from __future__ import annotations

from collections.abc import Iterable

from hanse.errors import HanseError, Kind, code
from hanse.names import nearest


class NoServer(HanseError):
    kind = Kind.INVALID
    code = code(
        "server.none", Kind.INVALID, "The contract names no server that can be read",
        "hanse test --contract reads the data where the contract's `servers` say that it is.",
        "Add a server of type local, duckdb, postgres, s3 or iceberg to the contract.",
    )  # fmt: skip

    def __init__(self, found: Iterable[str]) -> None:
        kinds = ", ".join(sorted(set(found)))
        what = f"has no server that hanse can read, only {kinds}" if kinds else "has no servers"
        super().__init__(
            f"the contract {what}",
            mend="add to it:  servers: [{server: here, type: local, path: ./data/*.parquet, format: parquet}]",
        )


class UnknownServer(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "server.unknown", Kind.NOT_FOUND, "The contract has no server of that name",
        "--server picks one of the contract's servers by its `server` name.",
        "Use one of the names in the contract.",
    )  # fmt: skip

    def __init__(self, name: str, known: Iterable[str]) -> None:
        known = list(known)
        near = nearest(name, known)
        super().__init__(
            f"the contract has no server {name!r}",
            mend=f"--server {near[0]}" if near else f"one of: {', '.join(known) or 'none is there'}",
        )


class BadServer(HanseError):
    kind = Kind.INVALID
    code = code(
        "server.bad", Kind.INVALID, "A server of the contract cannot be used as it is written",
        "A server needs the keys that its type demands, and formats that hanse reads.",
        "Mend the named key.",
    )  # fmt: skip


class MissingExtra(HanseError):
    kind = Kind.INVALID
    code = code(
        "server.missing-extra", Kind.INVALID, "A part that this server needs is not installed",
        "Heavy parts are extras, so that the core stays small; nothing is downloaded at run time.",
        "Install the named extra.",
    )  # fmt: skip

    def __init__(self, kind: str, extra: str) -> None:
        super().__init__(
            f"reading a server of type {kind} needs an extra that is not installed",
            mend=f"pip install 'hanse[{extra}]'",
        )


class ServerUnavailable(HanseError):
    kind = Kind.UNAVAILABLE
    code = code(
        "server.unavailable", Kind.UNAVAILABLE, "A server of the contract cannot be reached",
        "The data is tested where it is, so its server has to answer.",
        "Check the server's address and the credentials, then try again.",
    )  # fmt: skip


class UnsafeCredentials(HanseError):
    kind = Kind.INVALID
    code = code(
        "server.unsafe-credentials", Kind.INVALID, "A file with credentials can be read by others",
        "Secrets come from the environment or from a file that only its owner can read (mode 600).",
        "Take the rights of group and others away.",
    )  # fmt: skip

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} holds credentials and can be read by others", mend=f"chmod 600 {path}")
