"""plan: compare a project with what is published: what publish would change, and who is touched."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hanse.errors import Finding, HanseError, Kind, Severity, code, rejects
from hanse.governance.catalog import catalog_rows
from hanse.governance.decide import decide
from hanse.governance.decision import Action, Hidden, Principal, Request
from hanse.governance.grants import is_live
from hanse.governance.policies import DEFAULT_CLASSIFICATIONS, Policies
from hanse.names import ProductId, TableId, is_name, nearest
from hanse.node.home.codec import text
from hanse.node.permission import allowed
from hanse.node.planning import govern, value
from hanse.node.planning.compare import Compared, changed_files, compare, rebuilds, texts
from hanse.node.planning.consumers import consumers, readers
from hanse.node.planning.inputs import inputs, offers
from hanse.node.planning.keep import keep, know
from hanse.node.planning.value import FileChange, Need, Plan, PolicyChange, ProductPlan
from hanse.node.steps import access
from hanse.spec.checks.proposed import PROPOSED
from hanse.spec.model import ProductFiles, Project
from hanse.spec.order import build_order, cycles

if TYPE_CHECKING:
    from hanse.node.home.home import Home
    from hanse.node.node import Node

__all__ = ["Plan", "plan"]

LIVE_GRANTS = code(
    "retire.live-grants",
    Kind.CONFLICT,
    "A product cannot end while grants on it hold",
    "Whoever holds a grant was promised the data until its day; ending it before is a decision of its own.",
    "Revoke the grants or let them end; or force it, which prints and ends them: --allow-breaking PRODUCT.",
)
_ASKED_DAYS = 365


class UnknownSelection(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "plan.unknown-product",
        Kind.NOT_FOUND,
        "The selection names a product that the project does not have",
        "A plan is made of products of the project whose domains this node serves.",
        "Name products of the project as domain/product.",
    )


def plan(
    node: Node,
    project: Project,
    findings: Iterable[Finding],
    *,
    principal: Principal,
    products: Collection[ProductId] | None = None,
    allow_breaking: Collection[ProductId] = frozenset(),
    request_access: bool = False,
) -> Plan:
    """Say what publish would change. `findings` are the project's own; errors block the products they lie in.

    The plan is kept, with the files, in the homes of the domains that `principal` may publish; products it accepts
    become principals there. `request_access` files the requests that inputs still need.
    """
    since = time.perf_counter()
    node.settings.failpoints.reach("P1")
    findings = list(findings)
    found = compared(node, project, findings, principal=principal, products=products, allow_breaking=allow_breaking)
    requested = _request(node, principal, found.products, project) if request_access else ()
    if requested:
        found = compared(node, project, findings, principal=principal, products=products, allow_breaking=allow_breaking)
    found = replace(found, requested=requested)
    chosen = [one.product for one in found.products if one.state != value.REMOVED]
    stored = tuple(keep(node, project, found, principal, chosen))
    node.settings.failpoints.reach("P2")
    # which policies a domain has is for those who may publish there; the plan that is kept holds all of them
    told = tuple(change for change in found.policies if _publishes(node, node.homes[change.domain], project, principal))
    return replace(found, policies=told, stored=stored, seconds=time.perf_counter() - since)


def compared(
    node: Node,
    project: Project,
    findings: Iterable[Finding],
    *,
    principal: Principal,
    products: Collection[ProductId] | None = None,
    allow_breaking: Collection[ProductId] = frozenset(),
) -> Plan:
    """The plan as a value; nothing is kept and nobody is asked."""
    own, whole = _by_product(project, [*findings, *cycles(project)])
    chosen = _chosen(node, project, own, products)
    made = _Made(node, project, principal, frozenset(allow_breaking), _governing(node, project, chosen))
    plans = [made.product(product, own.get(product, [])) for product in chosen]
    plans += [] if products else [one for one in _removed(node, project) if made.may_know(one.product)]
    changes = tuple(change for change in made.changes.values() if change is not None)
    bundle = hashlib.sha256(text(dict(project.files)).encode("utf-8", "surrogatepass")).hexdigest()
    whole = sorted(dict.fromkeys([*whole, *made.findings]))
    return Plan(plan_id(project, plans, changes), bundle, tuple(plans), changes, tuple(whole))


def plan_id(project: Project, plans: Sequence[ProductPlan], changes: Sequence[PolicyChange]) -> str:
    """A hash over descriptors, build.yaml, transforms, base publications and policies; over nothing else."""
    said = {
        "products": {
            str(one.product): [one.base, texts(project.products[one.product])]
            for one in plans
            if one.product in project.products
        },
        "policies": {change.domain: [change.old, change.new] for change in changes},
    }
    return hashlib.sha256(b"hanse-plan-1\n" + text(said).encode("utf-8", "surrogatepass")).hexdigest()


class _Made:
    """What all products of one plan share."""

    def __init__(
        self,
        node: Node,
        project: Project,
        principal: Principal,
        allow_breaking: frozenset[ProductId],
        documents: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.node, self.project, self.principal, self.allow_breaking = node, project, principal, allow_breaking
        self.changes = {domain: govern.change(node.homes[domain], files) for domain, files in documents.items()}
        self.policies: dict[str, Policies] = {}
        self.findings: list[Finding] = []  # of the policies
        for domain, files in documents.items():
            self.policies[domain], wrong = govern.policies(node.homes[domain], files, project)
            self.findings += wrong
        self.offers = offers(node, project)
        self._mine: dict[str, bool] = {}
        self.violations = self._violations()
        self._readers: dict[str, Any] = {}
        self._visible = {facts.product for _, facts in node.names.visible(Request(principal, node.clock()))}
        self._rebuilt: set[TableId] = set()
        order = [table.product for table in build_order(project)]
        self.order = list(dict.fromkeys(order))

    def product(self, product: ProductId, findings: Sequence[Finding]) -> ProductPlan:
        """The plan of one product."""
        node, files = self.node, self.project.products.get(product)
        home = node.homes[product.domain]
        told_of = self._sees_whole(product)
        known = home.store.products().get(product) if told_of else None
        published = home.published().get(product) if told_of else None
        base = known.current or 0 if known else 0
        old_status = known.status if known and known.current else None
        if files is None:
            return ProductPlan(product, value.BLOCKED, base, old_status, None, findings=tuple(sorted(findings)))
        bundle = home.store.texts(published.bundle) if published else None
        mesh = self.project.mesh or home.mesh
        classes = mesh.classifications if mesh else DEFAULT_CLASSIFICATIONS
        retired = home.store.retired(product) if told_of else {}
        compared = compare(published, old_status, files, bundle, classes, self.allow_breaking, retired)
        builds = self._publishes(home)
        linked, needs = inputs(node, self.project, files, self.offers, self.may_know, builds=builds)
        status = files.product.status
        found = [*map(_binding, findings), *compared.findings, *linked, *self.violations.get(str(product), [])]
        retires = status == "retired" and published is not None
        if retires:
            found += self._holders(home, product)
        state = self._state(found, needs, compared, status, retires=retires, published=published is not None)
        told = self._consumers(home, product, compared, everything=retires)
        made = [] if retires else rebuilds(self.project, product, published, bundle, self._rebuilt)
        self._rebuilt |= {table for table in files.tables if any(one.table == str(table) for one in made)}
        return ProductPlan(
            product,
            state,
            base,
            old_status,
            status,
            compared.lines,
            tuple(sorted(dict.fromkeys(found))),
            told,
            tuple(needs),
            tuple(made),
            compared.breaking,
            _files(files, compared, bundle),
        )

    def may_know(self, product: ProductId) -> bool:
        """Whether its maker may know what is published of a product: a plan tells no more than a search would."""
        return product in self._visible or self._publishes(self.node.homes[product.domain])

    def _sees_whole(self, product: ProductId) -> bool:
        """Whether what is published may be compared for its maker: no column of it is hidden from them."""
        home = self.node.homes[product.domain]
        if self._publishes(home):
            return True
        ask = Request(self.principal, self.node.clock())
        views = (
            view
            for facts in home.facts(product)
            for view in decide(ask, facts, home.grants(product), home.policies()).columns.values()
        )
        return self.may_know(product) and not any(isinstance(view, Hidden) for view in views)

    def _publishes(self, home: Home) -> bool:
        if home.domain not in self._mine:
            self._mine[home.domain] = _publishes(self.node, home, self.project, self.principal)
        return self._mine[home.domain]

    @staticmethod
    def _state(
        found: Sequence[Finding],
        needs: Sequence[Need],
        compared: Compared,
        status: str,
        *,
        retires: bool,
        published: bool,
    ) -> str:
        if rejects(found):
            return value.BLOCKED
        if status == "proposed" and not published:
            return value.PROPOSED
        if needs:
            return value.BLOCKED
        if retires:
            return value.RETIRE
        if not published:
            return value.NEW if status != "retired" else value.UNCHANGED
        return value.CHANGED if compared.differs else value.UNCHANGED

    def _consumers(
        self, home: Home, product: ProductId, compared: Compared, *, everything: bool
    ) -> tuple[value.Consumer, ...]:
        """Who reads it; told to those only who may publish it: who reads what is the owner's to know."""
        if not self._publishes(home):
            return ()
        if home.domain not in self._readers:
            self._readers[home.domain] = readers(self.node, home)
        return consumers(self._readers[home.domain].get(product, {}), compared.columns, everything=everything)

    def _holders(self, home: Home, product: ProductId) -> list[Finding]:
        if not self._publishes(home):
            return []  # who holds what is the owner's to know
        now = self.node.clock()
        live = [grant for grant in home.grants(product) if is_live(grant, now)]
        severity = Severity.WARNING if product in self.allow_breaking else Severity.ERROR
        place = self.project.products[product].product.place
        return [
            Finding.at(
                place,
                LIVE_GRANTS,
                f"{grant.to} holds {grant.id} until {grant.until.date()}",
                mend=f"hanse access revoke {grant.id}",
                severity=severity,
            )
            for grant in live
        ]

    def _violations(self) -> dict[str, list[Finding]]:
        """What the publish policies of each domain find, by product; a policy that cannot run blocks its domain."""
        from hanse.engine.policies import violations

        found: dict[str, list[Finding]] = {}
        for domain, policies in self.policies.items():
            if not policies.publish:
                continue
            # grants never leave their home: a policy sees those of its own domain, for who may publish there
            mine = self._publishes(self.node.homes[domain])
            grants = self.node.homes[domain].agreements.grants() if mine else ()
            rows = catalog_rows(self.project, self.policies, grants)
            own = [str(id) for id in self.project.products if id.domain == domain]
            for violation in violations(policies.publish, rows):
                for product in [violation.product] if violation.product else own:
                    if product in own:
                        found.setdefault(product, []).append(violation.finding)
        return found


def _files(files: ProductFiles, compared: Compared, bundle: Mapping[str, str] | None) -> tuple[FileChange, ...]:
    """The files that differ, but for the contracts whose changes are told one by one."""
    if bundle is None:
        return ()
    lines = {f"{line.port}@{line.major}": contract.place.file for line, contract in files.contracts.items()}
    told = {lines[one.line] for one in compared.lines if one.changes and one.line in lines}
    return changed_files(files, bundle, told)


def _publishes(node: Node, home: Home, project: Project, principal: Principal) -> bool:
    """Whether `principal` may publish in the domain, with whatever token: it decides what a plan tells of it."""
    anyhow = replace(principal, scopes=principal.scopes | {"build"})
    return allowed(node, home, anyhow, Action.PUBLISH, project=project)[0]


def _binding(finding: Finding) -> Finding:
    """`finding` as it weighs for publishing: what waits for a person is a remark before, and bars the way here."""
    return replace(finding, severity=Severity.ERROR) if finding.code == PROPOSED else finding


def _by_product(project: Project, findings: Iterable[Finding]) -> tuple[dict[ProductId, list[Finding]], list[Finding]]:
    """Findings by the product whose folder they lie in; those of no product's folder apart."""
    folders = {files.product.place.file.rpartition("/")[0]: product for product, files in project.products.items()}
    alone = next(iter(project.domains), "") if "domain.yaml" in project.files else ""
    own: dict[ProductId, list[Finding]] = {}
    whole: list[Finding] = []
    for finding in dict.fromkeys(findings):
        folder = finding.file.rpartition("/")[0]
        product = next((id for known, id in folders.items() if folder == known or folder.startswith(f"{known}/")), None)
        if product is None:
            parts = finding.file.split("/")
            parts = [alone, *parts] if alone and len(parts) == 2 else parts
            # a folder whose descriptor cannot be read still is a product, a blocked one
            if len(parts) == 3 and parts[0] in project.domains and parts[1] != "policies" and is_name(parts[1]):
                product = ProductId(parts[0], parts[1])
        if product is None:
            whole.append(finding)
        else:
            own.setdefault(product, []).append(finding)
    return own, whole


def _chosen(
    node: Node,
    project: Project,
    own: Mapping[ProductId, Sequence[Finding]],
    products: Collection[ProductId] | None,
) -> list[ProductId]:
    """The products to plan, in build order."""
    broken = [product for product, found in own.items() if product not in project.products and rejects(found)]
    served = [product for product in (*project.products, *broken) if node.find(product.domain) is not None]
    for product in products or ():
        if product not in served:
            near = nearest(str(product), map(str, served))
            raise UnknownSelection(
                f"{product} is not among the project's products that this node serves",
                mend=f"did you mean {near[0]}?" if near else f"one of: {', '.join(map(str, sorted(served)))}",
            )
    wanted = set(products or served)
    order = [product for product in dict.fromkeys(t.product for t in build_order(project)) if product in wanted]
    return [*order, *sorted(wanted - set(order))]


def _governing(node: Node, project: Project, chosen: Collection[ProductId]) -> dict[str, Mapping[str, str]]:
    """The documents that the project would have govern each domain of the plan."""
    domains = {product.domain for product in chosen} or set(project.domains)
    return {domain: govern.wanted(node, node.homes[domain], project) for domain in sorted(domains) if node.find(domain)}


def _removed(node: Node, project: Project) -> list[ProductPlan]:
    """Published products of the project's domains that have no files any more: nothing happens to them."""
    return [
        ProductPlan(id, value.REMOVED, published.sequence, published.status, None)
        for domain in sorted(project.domains)
        if (home := node.find(domain)) is not None
        for id, published in sorted(home.published().items())
        if id not in project.products
    ]


def _request(node: Node, principal: Principal, plans: Sequence[ProductPlan], project: Project) -> tuple[str, ...]:
    """File the requests that inputs still need; the product becomes known first, so that it can hold a grant."""
    asked = []
    for one in plans:
        for need in one.needs:
            if need.request is not None:
                continue
            reader, product = ProductId.parse(need.product), ProductId.parse(need.input)
            home, owner = node.find(reader.domain), node.find(product.domain)
            if home is None or owner is None or product not in owner.published():
                continue
            know(node, home, project, principal, [reader])
            files = project.products[reader]
            purpose = files.product.custom.get("purpose")
            about = files.product.description.get("purpose") if files.product.description else None
            made = access.request(
                node,
                principal,
                product,
                to=f"product:{reader}",
                until=node.clock() + timedelta(days=_ASKED_DAYS),
                purpose=purpose if isinstance(purpose, str) else None,
                why=about if isinstance(about, str) and about.strip() else f"input of {reader}",
            )
            asked.append(made.id)
    return tuple(asked)
