"""publish: run the missing earlier steps, then move the one pointer. Idempotent by the plan's id."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hanse.errors import Finding, HanseError, Kind, RejectedError, code, rejects
from hanse.governance.decision import Action, Principal
from hanse.governance.identity import SCOPES
from hanse.names import ProductId, nearest
from hanse.node import publishing
from hanse.node.events import Event
from hanse.node.home.values import Publication
from hanse.node.outbox import deliver
from hanse.node.permission import allowed, require
from hanse.node.planning import govern, value
from hanse.node.planning.compare import texts
from hanse.node.planning.value import Plan, PolicyChange
from hanse.node.publications import commit, follow_up, held
from hanse.node.publishing import PublishedProduct, Publisher
from hanse.node.reading import reading
from hanse.node.runs import RunCancelled
from hanse.node.steps.plan import compared
from hanse.spec.model import Project
from hanse.spec.order import build_edges

_WHOLE_ID = 64  # characters of a plan's id

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.node import Node


class PlanOutOfDate(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "plan.out-of-date",
        Kind.CONFLICT,
        "The world moved since the plan was made",
        "A plan is of certain files on certain publications under certain policies; one of them is no longer so.",
        "hanse plan, look, publish again.",
    )


class UnknownPlan(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "plan.unknown",
        Kind.NOT_FOUND,
        "There is no such plan",
        "A plan is kept in the homes of the domains that its maker may publish, under the id that plan printed.",
        "hanse plan prints the id.",
    )


class PlanBlocked(RejectedError):
    kind = Kind.INVALID
    code = code(
        "publish.blocked",
        Kind.INVALID,
        "A product of the plan is blocked",
        "A plan is published whole, or for the products that are named; a blocked one is never among them.",
        "Mend what blocks it and plan again, or name the others: hanse publish PLAN --only PRODUCT.",
    )

    def __init__(self, blocked: Collection[value.ProductPlan], rest: Collection[value.ProductPlan]) -> None:
        super().__init__("publish", [finding for one in blocked for finding in one.findings])
        named = ", ".join(f"{one.product} ({', '.join(one.blocked_by)})" for one in blocked)
        self.message = f"blocked: {named}"
        self.args = (self.message,)
        needs = [need.command for one in blocked for need in one.needs]
        only = " ".join(f"--only {one.product}" for one in rest if one.state in (value.NEW, value.CHANGED))
        self.mend = (
            needs[0] if needs else f"mend the findings; or hanse publish {only}" if only else "mend the findings"
        )


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What became of each product of a publish, and the domains whose policies took effect."""

    plan: str
    products: tuple[PublishedProduct, ...]
    policies: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return all(product.ok for product in self.products)

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": "hanse.publish/1",
            "plan": self.plan[: value.SHORT],
            "ok": self.ok,
            "products": [product.as_json() for product in self.products],
            "policies": list(self.policies),
        }


@reading
def publish(
    node: Node,
    plan_id: str,
    *,
    principal: Principal,
    only: Collection[ProductId] = (),
    allow_breaking: Collection[ProductId] = (),
    progress: Callable[[Event], None] = lambda _: None,
    cancelled: threading.Event | None = None,
) -> PublishReport:
    """Publish the plan `plan_id` (or the beginning of its id), whole or `only` some products of it.

    Each product is built, tested and published on its own, in build order: one that fails is reported and leaves its
    former publication served. Raises `UnknownPlan`, `PlanOutOfDate`, `PlanBlocked`, `NotPermitted`, `RunCancelled`;
    blocks, so call it from a thread of its own.
    """
    cancelled = cancelled or threading.Event()
    id, body, project, findings = _kept(node, plan_id, principal)
    chosen = _chosen(body, only) if only else _own(node, project, principal, body)
    concerned = {product.domain for product in chosen}
    homes = [node.homes[domain] for domain in sorted(concerned if only else concerned | _domains(body))]
    for home in homes:
        require(node, home, principal, Action.PUBLISH, project=project)
    with held(homes, cancelled) as ours:
        if not ours:
            raise RunCancelled("the publish was cancelled", mend="start it again")
        _current(node, id, body, project, chosen)
        products = [ProductId.parse(one["product"]) for one in body["products"] if one["state"] != value.REMOVED]
        fresh = compared(
            node, project, findings, principal=principal, products=products or None, allow_breaking=allow_breaking
        )
        _unblocked(node, fresh, id, chosen, whole=not only)
        made = Plan(id, fresh.bundle, fresh.products, fresh.policies, fresh.findings)
        _policies(node, homes, project, made, principal)
        report = _products(Publisher(node, project, made, principal, progress, cancelled), chosen)
    node.settings.failpoints.reach("P10")
    mine = {home.domain for home in homes}
    return PublishReport(id, tuple(report), tuple(sorted(_domains(body) & mine)))


def _kept(node: Node, plan_id: str, principal: Principal) -> tuple[str, Mapping[str, Any], Project, list[Finding]]:
    """The plan's whole id, its body, and the project read from the files that were kept with it.

    The beginning of an id finds plans of those domains only in which `principal` may publish.
    """
    from hanse.spec.project import project

    found = {}
    for home in node.homes.values():
        held = home.store.plan(plan_id) if plan_id else None
        if held is not None and (
            len(plan_id) == _WHOLE_ID
            or allowed(node, home, replace(principal, scopes=frozenset(SCOPES)), Action.PUBLISH)[0]
        ):
            found[held[1]["hash"]] = (held[1], home, held[0])
    if len(found) != 1:
        told = "no plan" if not found else "more than one plan"
        mend = "hanse plan prints the id; give more of it"
        if not found and "/" in plan_id:
            mend = f"hanse publish --only {plan_id[:127]} plans and publishes that product"
        raise UnknownPlan(f"{told} is called {plan_id[:64]!r}", mend=mend)
    ((id, (body, home, bundle)),) = found.items()
    files = home.store.texts(bundle)
    assert files is not None, "a plan is kept together with its files"
    read, findings = project(files)
    return id, body, read, findings


def _domains(body: Mapping[str, Any]) -> set[str]:
    return {change["domain"] for change in body["policies"]}


def _chosen(body: Mapping[str, Any], only: Collection[ProductId]) -> list[ProductId]:
    """The products to publish, in the plan's order, which is the build order."""
    planned = [ProductId.parse(one["product"]) for one in body["products"] if one["state"] != value.REMOVED]
    for product in only:
        if product not in planned:
            near = nearest(str(product), map(str, planned))
            raise UnknownPlan(
                f"{product} is not in the plan", mend=f"did you mean {near[0]}?" if near else "hanse plan shows what is"
            )
    return [product for product in planned if not only or product in only]


def _own(node: Node, project: Project, principal: Principal, body: Mapping[str, Any]) -> list[ProductId]:
    """The products of a whole plan, without those of others in which it changes nothing.

    What is unchanged is built again where its sources moved, by those who may publish it; for all others the plan of
    a whole mesh is about what it changes.
    """
    mine = {
        domain: allowed(node, home, principal, Action.PUBLISH, project=project)[0]
        for domain, home in node.homes.items()
    }
    states = {one["product"]: one["state"] for one in body["products"]}
    whole = _chosen(body, ())
    kept = [one for one in whole if mine[one.domain] or states[str(one)] != value.UNCHANGED]
    return kept or whole  # of nothing one may publish: refused by name


def _current(node: Node, id: str, body: Mapping[str, Any], project: Project, chosen: Collection[ProductId]) -> None:
    """Raise `PlanOutOfDate` when the base of a chosen product, or the policies of its domain, moved.

    What this very plan moved does not count.
    """
    for one in body["products"]:
        product = ProductId.parse(one["product"])
        if product not in chosen:
            continue
        home = node.homes[product.domain]
        now = home.store.current().get(product)
        sequence = now.sequence if now else 0
        if sequence == one["base"] or home.store.publication_by_key(product, id) is not None:
            continue
        by = f" by {now.by}" if now else ""
        raise PlanOutOfDate(
            f"plan {id[: value.SHORT]} is out of date: {product} was published{by}"
            f" (publication {one['base']} -> {sequence})",
            mend="hanse plan, look, publish again",
        )
    planned = {change["domain"]: change for change in body["policies"]}
    for domain in sorted({product.domain for product in chosen} or set(planned)):
        home = node.homes[domain]
        change = govern.change(home, govern.wanted(node, home, project))
        then = planned.get(domain)
        expected = (None,) if then is None else (None, (then["old"], then["new"]))
        if (None if change is None else (change.old, change.new)) not in expected:
            raise PlanOutOfDate(
                f"plan {id[: value.SHORT]} is out of date: the policies of {domain} moved",
                mend="hanse plan, look, publish again",
            )


def _unblocked(node: Node, fresh: Plan, id: str, chosen: Collection[ProductId], *, whole: bool) -> None:
    if rejects(fresh.findings):
        raise RejectedError("publish", fresh.findings)
    blocked = [
        one
        for one in fresh.products
        if one.state == value.BLOCKED
        and one.product in chosen
        and node.homes[one.product.domain].store.publication_by_key(one.product, id) is None
    ]
    if blocked:
        raise PlanBlocked(blocked, [one for one in fresh.products if whole and one not in blocked])


def _policies(node: Node, homes: Collection[Home], project: Project, made: Plan, principal: Principal) -> None:
    """Put into effect what the plan changes in the documents that govern the domains; an owner's to do."""
    changed: list[tuple[Home, PolicyChange]] = [
        (home, change) for home in homes for change in made.policies if change.domain == home.domain
    ]
    for home, _ in changed:
        require(node, home, principal, Action.ADMINISTER, project=project)
    for home, change in changed:
        files = govern.wanted(node, home, project)
        said = {"old": change.old, "new": change.new, "files": [f"{sign} {path}" for sign, path in change.files]}
        with home.change() as recorded:
            home.store.put_policy_set(files, recorded.connection)
            home.store.tell(recorded.connection, "policies.published", None, {"by": principal.id, **said})
            recorded.append(
                {
                    "act": "policies.published",
                    "at": node.clock().isoformat(),
                    "principal": principal.id,
                    "teams": sorted(principal.teams),
                    "plan": made.id,
                    "outcome": "done",
                    **said,
                }
            )
        deliver(home, failpoints=node.settings.failpoints)


def _products(publisher: Publisher, chosen: Collection[ProductId]) -> list[PublishedProduct]:
    project, node = publisher.project, publisher.node
    upstream = _upstream(project)
    done: list[PublishedProduct] = []
    for product in chosen:
        if publisher.cancelled.is_set():
            raise RunCancelled("the publish was cancelled", mend="start it again")
        planned, home = publisher.plan.product(product), node.homes[product.domain]
        failed = upstream.get(product, frozenset()) & {one.product for one in done if not one.ok}
        made = home.store.publication_by_key(product, publisher.plan.id)
        if made is not None:
            follow_up(node, home, product)
            done.append(publishing.told(home, made))
        elif planned is not None and planned.state == value.PROPOSED:
            done.append(PublishedProduct(product, publishing.PROPOSED, 0))
        elif planned is not None and planned.state == value.RETIRE:
            done.append(_retired(publisher, home, product))
        elif failed:
            done.append(publishing.blocked_by_input(home, project.products[product], failed))
        elif project.products[product].product.status == "retired":
            done.append(PublishedProduct(product, publishing.UNCHANGED, 0))
        else:
            done.append(publisher.publish(product))
    return done


def _upstream(project: Project) -> dict[ProductId, frozenset[ProductId]]:
    """The products of the project that each product's tables are built from."""
    found: dict[ProductId, set[ProductId]] = {}
    for table, made_of in build_edges(project).items():
        of = {one.product for one in made_of if not isinstance(one, str) and one.product != table.product}
        found.setdefault(table.product, set()).update(of)
    return {product: frozenset(of) for product, of in found.items()}


def _retired(publisher: Publisher, home: Home, product: ProductId) -> PublishedProduct:
    """End a product whose status is retired; the plan refused it while grants hold, unless that was allowed."""
    node, principal, plan_id = publisher.node, publisher.principal, publisher.plan.id
    now = home.store.current()[product]
    ended = Publication(
        product,
        sequence=home.store.last_sequence(product) + 1,
        base=now.sequence,
        kind="retire",
        plan=plan_id,
        key=plan_id,
        lines=now.lines,
        default_major=now.default_major,
        main=now.main,
        bundle=home.store.put_texts(texts(publisher.project.products[product])),
        policies=home.store.meta("policies") or "",
        status="retired",
        by=principal.id,
        at=node.clock(),
    )
    made = commit(node, home, ended, act="product.retired", principal=principal, facts={})
    follow_up(node, home, product)
    return publishing.told(home, made)
