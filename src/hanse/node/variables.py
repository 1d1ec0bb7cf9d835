"""The values of `${VARIABLE}` in connections and sources: given by the operator, by domain, and never shown."""

from __future__ import annotations

import configparser
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hanse.engine.sources.errors import UnsafeVariables

VARIABLES = Path(".hanse") / "variables.ini"
_PREFIX = "HANSE_VARIABLE_"
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Variables:
    """Values by domain and name; those of the domain "" are every domain's.

    In the environment HANSE_VARIABLE_NAME is every domain's and HANSE_VARIABLE_DOMAIN__NAME one domain's; in the file
    the sections are domains and [DEFAULT] is every domain's. A domain's own value goes before one for all, and the
    environment before the file.
    """

    values: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str], file: Path) -> Variables:
        """Those of the environment and of `file`; raises `UnsafeVariables`."""
        values = _of_file(file)
        for name, value in environment.items():
            if name.startswith(_PREFIX):
                domain, apart, own = name.removeprefix(_PREFIX).partition("__")
                values[(domain.lower(), own) if apart else ("", domain)] = value
        return cls(values)

    def value(self, domain: str, name: str) -> str | None:
        """The value of `name` for `domain`, or None."""
        return self.values.get((domain, name), self.values.get(("", name)))


def names_in(value: object) -> list[str]:
    """The variables that `value`, a tree of YAML, refers to."""
    if isinstance(value, str):
        return _REFERENCE.findall(value)
    if isinstance(value, Mapping):
        return [name for one in value.values() for name in names_in(one)]
    return [name for one in value for name in names_in(one)] if isinstance(value, list | tuple) else []


def filled(value: object, values: Mapping[str, str]) -> object:
    """`value` with every `${NAME}` put in from `values`, which holds them all."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: values[match[1]], value)
    if isinstance(value, Mapping):
        return {key: filled(one, values) for key, one in value.items()}
    return [filled(one, values) for one in value] if isinstance(value, list | tuple) else value


def _of_file(file: Path) -> dict[tuple[str, str], str]:
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            raw = opened.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UnsafeVariables(f"{VARIABLES} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise UnsafeVariables(f"{VARIABLES} can be read by others", mend=f"chmod 600 {VARIABLES}")
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        if len(raw) > _MOST_BYTES:
            raise UnicodeError
        parser.read_string(raw.decode("utf-8"))
    except (configparser.Error, UnicodeError):
        # its parser's message would repeat the line
        raise UnsafeVariables(
            f"{VARIABLES} cannot be read as variables", mend="write [DOMAIN], and below it lines of NAME = value"
        ) from None
    values = {("", name): value for name, value in parser.defaults().items()}
    for domain in parser.sections():
        own = {name: value for name, value in parser.items(domain) if parser.defaults().get(name) != value}
        values |= {(domain, name): value for name, value in own.items()}
    return values
