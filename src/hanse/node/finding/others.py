"""What a search finds beside products: people, policies, and what one may do next."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hanse.governance.catalog import policy_rows
from hanse.names import ProductId
from hanse.node.finding.reader import Reader
from hanse.node.finding.texts import members_of, words

MOST = 5  # of each kind


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """Somebody of an owner team: who, under which roles, of which domain."""

    name: str
    title: str
    domain: str
    roles: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "title": self.title, "domain": self.domain, "roles": list(self.roles)}


@dataclass(frozen=True, slots=True)
class FoundPolicy:
    """A policy that holds for products the reader may know of."""

    name: str
    kind: str
    scope: str
    says: str

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "kind": self.kind, "scope": self.scope, "says": self.says}


@dataclass(frozen=True, slots=True)
class Step:
    """What one may do next, and the command for it."""

    says: str
    command: str

    def as_json(self) -> dict[str, Any]:
        return {"says": self.says, "command": self.command}


def people(reader: Reader, asked: Collection[str]) -> list[FoundPerson]:
    """The people of products that the reader may know of, whose name, title or domain holds every word."""
    known = reader.node.people
    found = {}
    for domain, tables in reader.tables.items():
        members = reader.node.index.people(
            partial(_members, reader, domain), tables, reader.node.homes[domain].published()
        )
        for name, roles in members:
            title = known[name].title if name in known else ""
            own = words(f"{name} {title} {domain}")
            if all(any(one.startswith(word) for one in own) for word in asked):
                found[domain, name] = FoundPerson(name, title, domain, roles)
    return [found[key] for key in sorted(found)][:MOST]


def _members(reader: Reader, domain: str) -> list[tuple[str, tuple[str, ...]]]:
    """Who is in the domain's team, with their roles, or in that of one of its products."""
    home, tables = reader.node.homes[domain], reader.tables[domain]
    found: dict[str, tuple[str, ...]] = {}
    if tables and home.team is not None:
        found |= {name: tuple(sorted(roles)) for name, roles in home.team.members.items()}
    for product in {id.product for id in tables}:
        for name in members_of(home.published()[product].product):
            found.setdefault(name, ())
    return sorted(found.items())


def policies(reader: Reader, asked: Collection[str]) -> list[FoundPolicy]:
    """The policies that the reader may know of, whose name, kind or meaning holds every word."""
    found: dict[tuple[str, str, str], FoundPolicy] = {}
    seen: set[tuple[str, str, str, str]] = set()  # most are the federation's, the same in each domain
    for domain, tables in reader.tables.items():
        if not tables:
            continue
        home = reader.node.homes[domain]
        for row in policy_rows(domain, home.policies(), tables, own=reader.decides(domain)):
            _, scope, kind, name, says, _ = row
            if (kind, name, scope, says) in seen:
                continue
            seen.add((kind, name, scope, says))
            own = words(f"{name} {kind} {says}")
            if all(any(one.startswith(word) for one in own) for word in asked):
                found[kind, name, scope] = FoundPolicy(name, kind, scope, says)
    return [found[key] for key in sorted(found)][:MOST]


def steps(hits: Sequence[tuple[ProductId, bool, str]]) -> list[Step]:
    """What to do with the best hits: (product, whether it may be read, its access)."""
    found = []
    for product, may_read, access in hits[:MOST]:
        if may_read:
            found.append(Step(f"read {product}", f'hanse query "select * from {product.sql} limit 5"'))
        elif access != "closed":
            found.append(Step(f"request access to {product}", f'hanse access request {product} --purpose … --why "…"'))
    return found
