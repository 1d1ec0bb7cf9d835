"""What a request may see of a table: the one decision that every protocol obeys."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from hanse.errors import Kind, code
from hanse.governance import grants as agreements
from hanse.governance.cedar import Context, Resource, Verdict
from hanse.governance.columns import Facts, classes_of, views_of
from hanse.governance.decision import (
    Action,
    ColumnView,
    Decision,
    Grant,
    Hidden,
    Masked,
    Principal,
    PrincipalKind,
    Request,
    RowRule,
    TableFacts,
)
from hanse.governance.grants import Standing
from hanse.governance.masks import strictest
from hanse.governance.policies import Policies
from hanse.names import ProductId, TableId

FORBIDDEN = code(
    "access.forbidden",
    Kind.DENIED,
    "An access policy forbids it",
    "A forbid of the federation or of the owner wins over every grant and every permit.",
    "Talk to the owner of the policy that is named.",
)
SCOPE = code(
    "access.scope",
    Kind.DENIED,
    "The token does not reach that far",
    "A token carries scopes (read, build, administer) and opens nothing beyond them, whatever its person may do.",
    "Sign in for the scope that is named.",
)

SCOPES: Mapping[Action, str] = MappingProxyType(
    {
        Action.DISCOVER: "read",
        Action.READ: "read",
        Action.UNMASK: "read",
        Action.REQUEST: "read",
        Action.AUDIT: "read",
        Action.PUBLISH: "build",
        Action.APPROVE: "administer",
        Action.ADMINISTER: "administer",
    }
)


@dataclass(frozen=True, slots=True)
class Who:
    """A principal as a key: all that a decision may depend on."""

    kind: PrincipalKind
    name: str
    teams: frozenset[str]
    attributes: tuple[tuple[str, Any, str], ...]
    domain: str | None
    reads: bool

    @classmethod
    def of(cls, principal: Principal) -> Who:
        """The key of `principal`; attributes are told apart by type as well, since 1 == True."""
        attributes = tuple((name, _frozen(value), repr(value)) for name, value in sorted(principal.attributes.items()))
        reads = "read" in principal.scopes
        return cls(principal.kind, principal.name, principal.teams, attributes, principal.domain, reads)

    @property
    def principal(self) -> Principal:
        attributes = MappingProxyType({name: value for name, value, _ in self.attributes})
        scopes = frozenset({"read"} if self.reads else ())
        return Principal(self.kind, self.name, self.teams, attributes, scopes, self.domain)


def _frozen(value: Any) -> Any:
    """A plain value, or the plain parts of a list in a fixed order; None for what no policy can use."""
    if isinstance(value, list | set | frozenset | tuple):
        return tuple(sorted((part for part in value if isinstance(part, str | bool | int | float)), key=repr))
    return value if isinstance(value, str | bool | int | float) else None


def decide(request: Request, table: TableFacts, grants: Iterable[Grant], policies: Policies) -> Decision:
    """Say what `request` may see of `table`. Pure: the engine enforces, the home records.

    On behalf of another principal both must be allowed, and of each column the stricter view holds.
    """
    if request.on_behalf_of is None:
        return _decide(request, request.principal, table, grants, policies)
    grants = tuple(grants)
    first = _decide(request, request.principal, table, grants, policies)
    second = _decide(request, request.on_behalf_of, table, grants, policies)
    return intersection(first, second)


def _decide(
    request: Request, principal: Principal, table: TableFacts, grants: Iterable[Grant], policies: Policies
) -> Decision:
    standing = agreements.standing(grants, principal, table.product, request.purpose, request.at)
    context = policies.access.context(request.protocol, standing.purpose, request.at)
    return _remembered(Facts(table), policies, Who.of(principal), standing, context)


@lru_cache(maxsize=4096)
def _remembered(facts: Facts, policies: Policies, who: Who, standing: Standing, context: Context) -> Decision:
    table, principal, access = facts.table, who.principal, policies.access
    classes = classes_of(facts, policies, tuple((grant.columns, grant.ceiling) for grant in standing.holding))
    whole = Resource(
        table.product.domain,
        table.product.name,
        table.id.table,
        table.access,
        table.status,
        table.owner_team,
        table.tags,
        granted=bool(standing.holding),
    )
    found = replace(whole, granted=standing.live)
    questions = (
        (Action.DISCOVER, access.resource(found)),
        (Action.READ, access.resource(whole)),
        *((Action.UNMASK, access.resource(resource)) for resource in classes.resources),
    )
    asker = access.asker(principal, table.owner_team)
    discover, read, *unmask = access.ask(asker, questions, context)
    if not who.reads:
        because = "the token lacks the scope read"
        return Decision(
            table.id, False, discover.allowed, SCOPE, because, "hanse token PERSON --scope read, on the node's machine"
        )
    if not read.allowed:
        slug, because, mend = _refusal(read, standing)
        return Decision(table.id, False, discover.allowed, slug, because, mend)
    rows = tuple(
        policy.rule(principal, table.product.domain)
        for policy in policies.rows
        if policy.is_about(table) and policy.binds(principal)
    )
    columns = views_of(classes, unmask, standing.holding)
    held = frozenset(grant.id for grant in standing.holding)
    because = str(read.by) if read.by is not None else ""
    if held and read.by is not None and read.by.id == "hanse.read-granted":
        because = f"granted by {', '.join(sorted(held))}"
    return Decision(table.id, True, discover.allowed, "", because, "", rows, columns, held)


def _refusal(read: Verdict, standing: Standing) -> tuple[str, str, str]:
    """The code, the cause and the way out: a forbid is named, else the grants tell why they do not help."""
    if read.by is not None or not standing.code:
        because = f"forbidden: {read.by}" if read.by is not None else "no access policy permits it"
        return FORBIDDEN, because, "ask the owner of the policy"
    return standing.code, standing.because, standing.mend


def intersection(first: Decision, second: Decision) -> Decision:
    """What both decisions show: refused if either is, else all row policies and of each column the stricter view."""
    discoverable = first.discoverable and second.discoverable
    refused = next((decision for decision in (first, second) if not decision.allowed), None)
    if refused is not None:
        return Decision(first.table, False, discoverable, refused.code, refused.because, refused.mend)
    unknown = Hidden("not known to both")
    columns = {
        path: strictest((first.columns.get(path, unknown), second.columns.get(path, unknown)))
        for path in (*first.columns, *(path for path in second.columns if path not in first.columns))
    }
    seen: set[tuple[str, frozenset[tuple[str, ...]]]] = set()
    rows: list[RowRule] = []
    for rule in (*first.rows, *second.rows):
        if (rule.predicate, rule.reads) not in seen:
            seen.add((rule.predicate, rule.reads))
            rows.append(rule)
    because = f"{first.because}; on behalf: {second.because}"
    return Decision(
        first.table, True, discoverable, "", because, "",
        tuple(rows), MappingProxyType(columns), first.grants | second.grants,
    )  # fmt: skip


def discoverable(
    request: Request, tables: Iterable[TableFacts], policies: Policies, granted: Collection[ProductId] = frozenset()
) -> frozenset[TableId]:
    """The tables that may be found; Cedar is asked once for all that its policies cannot tell apart.

    `granted` are the products for which the principal holds a grant now.
    """
    found: frozenset[TableId] | None = None
    tables = list(tables)
    for principal in (request.principal, request.on_behalf_of):
        if principal is not None:
            part = _discoverable(request, principal, tables, policies, frozenset(granted))
            found = part if found is None else found & part
    return found or frozenset()


def _discoverable(
    request: Request,
    principal: Principal,
    tables: Iterable[TableFacts],
    policies: Policies,
    granted: frozenset[ProductId],
) -> frozenset[TableId]:
    access = policies.access
    known = access.mentions.resource
    by_product, by_table, by_tags, by_status = (
        known is None or word in known for word in ("product", "table", "tags", "status")
    )
    groups: dict[tuple[Any, ...], list[TableId]] = {}
    for table in tables:
        id_ = table.id
        product = id_.product
        key = (
            product.domain,
            table.access,
            table.owner_team,
            product.name if by_product else "",
            id_.table if by_table else "",
            table.status if by_status else "",
            table.tags if by_tags else frozenset(),
            product in granted,
        )
        members = groups.get(key)
        if members is None:
            groups[key] = [id_]
        else:
            members.append(id_)
    found: list[TableId] = []
    context = access.context(request.protocol, request.purpose, request.at)
    by_owner: dict[str, list[tuple[Resource, list[TableId]]]] = {}
    for (domain, openness, owner, product_name, name, status, tags, is_granted), members in groups.items():
        resource = Resource(domain, product_name, name, openness, status, owner, tags, granted=is_granted)
        by_owner.setdefault(owner, []).append((access.resource(resource), members))
    for owner, asked in by_owner.items():
        questions = tuple((Action.DISCOVER, resource) for resource, _ in asked)
        verdicts = access.ask(access.asker(principal, owner), questions, context)
        for verdict, (_, members) in zip(verdicts, asked, strict=True):
            if verdict.allowed:
                found += members
    return frozenset(found)


def permits(
    principal: Principal,
    action: Action,
    *,
    domain: str,
    product: str | None,
    owner_team: str,
    access: str,
    roles: Iterable[str] = (),
    policies: Policies,
    at: datetime,
    protocol: str = "http",
    status: str = "",
) -> tuple[bool, str]:
    """Whether `principal` may act on a product (or, without one, on its domain), and why.

    `roles` are the person's in domain.yaml. The token's scope must reach as far as the action.
    """
    scope = SCOPES[action]
    if scope not in principal.scopes:
        return False, f"the token lacks the scope {scope}"
    policy = policies.access
    resource = policy.resource(Resource(domain, product or "", access=access, status=status, owner=owner_team))
    context = policy.context(protocol, None, at, roles)
    (verdict,) = policy.ask(policy.asker(principal, owner_team), ((action, resource),), context)
    if verdict.allowed:
        return True, str(verdict.by)
    if verdict.by is not None:
        return False, f"forbidden: {verdict.by}"
    return False, f"no access policy lets {principal.id} {action.value} in {domain}"


def fingerprint(decision: Decision, salt: bytes = b"") -> str:
    """A hash of what the decision shows: equal ones show equal data of a snapshot, whoever asks and why."""
    shown: Any = None
    if decision.allowed:
        rows = sorted({(rule.predicate, tuple(sorted(rule.reads))) for rule in decision.rows})
        shown = [rows, sorted((list(path), _shown(view)) for path, view in decision.columns.items())]
    text = json.dumps([str(decision.table), shown], ensure_ascii=False, separators=(",", ":"))
    return sha256(salt + b"\n" + text.encode("utf-8", "surrogatepass")).hexdigest()


def _shown(view: ColumnView) -> str:
    match view:
        case Hidden():
            return "hidden"
        case Masked(mask):
            return repr(mask)
        case _:
            return "clear"
