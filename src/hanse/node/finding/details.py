"""What there is to know of a product beside its tables: people, terms, promises with their state, links, access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hanse.governance.decision import Request
from hanse.node.catalog import PRODUCT
from hanse.node.finding.health import Health, health
from hanse.node.finding.links import Links
from hanse.node.finding.reader import Reader
from hanse.node.finding.texts import members_of
from hanse.node.freshness import of_report, shown
from hanse.spec.model import ServiceLevel

if TYPE_CHECKING:
    from hanse.node.home.values import Published
    from hanse.node.node import Node

_AGES = ("latency", "freshness")


def details(node: Node, request: Request, published: Published, major: int) -> dict[str, Any]:
    """Of one major of a product, for a reader who may know of it."""
    reader = Reader.of(node, request)
    id = published.product.id
    if id == PRODUCT:
        return _catalogue(published)
    links = Links(reader)
    lines = [(line, table, facts) for line, table, facts in reader.lines(published) if line.major == major]
    contracts = {line: published.lines[line].contract for line, _, _ in lines}
    until = reader.until(id, [reader.decision(facts) for _, _, facts in lines])
    tags = {tag for _, _, facts in lines for tag in facts.tags}
    return {
        **health(reader, published).as_json(),
        "people": _people(reader, published),
        "support": [_support(one) for one in published.product.support],
        "tags": sorted(tags),
        "terms": sorted({term for contract in contracts.values() for term in _terms(contract.raw)}),
        "service_levels": [
            {
                "property": level.property,
                "value": level.value,
                "unit": level.unit,
                "element": level.element,
                **_measured(reader, published, level, major),
            }
            for contract in contracts.values()
            for level in contract.service_levels
        ],
        "versions": [
            {"port": line.port, "major": line.major, "version": str(state.version), "status": state.contract.status}
            for line, state in sorted(published.lines.items())
            if line in {known for known, _, _ in reader.lines(published)}
        ],
        "from": [_linked(reader, one) for one in links.up(id)],
        "to": [_linked(reader, one) for one in links.down(id)],
        "inputs": sorted(port.contract_id for port in published.product.inputs if port.contract_id in links.offers),
        "until": None if until is None else until.isoformat(),
    }


def _catalogue(published: Published) -> dict[str, Any]:
    """Of the catalogue itself: nobody owns it, and it is made of all that is published."""
    empty: dict[str, Any] = {
        name: [] for name in ("people", "support", "terms", "service_levels", "from", "to", "inputs")
    }
    versions = [
        {"port": line.port, "major": line.major, "version": str(state.version), "status": state.contract.status}
        for line, state in published.lines.items()
    ]
    told = Health("", "", published.at).as_json()
    return {**empty, **told, "tags": sorted(published.product.tags), "versions": versions, "until": None}


def _people(reader: Reader, published: Published) -> list[dict[str, Any]]:
    """Who owns it: the domain's people with their roles, and those whom the product itself names."""
    team = reader.home(published.product.id).team
    known = reader.node.people
    roles = {name: sorted(held) for name, held in (team.members if team is not None else {}).items()}
    for name in members_of(published.product):
        roles.setdefault(name, [])
    return [
        {"name": name, "title": known[name].title if name in known else None, "roles": held}
        for name, held in sorted(roles.items())
    ]


def _support(entry: Any) -> dict[str, str | None]:
    return {word: None if entry.get(word) is None else str(entry[word]) for word in ("channel", "url")}


def _terms(raw: Any) -> list[str]:
    """The business names and definitions that a contract refers to as a whole."""
    listed = raw.get("authoritativeDefinitions")
    found = [str(one["url"]) for one in listed if isinstance(one, dict) and one.get("url")] if listed else []
    return [*found, *([str(raw["businessName"])] if raw.get("businessName") else [])]


def _measured(reader: Reader, published: Published, level: ServiceLevel, major: int) -> dict[str, Any]:
    """The state of a promise on the age of data, where the reader sees what it is measured by."""
    if published.report is None or level.property.lower() not in _AGES:
        return {"state": None}
    levels = of_report(reader.home(published.product.id).store, published.report)
    for line, table, facts in reader.lines(published):
        for one in shown(levels, table.name, str(line), reader.decision(facts)) if line.major == major else ():
            if level.seconds is None or one.goal.total_seconds() == level.seconds:
                said = one.as_json(reader.request.at)
                return {name: said[name] for name in ("state", "newest", "age_seconds", "goal_seconds")}
    return {"state": None}


def _linked(reader: Reader, product: Any) -> dict[str, Any]:
    published = reader.home(product).published()[product]
    line = next(line for line, _, _ in reader.lines(published))
    return {
        "product": str(product),
        "title": published.product.title,
        "version": str(published.lines[line].version),
        **health(reader, published).as_json(),
    }
