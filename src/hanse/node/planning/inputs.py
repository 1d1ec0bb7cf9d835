"""The inputs of a product: who makes them, whether the product may read them, and how to ask when it may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hanse.errors import Finding, Severity
from hanse.governance.decide import decide
from hanse.governance.decision import Request, TableFacts
from hanse.names import PortLine, ProductId, Version
from hanse.node.facts import facts_of_line
from hanse.node.planning.value import Need
from hanse.spec.checks.project import input_findings
from hanse.spec.model import ProductFiles, Project

if TYPE_CHECKING:
    from hanse.node.node import Node


@dataclass(frozen=True, slots=True)
class Offer:
    """A port line by its contract's id: published on this node, or of the project only."""

    line: PortLine
    published: bool
    version: Version | None = None


def offers(node: Node, project: Project) -> Mapping[str, Offer]:
    """Every contract that may be read here, by id; what is published counts before what is only described."""
    found = {
        contract.id: Offer(line, False, contract.version)
        for files in project.products.values()
        for line, contract in files.contracts.items()
    }
    for home in node.homes.values():
        for published in home.published().values():
            found |= {one.contract.id: Offer(line, True, one.version) for line, one in published.lines.items()}
    return found


def inputs(
    node: Node,
    project: Project,
    files: ProductFiles,
    offered: Mapping[str, Offer],
    may_know: Callable[[ProductId], bool],
    *,
    builds: bool,
) -> tuple[list[Finding], list[Need]]:
    """What is wrong with the inputs of a product, and which of them it may not read yet.

    `may_know` says which published products the maker of the plan may know of; who `builds` the product knows what
    it may know, too.
    """
    own = {contract.id for other in project.products.values() for contract in other.contracts.values()}
    named = {port.contract_id for port in files.product.inputs if port.contract_id in offered}
    refusals = {id: _need(node, project, files.product.id, offered[id]) for id in named if id is not None}
    # what neither the maker nor their product may know of looks like what does not exist, and is never offered
    closed = {id for id, offer in offered.items() if offer.published and not may_know(offer.line.product)} - own
    theirs = {id for id, refused in refusals.items() if refused is None or refused.discoverable} if builds else set()
    unseen = closed - theirs
    known = {id: offer.version for id, offer in offered.items() if id not in unseen}
    # links inside the project are told with the project's own findings
    findings = [
        finding
        for finding in input_findings(files.product, known, outside=Severity.ERROR)
        if files.product.inputs[int(finding.pointer.split("/")[2])].contract_id not in {None, *own}
    ]
    needs: dict[ProductId, Need] = {}
    for port in files.product.inputs:
        refused = refusals.get(port.contract_id or "")
        if port.contract_id is None or refused is None or port.contract_id in unseen:
            continue
        offer = offered[port.contract_id]
        if port.version is None or port.version.major == offer.line.major:
            needs.setdefault(offer.line.product, refused.need)
    return findings, list(needs.values())


@dataclass(frozen=True, slots=True)
class _Refused:
    """An input that the product may not read, and whether it may know of it."""

    need: Need
    discoverable: bool


def _need(node: Node, project: Project, reader: ProductId, offer: Offer) -> _Refused | None:
    product = offer.line.product
    home = node.find(product.domain)
    if home is None or product.domain == reader.domain:
        return None
    if offer.published:
        facts: Sequence[TableFacts] = [one for one in home.facts(product) if one.id.major == offer.line.major]
    else:
        facts = _described(node, project, offer.line)
    request = Request(node.product_principal(reader), node.clock(), protocol="build")
    grants, policies = home.grants(product), home.policies()
    refused = next((d for one in facts if not (d := decide(request, one, grants, policies)).allowed), None)
    if refused is None:
        return None
    waiting = next(
        (
            one.id
            for one in home.agreements.requests("waiting")
            if one.product == product and one.whom == f"product:{reader}"
        ),
        None,
    )
    command = f'hanse access request {product} --for {reader} --purpose … --why "…"'
    because = refused.because if offer.published else f"{refused.because}, and it is not published yet"
    return _Refused(Need(str(reader), str(product), because, command, waiting), refused.discoverable)


def _described(node: Node, project: Project, line: PortLine) -> Sequence[TableFacts]:
    files = project.products[line.product]
    domain = node.domain(line.product.domain) or project.domains.get(line.product.domain)
    return facts_of_line(files.product, line, files.contracts[line], domain.team if domain else "")
