"""The catalogue as a home of its own: for each reader the publication that holds what they may know of."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.engine.snapshot import LineSnapshot, TableSnapshot
from hanse.governance.catalog_view import View
from hanse.governance.decision import Grant, Request, TableFacts
from hanse.governance.policies import Policies, load
from hanse.names import ProductId, TableId, Version
from hanse.node.catalog import DOMAIN, PRODUCT
from hanse.node.catalog.documents import LINE, MAIN, VERSION, documents, facts
from hanse.node.catalog.files import Files
from hanse.node.catalog.rows import Rows, view_of
from hanse.node.finding.reader import Reader
from hanse.node.finding.remembered import Remembered
from hanse.node.finding.texts import Texts, texts
from hanse.node.home.values import Published, PublishedLine
from hanse.spec.model import Contract, Table

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.node import Node

_REMEMBERED = 512  # tables, over all readers
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


class Catalog:
    """Makes the catalogue's tables for readers; equal rows are one file, and one engine reads it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.files = Files(node.settings.project / ".hanse" / "catalog")
        self.mask_key = secrets.token_bytes(32)
        self._rows = Rows()
        self._made: OrderedDict[tuple[object, ...], TableSnapshot] = OrderedDict()
        self._policies: tuple[object, Policies] | None = None
        self._words: Remembered[tuple[Texts, ...]] = Remembered()
        self._newest: Remembered[tuple[datetime, ...]] = Remembered()

    def __call__(self, request: Request) -> CatalogHome:
        """The catalogue as `request` may see it."""
        return CatalogHome(self, Reader.of(self._node, request))

    def prepare(self, request: Request, table: str) -> None:
        """Make a table before it is asked for: it may take a while, and blocks."""
        home = self(request)
        if table in home.snapshots:
            home.snapshots[table]

    def snapshot(self, reader: Reader, view: View, table: Table) -> TableSnapshot:
        """A table's data state for a reader."""
        homes = self._node.homes
        generations = tuple((domain, homes[domain].store.generation, ids) for domain, ids in reader.tables.items())
        key = (table.name, generations, tuple(view.hidden.items()), view.holds, view.decides)
        made = self._made.get(key)
        if made is None or not self.files.touch(made):
            made = self._made[key] = self.files.snapshot(table, self._rows.of(table.name, reader, view))
            while len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)
        return made

    def words(self, home: CatalogHome) -> tuple[Texts, ...]:
        """What the catalogue is found by: its name, tables and tags.

        Its columns and texts hold words such as owner and version, which are asked of other products.
        """
        return self._words(partial(_words, home), home.contract)

    def newest(self, reader: Reader) -> datetime:
        """When the last of what the reader may know of was published."""
        found = [
            self._newest(partial(_newest, tables, published), tables, published)
            for domain, tables in reader.tables.items()
            for published in [self._node.homes[domain].published()]
        ]
        return max((one for held in found for one in held), default=_BEFORE_ALL)

    def policies(self) -> Policies:
        """The federation's policies as they were published last, in whichever domain that was."""
        generations = tuple(home.store.generation for home in self._node.homes.values())
        if self._policies is None or self._policies[0] != generations:
            latest = max(self._node.homes.values(), key=_last_published, default=None)
            self._policies = (generations, self._loaded(latest))
        return self._policies[1]

    def _loaded(self, home: Home | None) -> Policies:
        project = None if home is None else home.governance()
        classes = project.mesh.classifications if project is not None and project.mesh is not None else ()
        files = project.files if project is not None else {}
        whole = {path.removeprefix("policies/"): text for path, text in files.items() if path.startswith("policies/")}
        found, _ = load(whole, DOMAIN, {}, classes)
        # equal policies stay the very same, and so do the decisions that were made by them
        return self._policies[1] if self._policies is not None and self._policies[1] == found else found


def _words(home: CatalogHome) -> tuple[Texts, ...]:
    one = home.publication
    return tuple(replace(texts(one, LINE, table, ()), columns="", text="") for table in home.contract.tables)


def _last_published(home: Home) -> datetime:
    return max((one.at for one in home.published().values()), default=_BEFORE_ALL)


def _newest(tables: frozenset[TableId], published: Mapping[ProductId, Published]) -> tuple[datetime, ...]:
    return (max(published[table.product].at for table in tables),) if tables else ()


class Snapshots(Mapping[str, TableSnapshot]):
    """The tables of the catalogue, each made when it is asked for."""

    def __init__(self, home: CatalogHome) -> None:
        self._home = home
        self._tables = {table.name: table for table in home.contract.tables}

    def __getitem__(self, name: str) -> TableSnapshot:
        return self._home.catalog.snapshot(self._home.reader, self._home.view, self._tables[name])

    def __contains__(self, name: object) -> bool:
        return name in self._tables

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


@dataclass(frozen=True)
class CatalogHome:
    """What is asked of a domain's home, answered for one reader. The catalogue has no past."""

    catalog: Catalog
    reader: Reader
    domain: str = field(default=DOMAIN, init=False)

    @property
    def warehouse(self) -> Path:
        return self.catalog.files.folder

    @property
    def copies(self) -> Path:
        return self.warehouse / "copies"

    @property
    def mask_key(self) -> bytes:
        return self.catalog.mask_key

    @cached_property
    def view(self) -> View:
        return view_of(self.reader)

    @cached_property
    def snapshots(self) -> Snapshots:
        return Snapshots(self)

    @cached_property
    def contract(self) -> Contract:
        return documents(self._mildest)[1]

    @cached_property
    def publication(self) -> Published:
        """What the reader gets: the very same until something that they may know of is published."""
        product, contract = documents(self._mildest)
        version = Version.parse(VERSION)
        assert version is not None
        line = PublishedLine(contract, version, LineSnapshot(self.snapshots, ""))
        return Published(
            product,
            "",
            {LINE: line},
            LINE.major,
            {LINE.major: MAIN},
            1,
            self.catalog.newest(self.reader),
            "",
            "active",
            "",
        )

    def published(self) -> Mapping[ProductId, Published]:
        return {PRODUCT: self.publication}

    def at_sequence(self, product: ProductId, sequence: int) -> Published | None:
        return self.publication if product == PRODUCT and sequence == self.publication.sequence else None

    def at_time(self, product: ProductId, at: datetime) -> Published | None:
        return self.publication if product == PRODUCT and at >= self.reader.request.at else None

    def grants(self, product: ProductId) -> tuple[Grant, ...]:
        return ()

    def grants_to(self, whom: str) -> tuple[Grant, ...]:
        return ()

    def policies(self) -> Policies:
        return self.catalog.policies()

    def facts(self, product: ProductId) -> tuple[TableFacts, ...]:
        return facts(self._mildest) if product == PRODUCT else ()

    def shows_less(self, request: Request) -> bool:
        """Whether `request` may now know of less than this reader did."""
        now = Reader.of(self.reader.node, request)
        return any(not ids <= now.tables.get(domain, frozenset()) for domain, ids in self.reader.tables.items())

    @property
    def _mildest(self) -> str:
        return self.policies().classifications[0]
