"""Credentials of a contract's servers: from the variables handed down, or a file that only its owner can read."""

from __future__ import annotations

import configparser
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hanse.engine.servers.errors import BadServer, UnsafeCredentials

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password, either of them perhaps unknown; neither is ever printed."""

    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return "Credentials(…)"

    def redact(self, text: str) -> str:
        """`text` without the password, should an engine's message repeat it."""
        return text.replace(self.password, "…") if self.password else text


def credentials(server: str, variables: Mapping[str, str], file: Path | None) -> Credentials:
    """Those of `server`: HANSE_SERVER_<NAME>_USER and _PASSWORD, else its section of `file` (INI, mode 600)."""
    name = re.sub(r"[^A-Z0-9]", "_", server.upper())
    user, password = (variables.get(f"HANSE_SERVER_{name}_{part}") for part in ("USER", "PASSWORD"))
    if user is None and password is None and file is not None and file.is_file():
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise UnsafeCredentials(str(file))
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(file.read_text(encoding="utf-8"))
        except (configparser.Error, UnicodeDecodeError) as problem:
            raise BadServer(
                f"{file} cannot be read as credentials",
                mend="write a section a server:  [NAME], then  user = …  and  password = …",
            ) from problem
        if parser.has_section(server):
            user, password = parser.get(server, "user", fallback=None), parser.get(server, "password", fallback=None)
    return Credentials(user, password)


def resolved(server: Mapping[str, object], variables: Mapping[str, str]) -> dict[str, object]:
    """`server` with its `${NAME}` replaced by HANSE_VARIABLE_NAME.

    Only those are looked up: a contract is a stranger's text and must not be able to send any variable anywhere.
    """

    def value(match: re.Match[str]) -> str:
        found = variables.get(f"HANSE_VARIABLE_{match[1]}")
        if found is None:
            raise BadServer(f"the server uses {match[0]}, which is not set", mend=f"export HANSE_VARIABLE_{match[1]}=…")
        return found

    return {k: _VARIABLE.sub(value, v) if isinstance(v, str) else v for k, v in server.items()}
