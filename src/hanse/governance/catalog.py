"""The catalogue: what publish policies ask, as tables of plain rows made from descriptors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from types import MappingProxyType
from typing import Any

from hanse.governance.decision import (
    ColumnFacts,
    ColumnPath,
    Grant,
    Hidden,
    Masked,
    TableFacts,
)
from hanse.governance.grants import level
from hanse.governance.masks import rule_for
from hanse.governance.policies import Policies
from hanse.names import PortLine, ProductId, TableId
from hanse.spec.model import Contract, ProductFiles, Project, Table

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """A table of the catalogue: its columns as (name, SQL type, meaning), in order."""

    name: str
    says: str
    columns: tuple[tuple[str, str, str], ...]


_PRODUCT = ("product", "VARCHAR", "domain/product")
_PLACE = ("place", "VARCHAR", "file:line:column")

CATALOG: Mapping[str, CatalogTable] = MappingProxyType(
    {
        table.name: table
        for table in (
            CatalogTable(
                "products",
                "One row a product.",
                (
                    _PRODUCT,
                    ("domain", "VARCHAR", "its domain"),
                    ("name", "VARCHAR", "its folder's name"),
                    ("title", "VARCHAR", "the name in the descriptor"),
                    ("version", "VARCHAR", "the product's version, a label"),
                    ("status", "VARCHAR", "proposed, draft, active, deprecated or retired"),
                    ("access", "VARCHAR", "open, request or closed"),
                    ("kind", "VARCHAR", "source-aligned, aggregate or consumer-aligned, as written"),
                    ("purpose", "VARCHAR", "description.purpose"),
                    ("usage", "VARCHAR", "description.usage"),
                    ("limitations", "VARCHAR", "description.limitations"),
                    ("owner", "VARCHAR", "the team that owns it"),
                    ("support", "VARCHAR", "the first support channel's address, else the domain's"),
                    ("tags", "VARCHAR[]", "its tags"),
                    ("has_build", "BOOLEAN", "whether it has a build.yaml"),
                    ("has_readme", "BOOLEAN", "whether a README.md lies beside it"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "ports",
                "One row an output port under one major version.",
                (
                    _PRODUCT,
                    ("port", "VARCHAR", "the port's name"),
                    ("major", "INTEGER", "the major of its version"),
                    ("version", "VARCHAR", "the port's version"),
                    ("contract", "VARCHAR", "the contract's id"),
                    ("status", "VARCHAR", "the contract's status"),
                    ("purpose", "VARCHAR", "the contract's description.purpose"),
                    ("limitations", "VARCHAR", "the contract's description.limitations"),
                    ("license", "VARCHAR", "customProperties license, or an authoritative definition of type license"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "tables",
                "One row a table.",
                (
                    _PRODUCT,
                    ("port", "VARCHAR", "its port"),
                    ("major", "INTEGER", "the major it belongs to"),
                    ("table_name", "VARCHAR", "its SQL name"),
                    ("description", "VARCHAR", "its description"),
                    ("primary_key", "VARCHAR[]", "the columns of its primary key, empty when none is stated"),
                    ("columns", "INTEGER", "how many top-level columns it has"),
                    ("rules", "INTEGER", "how many quality rules hang on it and its columns"),
                    ("tags", "VARCHAR[]", "its tags"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "columns",
                "One row a column; nested fields by dotted path.",
                (
                    _PRODUCT,
                    ("port", "VARCHAR", "its port"),
                    ("major", "INTEGER", "the major it belongs to"),
                    ("table_name", "VARCHAR", "its table"),
                    ("column_name", "VARCHAR", "its dotted path"),
                    ("depth", "INTEGER", "1 for a column of the table"),
                    ("type", "VARCHAR", "its SQL type"),
                    ("required", "BOOLEAN", "whether it is never null"),
                    ("is_unique", "BOOLEAN", "whether it is unique"),
                    ("primary_key", "INTEGER", "its position in the primary key"),
                    ("description", "VARCHAR", "its description"),
                    ("classification", "VARCHAR", "its own classification, null when none is written"),
                    ("level", "INTEGER", "the place of the class it counts as, from 0"),
                    ("sensitive", "BOOLEAN", "whether that class is above internal"),
                    ("masked", "BOOLEAN", "whether a rule of masks.yaml covers it"),
                    ("mask_rule", "VARCHAR", "the strictest such rule"),
                    ("tags", "VARCHAR[]", "its tags"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "rules",
                "One row a quality rule.",
                (
                    _PRODUCT,
                    ("major", "INTEGER", "the major it belongs to"),
                    ("table_name", "VARCHAR", "its table"),
                    ("column_name", "VARCHAR", "its column, null for a rule of the table"),
                    ("rule", "VARCHAR", "its name"),
                    ("kind", "VARCHAR", "library, sql, custom or text"),
                    ("metric", "VARCHAR", "what a library rule measures"),
                    ("severity", "VARCHAR", "as written; error when nothing is"),
                    ("dimension", "VARCHAR", "as written"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "owners",
                "One row a member of a product's team, with the roles that domain.yaml gives.",
                (
                    _PRODUCT,
                    ("team", "VARCHAR", "the owner team"),
                    ("member", "VARCHAR", "the person"),
                    ("role", "VARCHAR", "the role"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "service_levels",
                "One row a promise of slaProperties.",
                (
                    _PRODUCT,
                    ("major", "INTEGER", "the major it belongs to"),
                    ("property", "VARCHAR", "as ODCS calls it"),
                    ("value", "VARCHAR", "as written"),
                    ("unit", "VARCHAR", "as written"),
                    ("element", "VARCHAR", "what it is about"),
                    ("seconds", "DOUBLE", "value × unit where it is a duration"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "lineage",
                "One row an input port.",
                (
                    _PRODUCT,
                    ("input", "VARCHAR", "the input port's name"),
                    ("contract", "VARCHAR", "the contract that it reads"),
                    ("version", "VARCHAR", "the version it names"),
                    ("source_product", "VARCHAR", "the product that offers it, null when it is not in this project"),
                    _PLACE,
                ),
            ),
            CatalogTable(
                "grants",
                "One row a grant of the domain's home.",
                (
                    _PRODUCT,
                    ("grant_id", "VARCHAR", "its id"),
                    ("grantee", "VARCHAR", "person:…, team:… or product:…"),
                    ("columns", "VARCHAR[]", "the columns it names, null for all"),
                    ("ceiling", "VARCHAR", "how far all columns reaches"),
                    ("purposes", "VARCHAR[]", "what it is for"),
                    ("since", "TIMESTAMPTZ", "from when"),
                    ("until", "TIMESTAMPTZ", "until when"),
                    ("revoked", "BOOLEAN", "whether it was revoked"),
                ),
            ),
            CatalogTable(
                "policies",
                "One row a policy that holds for a domain.",
                (
                    ("domain", "VARCHAR", "for which domain"),
                    ("scope", "VARCHAR", "federation, domain or built-in"),
                    ("kind", "VARCHAR", "access, mask, row or publish"),
                    ("policy", "VARCHAR", "its name"),
                    ("says", "VARCHAR", "what it says of itself"),
                    _PLACE,
                ),
            ),
        )
    }
)  # fmt: skip


def catalog_rows(
    project: Project, policies: Mapping[str, Policies], grants: Iterable[Grant] = ()
) -> Mapping[str, list[Row]]:
    """The rows of every table of `CATALOG` for the products of `project`; `policies` by domain."""
    rows: dict[str, list[Row]] = {name: [] for name in CATALOG}
    offered = {
        contract.id: str(id_) for id_, files in project.products.items() for contract in files.contracts.values()
    }
    for id_, files in sorted(project.products.items()):
        _product(rows, project, id_, files, offered)
        for line, contract in sorted(files.contracts.items(), key=lambda item: item[0]):
            known = policies.get(id_.domain)
            _port(rows, line, contract)
            for table in contract.tables:
                _table(rows, line, table)
                _columns(rows, files, line, table, known)
            for promise in contract.service_levels:
                value = None if promise.value is None else str(promise.value)
                rows["service_levels"].append(
                    (
                        str(id_), line.major, promise.property, value, promise.unit, promise.element,
                        promise.seconds, str(promise.place),
                    )
                )  # fmt: skip
    rows["grants"] = [
        (
            str(grant.product), grant.id, grant.to, None if grant.columns is None else sorted(grant.columns),
            grant.ceiling, sorted(grant.purposes), grant.since.astimezone(UTC), grant.until.astimezone(UTC),
            grant.revoked_at is not None,
        )
        for grant in sorted(grants, key=lambda grant: (grant.product, grant.id))
    ]  # fmt: skip
    for domain, known in sorted(policies.items()):
        rows["policies"] += _policies(domain, known)
    return rows


def _product(
    rows: dict[str, list[Row]], project: Project, id_: ProductId, files: ProductFiles, offered: Mapping[str, str]
) -> None:
    product, domain = files.product, project.domains.get(id_.domain)
    about = product.description
    support = next((str(entry["url"]) for entry in product.support if entry.get("url")), None)
    if support is None and domain is not None:
        support = domain.support
    owner = product.owner or (domain.team if domain is not None else None)
    rows["products"].append(
        (
            str(id_), id_.domain, id_.name, product.title, product.version_text, product.status, product.access.value,
            _text(product.raw.get("type") or product.custom.get("type")), _text(about.get("purpose")),
            _text(about.get("usage")), _text(about.get("limitations")), owner, support, sorted(product.tags),
            files.build is not None, any(path.lower() == "readme.md" for path in files.files), str(product.place),
        )
    )  # fmt: skip
    members = [(entry.get("username") or entry.get("name"), entry.get("role")) for entry in product.owner_members]
    if domain is not None:
        members += [(person, role) for person, roles in domain.members.items() for role in roles]
    rows["owners"] += sorted(
        {
            (str(id_), owner or "", str(member), _text(role) or "", str(product.place))
            for member, role in members
            if member
        }
    )
    for port in product.inputs:
        source = offered.get(port.contract_id) if port.contract_id is not None else None
        version = None if port.version is None else str(port.version)
        rows["lineage"].append((str(id_), port.name, port.contract_id, version, source, str(port.place)))


def _port(rows: dict[str, list[Row]], line: PortLine, contract: Contract) -> None:
    about = contract.description
    rows["ports"].append(
        (
            str(line.product), line.port, line.major, contract.version_text, contract.id, contract.status,
            _text(about.get("purpose")), _text(about.get("limitations")), license_of(contract), str(contract.place),
        )
    )  # fmt: skip


def license_of(contract: Contract) -> str | None:
    """The licence a contract states: customProperties `license`, else an authoritative definition of that type."""
    written = _text(contract.custom.get("license"))
    if written:
        return written
    about = contract.raw.get("description")
    for holder in (contract.raw, about):
        listed = holder.get("authoritativeDefinitions") if isinstance(holder, Mapping) else None
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, Mapping) and str(entry.get("type", "")).lower() in ("license", "licence"):
                return _text(entry.get("url")) or _text(entry.get("description"))
    return None


def _table(rows: dict[str, list[Row]], line: PortLine, table: Table) -> None:
    product = str(line.product)
    rows["tables"].append(
        (
            product, line.port, line.major, table.name, _text(table.description), list(table.primary_key),
            len(table.columns), len(table.rules), sorted(table.tags), str(table.place),
        )
    )  # fmt: skip
    for rule in table.rules:
        column = None if rule.column is None else ".".join(rule.column)
        rows["rules"].append(
            (
                product, line.major, table.name, column, rule.name, rule.kind, rule.metric, rule.severity or "error",
                rule.dimension, str(rule.place),
            )
        )  # fmt: skip


def _columns(
    rows: dict[str, list[Row]], files: ProductFiles, line: PortLine, table: Table, policies: Policies | None
) -> None:
    facts = TableFacts(
        TableId(line.product, line.major, table.name), (), files.product.access.value, files.product.status, "",
        frozenset(table.tags),
    )  # fmt: skip
    order: Sequence[str] = policies.classifications if policies is not None else ()
    inherited: dict[ColumnPath, tuple[str | None, frozenset[str]]] = {}
    for top in table.columns:
        for path, column in top.walk():
            above, tags_above = inherited.get(path[:-1], (None, frozenset[str]()))
            classification, tags = column.classification or above, frozenset(column.tags) | tags_above
            inherited[path] = (classification, tags)
            place = level(classification, order) if order else 0
            rule = None
            if policies is not None:
                column_facts = ColumnFacts(path, column.type, classification, tags)
                view, _ = rule_for(policies.masks, facts, column_facts, order[place], tags)
                rule = _rule_name(view) if _is_covered(policies, facts, path, order[place], tags) else None
            rows["columns"].append(
                (
                    str(line.product), line.port, line.major, table.name, ".".join(path), len(path), column.type.sql,
                    column.required, column.unique, column.primary_key, _text(column.description),
                    column.classification, place, policies is not None and policies.is_sensitive(place),
                    rule is not None, rule, sorted(column.tags), str(column.place),
                )
            )  # fmt: skip


def _is_covered(
    policies: Policies, facts: TableFacts, path: ColumnPath, classification: str, tags: frozenset[str]
) -> bool:
    return any(rule.matches(facts, path, classification, tags) for rule in policies.masks)


def _rule_name(view: object) -> str | None:
    return view.rule if isinstance(view, Masked | Hidden) else None


def _policies(domain: str, policies: Policies) -> Iterator[Row]:
    def scope(file: str) -> str:
        return "built-in" if file.startswith("hanse:") else "federation" if file.startswith("policies/") else "domain"

    for statement in policies.access.statements:
        place = f"{statement.file}:{statement.line}:1"
        yield domain, scope(statement.file), "access", statement.id, statement.says, place
    for rule in policies.masks:
        yield domain, scope(rule.place.file), "mask", rule.name, "", str(rule.place)
    for row in policies.rows:
        yield domain, scope(row.file), "row", row.name, row.sql, f"{row.file}:1:1"
    for policy in policies.publish:
        yield domain, scope(policy.file), "publish", policy.name, policy.description, f"{policy.file}:1:1"


def _text(value: Any) -> str | None:
    """Written text without surrounding blanks, None when nothing is written."""
    text = str(value).strip() if value is not None else ""
    return text or None
