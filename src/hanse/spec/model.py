"""The values that descriptors become: products, contracts and their parts, frozen, with their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from hanse.errors import Place
from hanse.names import PortLine, ProductId, TableId, Version
from hanse.spec.schedule import Schedule
from hanse.spec.types import Type

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Access(StrEnum):
    """Who may read without asking: everybody (`open`), who is granted (`request`), nobody new (`closed`)."""

    OPEN = "open"
    REQUEST = "request"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Rule:
    """A quality rule (ODCS `quality`); `column` is the path of the property it hangs on, None for a table rule."""

    name: str
    kind: str  # library | sql | custom | text
    metric: str | None
    arguments: Mapping[str, Any]
    operator: str | None  # mustBe … mustNotBeBetween, as ODCS spells them
    expected: Any
    unit: str  # rows | percent
    severity: str  # error | warning | info …, as written; absent = error
    dimension: str | None
    query: str | None
    description: str
    column: tuple[str, ...] | None
    place: Place


@dataclass(frozen=True, slots=True)
class Relationship:
    """A foreign key: `columns` of this table refer to `to_columns` of `to_table`.

    `to_table` is a table name of the same contract, or `(contract id, table name)` for another contract.
    """

    columns: tuple[str, ...]
    to_contract: str | None
    to_table: str
    to_columns: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Column:
    """A property of a table or of an object; `options` are ODCS `logicalTypeOptions` as written."""

    name: str
    type: Type
    logical_type: str | None
    physical_type: str | None
    required: bool
    unique: bool
    primary_key: int | None  # position from 1
    classification: str | None
    description: str
    tags: tuple[str, ...]
    enum: tuple[Any, ...] | None
    options: Mapping[str, Any]
    rules: tuple[Rule, ...]
    children: tuple[Column, ...]  # fields of an object, the element of an array, key and value of a map
    custom: Mapping[str, Any]
    place: Place

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Column]]:
        """This column and every column below it, with their paths."""
        path = (*path, self.name)
        yield path, self
        for child in self.children:
            yield from child.walk(path)


@dataclass(frozen=True, slots=True)
class Table:
    """A schema object of a contract; `name` is its SQL name (the object's name, or `customProperties: address`)."""

    name: str
    title: str  # the object's name as written
    physical_name: str | None
    description: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]  # table rules and all column rules, in document order
    relationships: tuple[Relationship, ...]
    tags: tuple[str, ...]
    custom: Mapping[str, Any]
    place: Place

    def column(self, name: str) -> Column | None:
        """The top-level column called `name`, compared ignoring case."""
        return next((c for c in self.columns if c.name.lower() == name.lower()), None)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The names of the primary key's columns, in their positions' order."""
        keyed = sorted((c.primary_key, i, c.name) for i, c in enumerate(self.columns) if c.primary_key is not None)
        return tuple(name for _, _, name in keyed)


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """A promise of ODCS `slaProperties`; `seconds` is value × unit where the property is a duration."""

    property: str
    value: Any
    unit: str | None
    element: str | None
    seconds: float | None
    place: Place


@dataclass(frozen=True, slots=True)
class Contract:
    """An ODCS document; `raw` is its parsed tree, `text` the bytes it was read from, as text."""

    id: str
    name: str
    version: Version | None
    version_text: str
    api_version: str
    status: str
    description: Mapping[str, Any]
    tables: tuple[Table, ...]
    service_levels: tuple[ServiceLevel, ...]
    servers: tuple[Mapping[str, Any], ...]
    team: str | None
    tags: tuple[str, ...]
    custom: Mapping[str, Any]
    raw: Mapping[str, Any]
    text: str
    place: Place

    def table(self, name: str) -> Table | None:
        return next((t for t in self.tables if t.name == name), None)


@dataclass(frozen=True, slots=True)
class InputPort:
    """What a product reads: `contract_id` names one port line, the major of `version` is the pin."""

    name: str
    contract_id: str | None
    version: Version | None
    place: Place


@dataclass(frozen=True, slots=True)
class OutputPort:
    """What a product promises: a name and a contract of the same version."""

    name: str
    contract_id: str | None
    version: Version | None
    description: str
    input_contracts: tuple[str, ...]
    custom: Mapping[str, Any]
    place: Place


@dataclass(frozen=True, slots=True)
class Product:
    """An ODPS document; `id` is (domain, product) by folder, `document_id` the opaque `id` of the file."""

    id: ProductId
    document_id: str
    title: str
    version_text: str | None
    api_version: str
    status: str
    description: Mapping[str, Any]
    access: Access
    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]
    owner: str | None  # the team's name
    owner_members: tuple[Mapping[str, Any], ...]
    support: tuple[Mapping[str, Any], ...]
    tags: tuple[str, ...]
    custom: Mapping[str, Any]
    raw: Mapping[str, Any]
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class ProductFiles:
    """A product with the contracts of its port lines, and the texts beside them (path below the folder → text)."""

    product: Product
    contracts: Mapping[PortLine, Contract]
    build: BuildFile | None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def tables(self) -> Mapping[TableId, Table]:
        """Every table of every port line; unique in (product, major)."""
        return {
            TableId(self.product.id, line.major, table.name): table
            for line, contract in self.contracts.items()
            for table in contract.tables
        }


@dataclass(frozen=True, slots=True)
class Source:
    """A data source of build.yaml: `name` is how transforms call it; `kind` names a plug-in of `hanse.sources`."""

    name: str
    kind: str  # files …
    options: Mapping[str, Any]  # path, format, … as the plug-in wants them
    place: Place


@dataclass(frozen=True, slots=True)
class Transform:
    """How one table is made. `code` is SQL text, or Python source when `language` is python."""

    table: str
    major: int
    language: str  # sql | python
    file: str  # path below the product's folder
    function: str | None  # python: the function's name
    code: str
    inputs: Mapping[str, tuple[str, ...]]  # python: input name → the only columns it is given
    lineage: Mapping[str, tuple[str, ...]] | None
    mode: str  # full | incremental
    by: str | None  # incremental: key | time
    time_column: str | None
    late_seconds: float  # incremental by time: the late-data window
    place: Place
    origins: Mapping[str, str] = field(default_factory=dict)  # python: input name → the address or source it comes from


@dataclass(frozen=True, slots=True)
class BuildFile:
    """build.yaml of a product."""

    sources: tuple[Source, ...]
    transforms: tuple[Transform, ...]
    accept_governed: frozenset[str]  # input addresses whose masks or row policies the build accepts
    limits: Mapping[str, Any]
    text: str
    place: Place
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True)
class Domain:
    """domain.yaml: the owner team, its members and their roles, and the folder's policies as texts."""

    name: str
    team: str
    members: Mapping[str, tuple[str, ...]]  # person → roles (owner, steward, builder, consumer, auditor)
    support: str | None
    raw: Mapping[str, Any]
    policies: Mapping[str, str]  # path below the domain's policies/ → text
    place: Place


@dataclass(frozen=True, slots=True)
class Person:
    """A person of people.yaml: teams, attributes (strings, numbers, booleans, lists), no secret."""

    name: str
    title: str
    teams: tuple[str, ...]
    attributes: Mapping[str, Any]
    login: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Mesh:
    """mesh.yaml: the mesh's name, classifications from least to most strict, purposes (id → text)."""

    name: str
    classifications: tuple[str, ...]
    purposes: Mapping[str, str]
    raw: Mapping[str, Any]
    place: Place


@dataclass(frozen=True, slots=True)
class Project:
    """A folder of text files, read: a whole mesh or one domain's own repository."""

    mesh: Mesh | None
    people: Mapping[str, Person]
    teams: Mapping[str, str]  # team → title
    domains: Mapping[str, Domain]
    products: Mapping[ProductId, ProductFiles]
    policies: Mapping[str, str]  # global: path below policies/ → text
    files: Mapping[str, str]  # every text file of the bundle, by path
