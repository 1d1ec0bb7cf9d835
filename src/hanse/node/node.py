"""A node: a process that opens one or more homes and serves them."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.errors import HanseError, Kind, code
from hanse.governance.decision import Principal, PrincipalKind
from hanse.governance.identity import Claims, Verifier, issue, public_jwk
from hanse.names import ProductId
from hanse.node import freshness
from hanse.node.access import endings
from hanse.node.catalog.catalog import Catalog
from hanse.node.finding.index import SearchIndex
from hanse.node.freshness import Watch
from hanse.node.home import Home
from hanse.node.home.reads import Reads
from hanse.node.layout import domains_of, mesh_of
from hanse.node.names import Names
from hanse.node.outbox import deliver
from hanse.node.people import ISSUER, People, audience, issuer_key
from hanse.node.runs import Run, Runs
from hanse.node.scheduling.scheduler import Scheduler
from hanse.node.sign_ins import Issue, SignIns
from hanse.node.sources import FOLDER, Sources
from hanse.node.upkeep import Upkeep
from hanse.spec.model import Domain

if TYPE_CHECKING:
    from hanse.engine.engine import Engine
    from hanse.node.settings import Settings

Clock = Callable[[], datetime]
LOG = logging.getLogger("hanse.node")


class NoProject(HanseError):
    kind = Kind.INVALID
    code = code(
        "node.no-project",
        Kind.INVALID,
        "There is no project here",
        "A node works for a project: a folder with mesh.yaml, or with a domain's domain.yaml.",
        "Go to the project's folder, or name it with --dir.",
    )


class Node:
    """Opened homes, who may ask, and the engine that answers."""

    def __init__(self, settings: Settings, homes: Mapping[str, Home], clock: Clock, engine: Engine, mesh: str) -> None:
        self.settings, self.homes, self.clock, self.engine, self.mesh = settings, homes, clock, engine, mesh
        self.catalog = Catalog(self)
        self.names = Names(homes, self.catalog)
        self.index = SearchIndex(settings.project / ".hanse" / "node.db")
        self.sources = Sources(settings, engine)
        self.people = People(settings.project / "people.yaml")
        self.issuer = ISSUER
        self.runs = Runs(clock, kept=self._keep)
        self.reads = Reads()
        for home in homes.values():
            home.reads = self.reads  # a question reads in several
        self.upkeep = Upkeep(
            homes, timedelta(hours=settings.stage_grace_hours), timedelta(minutes=settings.clean_minutes)
        )
        self.watch = Watch(homes, timedelta(seconds=settings.freshness_seconds), (freshness.told, endings.told))
        key = issuer_key(settings.project / ".hanse" / "issuer")
        whom = settings.audience or audience(mesh)
        self.verifier = Verifier({ISSUER: [public_jwk(key)]}, whom)
        self.sign_ins = SignIns(clock, _issuing(key, whom, clock))
        self.scheduler = Scheduler(self)
        self._domains: dict[str, tuple[int, Domain | None]] = {}

    @classmethod
    def open(cls, settings: Settings, clock: Clock, *, homes: Sequence[Path] = (), address: str | None = None) -> Node:
        """Open the homes of the project (made at first use), or those in the folders `homes`, and take their locks.

        Raises `NoProject`, and what `Home.open` raises; then no home stays held.
        """
        from hanse.engine.engine import Engine

        root = settings.project
        domains, homes = domains_of(root), tuple(homes) or settings.homes
        if not domains and not homes:
            raise NoProject(f"{root.name!r} holds no mesh.yaml and no domain.yaml", mend="name the project: --dir D")
        opened: dict[str, Home] = {}
        try:
            for domain, folder in _folders(root, domains, homes):
                url = settings.stores.get(domain)
                opened[domain] = Home.create(folder, domain, clock, url=url, address=address)
            node = cls(settings, opened, clock, Engine(settings.engine), mesh_of(root))
        except BaseException:
            for home in opened.values():
                home.close()
            raise
        node.repair()
        if address is not None:
            node.upkeep.start()
            node.watch.start()
            node.index.start(opened)
        return node

    def find(self, domain: str) -> Home | None:
        """The home of `domain`, if it is open here."""
        return self.homes.get(domain)

    def principal(self, claims: Claims) -> Principal:
        """Who a verified token speaks of; `TokenRefused` when nobody knows them any more."""
        return self.people.principal(claims)

    def product_principal(self, product: ProductId) -> Principal:
        """A product as the reader of its inputs, in the team that owns it."""
        domain = self.domain(product.domain)
        teams = frozenset({domain.team}) if domain else frozenset()
        return Principal(PrincipalKind.PRODUCT, str(product), teams, domain=product.domain)

    def domain(self, name: str) -> Domain | None:
        """domain.yaml as published or, before a domain's first publication, as it lies in the node's project."""
        home = self.homes.get(name)
        if home is not None and home.team is not None:
            return home.team
        path = self.settings.project / name / "domain.yaml"
        own = self.settings.project / "domain.yaml"
        file, said = (path, f"{name}/domain.yaml") if path.is_file() else (own, "domain.yaml")
        if not file.is_file():
            return None
        seen = file.stat().st_mtime_ns
        held = self._domains.get(name)
        if held is None or held[0] != seen:
            from hanse.spec.project import project

            held = (seen, project({said: file.read_text(encoding="utf-8")})[0].domains.get(name))
            self._domains[name] = held
        return held[1]

    def _keep(self, run: Run) -> None:
        """Note a run that has ended in the home of each domain that it worked in."""
        products = {
            ProductId.parse(str(named)) for one in run.events if (named := one.event.data.get("product")) is not None
        }
        for domain in sorted({product.domain for product in products}):
            if (home := self.homes.get(domain)) is not None:
                home.run_log.keep(run, next(iter(products)) if len(products) == 1 else None)

    def repair(self) -> None:
        """Do what a crash left undone: Iceberg's main follows each current publication, events are handed on.

        What was read of a source for a build that did not end goes.
        """
        for home in self.homes.values():
            shutil.rmtree(home.path / FOLDER, ignore_errors=True)
            for publication in home.store.current().values():
                if not publication.main_followed:
                    _try_follow(home, publication.product)
            deliver(home)

    async def close(self) -> None:
        """Let runs and answers end, stop the engine, write the audits to their ends and give the locks back."""
        await asyncio.to_thread(self.scheduler.close, self.settings.drain_seconds)
        await asyncio.to_thread(self.runs.close, self.settings.drain_seconds)
        await asyncio.to_thread(self.upkeep.close)
        await asyncio.to_thread(self.watch.close)
        await self.engine.close()
        await asyncio.to_thread(self.index.close)
        await asyncio.gather(*(asyncio.to_thread(home.close) for home in self.homes.values()))


def _issuing(key: bytes, whom: str, clock: Clock) -> Issue:
    """Signs tokens of the built-in issuer, for `whom`."""

    def signed(person: str, scopes: Iterable[str], lifetime: timedelta) -> str:
        return issue(key, issuer=ISSUER, subject=person, audience=whom, scopes=scopes, now=clock(), lifetime=lifetime)

    return signed


def follow(home: Home, product: ProductId) -> None:
    """Move Iceberg's main to what the product's current publication says. Nobody asks it who is current."""
    from hanse.engine import storage

    publication = home.store.current().get(product)
    if publication is None or publication.main_followed:
        return
    if publication.kind != "retire":
        for record in publication.lines:
            for table in record.snapshot.tables.values():
                storage.follow_main(home.warehouse, home.catalog, table)
    home.store.main_followed(product, publication.sequence)


def _try_follow(home: Home, product: ProductId) -> None:
    try:
        follow(home, product)
    except Exception:  # readers never ask Iceberg who is current: the home is served, and the next start tries again
        LOG.exception("Iceberg's main of %s could not follow", product)


def _folders(root: Path, domains: Sequence[str], homes: Sequence[Path]) -> list[tuple[str, Path]]:
    if homes:
        return [(domain_of(path), path) for path in homes]
    return [(domain, root / ".hanse" / "homes" / domain) for domain in domains]


def domain_of(home: Path) -> str:
    """Whose home it is: what its warehouse says, however its folder is called; before a build the folder's name."""
    warehouse = home / "warehouse"
    held = [one.name for one in warehouse.iterdir() if one.is_dir()] if warehouse.is_dir() else []
    return held[0] if len(held) == 1 else home.resolve().name
