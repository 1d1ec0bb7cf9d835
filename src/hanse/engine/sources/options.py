"""What a connection and a source say, read key by key."""

from __future__ import annotations

from collections.abc import Collection

from hanse.engine.sources import Connection, Given, Source
from hanse.engine.sources.errors import BadConnection, NoConnection, SourceBadOption
from hanse.names import nearest

DESCRIBING = ("columns", "window", "changed")  # of every source that is read by rows


def connection(source: Source, given: Given, known: Collection[str]) -> Connection:
    """The connection that `source` needs, with no key but `known`."""
    if given.connection is None:
        raise NoConnection(
            f"source {source.name!r} names no connection",
            where=str(source.place),
            mend="add connection: NAME, a name under connections in domain.yaml",
        )
    return checked(given.connection, known)


def checked(link: Connection, known: Collection[str]) -> Connection:
    """`link`, which has no key but `known`; raises `BadConnection`."""
    for key in link.options:
        if key not in known:
            near = nearest(key, known) or sorted(known)
            raise BadConnection(
                f"connection {link.name!r}: a {link.kind} connection has no {key[:60]!r}",
                mend=f"write one of: {', '.join(near)}",
            )
    return link


def text(link: Connection, key: str, default: str | None = None) -> str:
    """The text under `key`; raises `BadConnection` when it is not there."""
    value = link.options.get(key, default)
    if isinstance(value, str) and value and "\0" not in value:
        return value
    raise BadConnection(f"connection {link.name!r} has no {key}", mend=f"add {key}: … to it in domain.yaml")


def port(link: Connection, default: int) -> int:
    """The port: a number, or the text of one where it came from a variable."""
    value = link.options.get("port", default)
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        raise BadConnection(f"connection {link.name!r}: port is a number from 1 to 65535", mend=f"port: {default}")
    return value


def only(source: Source, known: Collection[str]) -> None:
    """Raise `SourceBadOption` for a key of `source` that is not `known`."""
    for key in source.options:
        if key not in known:
            near = nearest(key, known) or sorted(known)
            raise SourceBadOption(
                f"source {source.name!r}: a {source.kind} source has no option {key[:60]!r}",
                where=str(source.place),
                mend=f"write one of: {', '.join(near)}",
            )


def wanted(source: Source, key: str, example: str) -> str:
    """The text under `key` of `source`."""
    value = source.options.get(key)
    if isinstance(value, str) and value and "\0" not in value:
        return value
    raise SourceBadOption(f"source {source.name!r} has no {key}", where=str(source.place), mend=f"add {key}: {example}")
