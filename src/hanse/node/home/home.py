"""A domain's home, opened: what it publishes, grants, decides by and records."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from hanse.errors import HanseError, Kind, code
from hanse.governance.decision import Grant, TableFacts
from hanse.governance.keys import new_key
from hanse.governance.policies import Policies, load
from hanse.names import ProductId
from hanse.node.facts import facts_of_line
from hanse.node.home.agreements import Agreements
from hanse.node.home.audit_writer import AuditWriter, Recorded
from hanse.node.home.database import Database, StoreUnreadable
from hanse.node.home.follows import Follows
from hanse.node.home.lock import Lock
from hanse.node.home.reads import Reads
from hanse.node.home.run_log import RunLog
from hanse.node.home.store import Store
from hanse.node.home.values import Publication, Published, PublishedLine
from hanse.spec.model import Contract, Domain, Mesh, Product, Project

Clock = Callable[[], datetime]
_FEW = 100  # publications that are read one by one


class NoHome(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "home.missing",
        Kind.NOT_FOUND,
        "There is no home in this folder",
        "A home is a folder with a store and a key; this one has none.",
        "Name the folder of a home, or let hanse make one: hanse plan, hanse serve.",
    )


class PublicationForgotten(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "query.publication-forgotten",
        Kind.NOT_FOUND,
        "The data of this former publication is no longer kept",
        "A product keeps former publications as long as `keep` in its build.yaml or domain.yaml says.",
        "Read a later publication: hanse show PRODUCT lists those that are kept. To keep more from now on, raise keep.",
    )

    def __init__(self, product: ProductId, sequence: int, at: datetime) -> None:
        super().__init__(
            f"publication {sequence} of {product} is no longer kept: it was forgotten on {at:%Y-%m-%d}",
            mend=f"hanse show {product} lists the publications that are kept",
        )


class Home:
    """Everything a domain owns. One process holds it."""

    def __init__(self, path: Path, domain: str, clock: Clock, database: Database, lock: Lock, key: bytes, mask: bytes):
        self.path, self.domain, self.clock = path, domain, clock
        self.warehouse, self.copies = path / "warehouse", path / "copies"
        self.catalog = path / "iceberg.db"
        self.key, self.mask_key = key, mask
        self.lock = lock
        self.store = Store(database, domain, clock)
        self.agreements = Agreements(self.store)
        self.store.begin_events()
        self.follows = Follows(self.store)
        self.run_log = RunLog(self.store, clock)
        self.audit = AuditWriter(database, key, clock)
        self.reads = Reads()
        self._database = database
        self._changing = threading.RLock()
        self._cached: tuple[int, Mapping[ProductId, Published]] | None = None
        self._retired: dict[ProductId, int] = {}
        self._grants: tuple[int, Mapping[ProductId, tuple[Grant, ...]], Mapping[str, tuple[Grant, ...]]] | None = None
        self._facts: dict[ProductId, tuple[Published, tuple[TableFacts, ...]]] = {}
        self._policies: tuple[int, object, Policies] | None = None
        self._governance: tuple[int, str | None, Project] | None = None

    @classmethod
    def create(
        cls, path: Path, domain: str, clock: Clock, *, url: str | None = None, address: str | None = None
    ) -> Home:
        """Make the home of `domain` in the folder `path`, or open the one that is there."""
        with _told(path):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            (path / "warehouse").mkdir(exist_ok=True)
            (path / "copies").mkdir(exist_ok=True)
            # each for itself: a process may have been killed between the two
            if not (path / "mask.key").exists():
                _write_secret(path / "mask.key", secrets.token_bytes(32))
            if not (path / "key").exists():
                _write_secret(path / "key", new_key())
        return cls.open(path, clock, domain=domain, url=url, address=address)

    @classmethod
    def open(
        cls, path: Path, clock: Clock, *, domain: str | None = None, url: str | None = None, address: str | None = None
    ) -> Home:
        """Take the lock of the home in `path` and open its store.

        Raises `NoHome`, `HomeLocked`, `NewerStore` (the store is left untouched), `StoreUnreadable`.
        """
        if not (path / "key").exists():
            raise NoHome(f"{path.name!r} is no home", mend="hanse plan makes the homes of a project")
        domain = domain or path.name
        with _told(path):
            lock = Lock(path, address)
        try:
            database = Database.sqlite(path / "store.db") if url is None else Database.postgres(url, f"hanse_{domain}")
            return cls(
                path, domain, clock, database, lock, (path / "key").read_bytes(), (path / "mask.key").read_bytes()
            )
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        """Write the audit to its end, close the store, give the lock back."""
        self.audit.close()
        self._database.close()
        self.lock.release()

    @contextmanager
    def change(self) -> Iterator[Recorded]:
        """A transaction that changes what readers may see, with its own audit entries; one at a time."""
        with self._changing:
            with self.audit.transaction() as recorded:
                yield recorded
            self.store.generation += 1

    # -- what readers get

    def published(self) -> Mapping[ProductId, Published]:
        """The publication of every product that readers get; retired ones are not among them.

        The very same mapping until something is published, and in a later one the very same value of what was not.
        """
        generation = self.store.generation
        if self._cached is None or self._cached[0] != generation:
            self._cached = (generation, self._moved({} if self._cached is None else self._cached[1]))
        return self._cached[1]

    def _moved(self, held: Mapping[ProductId, Published]) -> Mapping[ProductId, Published]:
        """What is published now; only what is not in `held` is read anew."""
        pointers = self.store.pointers()
        team = self.team.team if self.team else None
        kept = {
            id: one
            for id, one in held.items()
            if pointers.get(id) == one.sequence and (team is None or one.domain_team == team)
        }
        wanted = [id for id, number in pointers.items() if id not in kept and self._retired.get(id) != number]
        read = self.store.current() if len(wanted) > _FEW else self.store.current(wanted)
        self._retired |= {id: one.sequence for id, one in read.items() if one.kind == "retire"}
        new = {id: self._published(one) for id, one in read.items() if id not in kept and one.kind != "retire"}
        return held if held and not new and len(kept) == len(held) else kept | new

    def access_of_retired(self, product: ProductId) -> str | None:
        """How a product that is served no longer could be asked for, as its last publication says."""
        last = self.store.current([product]).get(product)
        return None if last is None else _descriptors(self.store, product, last.bundle)[0].access.value

    def at_sequence(self, product: ProductId, sequence: int) -> Published | None:
        """An earlier publication, by its number."""
        return self._then(self.store.publication(product, sequence))

    def at_time(self, product: ProductId, at: datetime) -> Published | None:
        """The publication that was current at `at`."""
        return self._then(self.store.publication_at(product, at))

    def facts(self, product: ProductId) -> tuple[TableFacts, ...]:
        """The facts of a product's tables, as it is published now."""
        published = self.published().get(product)
        if published is None:
            return ()
        held = self._facts.get(product)
        if held is None or held[0] is not published:
            held = (published, _facts(published))
            self._facts[product] = held
        return held[1]

    def grants(self, product: ProductId) -> tuple[Grant, ...]:
        """Every grant on a product, ended ones too: they say when access ended."""
        return self._agreed()[0].get(product, ())

    def grants_to(self, whom: str) -> tuple[Grant, ...]:
        """Every grant to a person, team or product, ended ones too."""
        return self._agreed()[1].get(whom, ())

    def _agreed(self) -> tuple[Mapping[ProductId, tuple[Grant, ...]], Mapping[str, tuple[Grant, ...]]]:
        """The grants by product, and by whom they are to."""
        generation = self.store.generation
        if self._grants is None or self._grants[0] != generation:
            by_product: dict[ProductId, list[Grant]] = {}
            by_whom: dict[str, list[Grant]] = {}
            for grant in self.agreements.grants():
                by_product.setdefault(grant.product, []).append(grant)
                by_whom.setdefault(grant.to, []).append(grant)
            self._grants = (
                generation,
                {product: tuple(held) for product, held in by_product.items()},
                {whom: tuple(held) for whom, held in by_whom.items()},
            )
        return self._grants[1:]

    # -- what is decided by

    def policies(self) -> Policies:
        """The effective policies: those published last."""
        generation = self.store.generation
        if self._policies is None or self._policies[0] != generation:
            project = self.governance()
            prefix = f"{self.domain}/policies/"
            own = {path.removeprefix(prefix): text for path, text in project.files.items() if path.startswith(prefix)}
            whole = {p.removeprefix("policies/"): t for p, t in project.files.items() if p.startswith("policies/")}
            classes = project.mesh.classifications if project.mesh else ()
            if self._policies is None or self._policies[1] != (whole, own, classes):
                loaded = load(whole, self.domain, own, classes)[0]
                self._policies = (generation, (whole, own, classes), loaded)
            else:
                self._policies = (generation, *self._policies[1:])
        return self._policies[2]

    def governance(self) -> Project:
        """The documents that govern the domain, as published: mesh.yaml, domain.yaml and policies."""
        generation = self.store.generation
        if self._governance is None or self._governance[0] != generation:
            from hanse.spec.project import project

            digest = self.store.meta("policies")
            if self._governance is None or self._governance[1] != digest:
                files = self.store.policy_set(digest) if digest else None
                self._governance = (generation, digest, project(files or {})[0])
            else:
                self._governance = (generation, *self._governance[1:])
        return self._governance[2]

    @property
    def mesh(self) -> Mesh | None:
        return self.governance().mesh

    @property
    def team(self) -> Domain | None:
        """domain.yaml as published."""
        return self.governance().domains.get(self.domain)

    def _then(self, found: Publication | None) -> Published | None:
        """A former state; raise `PublicationForgotten` when its data is no longer kept."""
        if found is None or found.kind == "retire":
            return None
        if found.forgotten_at is not None:
            raise PublicationForgotten(found.product, found.sequence, found.forgotten_at)
        return self._published(found)

    def _published(self, publication: Publication) -> Published:
        product, contracts = _descriptors(self.store, publication.product, publication.bundle)
        lines = {}
        for record in publication.lines:
            contract = contracts[record.contract_file]
            assert contract.version is not None
            lines[record.line] = PublishedLine(contract, contract.version, record.snapshot)
        team = self.team
        return Published(
            product,
            team.team if team else product.owner or "",
            lines,
            publication.default_major,
            publication.main,
            publication.sequence,
            publication.at,
            publication.plan,
            publication.status,
            publication.by,
            publication.lineage,
            publication.report,
            publication.bundle,
        )


def _facts(published: Published) -> tuple[TableFacts, ...]:
    return tuple(
        facts
        for line, state in published.lines.items()
        for facts in facts_of_line(published.product, line, state.contract, published.domain_team, published.status)
    )


@lru_cache(maxsize=1024)
def _descriptors(store: Store, product: ProductId, bundle: str) -> tuple[Product, Mapping[str, Contract]]:
    """The product and its contracts by file, from a publication's bundle; bundles never change."""
    from hanse.spec import document, read

    found, contracts = None, {}
    for path, text in (store.texts(bundle) or {}).items():
        if path.endswith((".odps.yaml", ".odcs.yaml")):
            loaded, _ = document.load(text, path)
            assert loaded is not None
            if path.endswith(".odps.yaml"):
                found, _ = read.product(loaded, product)
            elif (contract := read.contract(loaded)[0]) is not None:
                contracts[path] = contract
    assert found is not None
    return found, contracts


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A disk that refuses, in words."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StoreUnreadable(
            f"the home {path.name!r} cannot be opened: {why}", mend="mend or free its disk"
        ) from error


def _write_secret(path: Path, secret: bytes) -> None:
    """Write a secret that only its owner may read, whole or not at all; never over another one."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process made the home at the same time: its secret stands
            os.link(part, path)
    finally:
        part.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
