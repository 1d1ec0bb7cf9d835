"""A domain's sources on this node: its connections with their values put in, read by the plug-in of their kind."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from hanse.engine.sources import Connection, Given, Scan, Source, SourceBadOption, Wanted, reader
from hanse.engine.sources.egress import Egress
from hanse.engine.sources.errors import BadConnection, NoConnection, VariableMissing
from hanse.errors import HanseError
from hanse.names import nearest
from hanse.node.builds.stream import waited
from hanse.node.variables import filled, names_in
from hanse.spec.model import Domain

if TYPE_CHECKING:
    from hanse.engine.engine import Engine
    from hanse.node.settings import Settings

FOLDER = "sources"  # of a home: what is read from elsewhere lies here while a table is built


@dataclass(frozen=True, slots=True)
class Sources:
    """Reads sources as a domain: with its connections, below the operator's roots, within the operator's egress.

    Without an engine, for a call of the command line that opens no node, each reading starts its own process:

        source, given = Sources(settings).resolved(written, domain, base)
        with Sources(settings).scan(source, given, Wanted(rows=100_000), folder) as scan: …
    """

    settings: Settings
    engine: Engine | None = None

    def resolved(self, source: Source, domain: Domain | None, base: Path) -> tuple[Source, Given]:
        """`source` with its kind, and what it is read with; raises `NoConnection`, `VariableMissing`.

        A path of a source starts at `base`, one of a connection at the folder of its domain.yaml.
        """
        name = source.options.get("connection")
        options = {key: value for key, value in source.options.items() if key != "connection"}
        values = self._values(domain, options, f"source {source.name!r}", str(source.place))
        found: dict[str, Any] = {key: filled(value, values) for key, value in options.items()}
        link = None if name is None else self.connection(domain, str(name), str(source.place))
        if link is not None and source.kind and source.kind != link.kind:
            raise SourceBadOption(
                f"source {source.name!r} is of kind {source.kind}, its connection {link.name!r} of kind {link.kind}",
                where=str(source.place),
                mend="leave kind out: the connection says it",
            )
        if link is None and values:  # what holds the values keeps them out of errors
            link = Connection(source.name, source.kind, {})
        if link is not None:
            link = replace(link, secrets=link.secrets | {value for value in values.values() if value})
        kind = source.kind or (link.kind if link is not None else "")
        given = self.given(base if name is None else self._folder(domain), link)
        return Source(source.name, kind, found, source.place), given

    def given(self, base: Path, link: Connection | None) -> Given:
        """What the operator gives every source."""
        settings = self.settings
        return Given(
            settings.roots,
            base,
            link,
            Egress.of(settings.egress),
            settings.engine.source_seconds,
            settings.engine.source_bytes,
        )

    def connection(self, domain: Domain | None, name: str, where: str = "") -> Connection:
        """The connection `name` of `domain` with its values; raises `NoConnection`, `VariableMissing`."""
        known = connections(domain)
        tree = known.get(name)
        if tree is None:
            near = nearest(name, known)
            told = domain.name if domain is not None else "the domain"
            raise NoConnection(
                f"{told} has no connection {name[:63]!r}",
                where=where,
                mend=f"write connection: {near[0]}" if near else f"add connections: {{{name[:63]}: …}} to domain.yaml",
            )
        kind = tree.get("kind")
        if not isinstance(kind, str):
            raise BadConnection(f"connection {name!r} says no kind", where=where, mend="add kind: postgres, s3, …")
        values = self._values(domain, tree, f"connection {name!r}", where)
        options = {str(key): filled(value, values) for key, value in tree.items() if key != "kind"}
        return Connection(name, kind, options, frozenset(value for value in values.values() if value))

    def missing(self, domain: Domain, name: str) -> list[str]:
        """The variables of the connection `name` that have no value here."""
        wanted = dict.fromkeys(names_in(connections(domain).get(name)))
        return [one for one in wanted if self.settings.variables.value(domain.name, one) is None]

    def _values(self, domain: Domain | None, tree: object, what: str, where: str) -> dict[str, str]:
        values: dict[str, str] = {}
        for name in names_in(tree):
            value = self.settings.variables.value(domain.name if domain is not None else "", name)
            if value is None:
                own = f"HANSE_VARIABLE_{domain.name.upper()}__{name}" if domain is not None else name
                raise VariableMissing(
                    f"{what} uses ${{{name[:63]}}}, which has no value here",
                    where=where,
                    mend=f"export {own}=… where the node runs, or write {name} = … into .hanse/variables.ini",
                )
            values[name] = value
        return values

    def fingerprint(self, source: Source, given: Given, cancelled: Event) -> str | None:
        """A text that changes when the data of `source` does; None when only reading it tells."""
        with _redacted(given):
            found = reader(source)
            if not found.remote:
                return found.fingerprint(source, given)
            told = self._apart("fingerprint", source, given, Wanted(), Path(), cancelled)
            return None if told is None else str(told)

    @contextmanager
    def scan(
        self, source: Source, given: Given, wanted: Wanted, home: Path, cancelled: Event | None = None
    ) -> Iterator[Scan]:
        """How to read `source`, for the `with`: what lies elsewhere is read into a folder of `home` that then goes."""
        with _redacted(given):
            found = reader(source)
        if not found.remote:
            with _redacted(given):
                scan = found.scan(source, given, wanted, given.base)
            yield scan
            return
        folder = home / FOLDER / secrets.token_hex(8)
        folder.mkdir(parents=True, mode=0o700)
        try:
            with _redacted(given):
                scan = self._apart("scan", source, given, wanted, folder, cancelled or Event())
            yield scan
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def check(self, link: Connection, domain: Domain, cancelled: Event | None = None) -> str:
        """Connect, and say in a few words what answered; raises the errors of `hanse.engine.sources.errors`."""
        source, given = Source(link.name, link.kind, {}, domain.place), self.given(self._folder(domain), link)
        with _redacted(given):
            reader(source)
            return str(self._apart("check", source, given, Wanted(), Path(), cancelled or Event()))

    def _folder(self, domain: Domain | None) -> Path:
        place = Path(domain.place.file).parent if domain is not None else Path()
        return self.settings.project / place

    def _apart(self, what: str, source: Source, given: Given, wanted: Wanted, folder: Path, cancelled: Event) -> Any:
        if self.engine is None:
            return _alone(what, source, given, wanted, folder)
        loop = self.engine.loop
        if loop is None:
            raise RuntimeError("the engine is not started")
        return waited(self.engine.source(what, source, given, wanted, folder), loop, cancelled)


def _alone(what: str, source: Source, given: Given, wanted: Wanted, folder: Path) -> Any:
    from hanse.engine.sources import apart
    from hanse.engine.worker.process import Zygote

    zygote = Zygote()
    zygote.start()
    try:
        return apart.alone(zygote, what, source, given, wanted, folder)
    finally:
        zygote.stop()


def connections(domain: Domain | None) -> Mapping[str, Mapping[str, Any]]:
    """The connections of `domain` as written, by name."""
    tree = domain.raw.get("connections") if domain is not None else None
    if not isinstance(tree, Mapping):
        return {}
    return {str(name): value for name, value in tree.items() if isinstance(value, Mapping)}


def described(source: Source, domain: Domain | None) -> str:
    """`source` and its connection as they are written: no value of a variable is in it."""
    link = connections(domain).get(str(source.options.get("connection")))
    return repr((source.kind, sorted(source.options.items(), key=str), sorted((link or {}).items(), key=str)))


@contextmanager
def _redacted(given: Given) -> Iterator[None]:
    """Take the values of variables out of an error's words, whoever wrote them."""
    try:
        yield
    except HanseError as error:
        if given.connection is not None:
            for part in ("message", "mend", "why", "where"):
                setattr(error, part, given.connection.redact(getattr(error, part)))
            error.args = (error.message,)
        raise
