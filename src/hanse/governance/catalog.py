"""The catalogue as plain rows, made from descriptors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any

from hanse.governance.catalog_tables import CATALOG, CatalogTable, Row
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
from hanse.governance.row_policies import RowPolicy
from hanse.names import PortLine, ProductId, TableId
from hanse.spec.model import Contract, ProductFiles, Project, Table

__all__ = ["CATALOG", "CatalogTable", "Row", "catalog_rows", "license_of", "policy_rows"]


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
        rows["policies"] += policy_rows(domain, known)
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


def policy_rows(
    domain: str, policies: Policies, known: Collection[TableId] | None = None, *, own: bool = True
) -> Iterator[Row]:
    """The policies of a domain; to who knows the tables `known` only, those that name no other.

    What a domain wrote for itself, and what a row policy says, is told to its own people: `own`.
    """
    for statement in policies.access.statements:
        if own or _scope(statement.file) != "domain":
            place = f"{statement.file}:{statement.line}:1"
            yield domain, _scope(statement.file), "access", statement.id, statement.says, place
    for rule in policies.masks:
        column = rule.selector.column
        # a rule that hides one column tells of it by its name
        if column is None or own or (_names_one(column, known or ()) and not isinstance(rule.view, Hidden)):
            yield domain, _scope(rule.place.file), "mask", rule.name, "", str(rule.place)
    for row in policies.rows:
        if known is None or (row.table is None and row.product is None) or _is_about_one(row, known):
            yield domain, _scope(row.file), "row", row.name, row.sql if own else "", f"{row.file}:1:1"
    for policy in policies.publish:
        if own or _scope(policy.file) != "domain":
            yield domain, _scope(policy.file), "publish", policy.name, policy.description, f"{policy.file}:1:1"


def _scope(file: str) -> str:
    return "built-in" if file.startswith("hanse:") else "federation" if file.startswith("policies/") else "domain"


def _names_one(column: tuple[str, str, int | None, str, str], known: Collection[TableId]) -> bool:
    domain, product, major, table, _ = column
    return any(
        (one.product.domain, one.product.name, one.table) == (domain, product, table) and major in (None, one.major)
        for one in known
    )


def _is_about_one(row: RowPolicy, known: Collection[TableId]) -> bool:
    return any(
        row.domain in (None, one.product.domain)
        and row.product in (None, one.product.name)
        and row.table in (None, one.table)
        and row.major in (None, one.major)
        for one in known
    )


def _text(value: Any) -> str | None:
    """Written text without surrounding blanks, None when nothing is written."""
    text = str(value).strip() if value is not None else ""
    return text or None
