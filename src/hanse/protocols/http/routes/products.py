"""Products: search, one product by content negotiation, lineage."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from starlette.responses import Response

from hanse.engine.relations.masks import shown
from hanse.errors import HanseError, Kind, code
from hanse.governance.decide import decide
from hanse.governance.decision import Clear, Decision, Hidden, TableFacts
from hanse.governance.decision import Request as Ask
from hanse.governance.view_words import view_words
from hanse.names import PortLine, ProductId, nearest
from hanse.node.facts import ending
from hanse.node.finding.details import details
from hanse.node.home.home import Home
from hanse.node.home.values import Published
from hanse.node.names import Home as NamedHome
from hanse.node.names import address_of
from hanse.node.node import Node
from hanse.node.steps.lineage import DEEPEST
from hanse.node.steps.lineage import lineage as lineage_of
from hanse.node.steps.search import Filters, search
from hanse.protocols.http.call import Call
from hanse.protocols.http.formats import negotiated
from hanse.protocols.http.routes import route
from hanse.protocols.http.types import limit_of, number_of, product_of
from hanse.spec.model import Column, Contract

JSON, ODPS, ODCS = "application/json", "application/vnd.bitol.odps+yaml", "application/vnd.bitol.odcs+yaml"

_PUBLICATIONS = 10  # of a product that are told


class UnknownMajor(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "product.unknown-major",
        Kind.NOT_FOUND,
        "The product has no such major",
        "A product is read by the majors that are published; one may have been retired, or is still to come.",
        "Leave the major out, or name one that is published.",
    )

    def __init__(self, product: ProductId, major: int, known: Iterable[int]) -> None:
        said = " or ".join(f"{product}@{number}" for number in sorted(known))
        super().__init__(f"{product} has no major {major}", mend=f"name {said}")


class UnknownProduct(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "product.unknown",
        Kind.NOT_FOUND,
        "There is no such product",
        "No product of this name is published here, or none that you may know of: both look alike.",
        "hanse search lists the products that you may discover.",
    )

    def __init__(self, product: ProductId, known: Iterable[ProductId] = ()) -> None:
        near = nearest(str(product), sorted(map(str, known)))
        mend = f"did you mean {' or '.join(near)}?" if near else "hanse search lists them"
        super().__init__(f"there is no product {product}", mend=mend)


def document(value: Any, status: int = 200) -> Response:
    """A JSON response."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return Response(text, status, {"cache-control": "no-store"}, JSON)


@route(
    "GET",
    "/products",
    "discover",
    "Search the products that you may discover; without q, all of them.",
    parameters=("q", "domain", "status", "tag", "owner", "limit", "cursor"),
)
async def products(call: Call) -> Response:
    params = call.params
    limit = limit_of(params.get("limit"), 100)
    asked = {name: params.get(name, "")[:500] for name in ("q", "domain", "status", "tag", "owner")}
    binding = json.dumps([call.principal.id, asked], sort_keys=True)
    start = int(call.api.cursors.open(params["cursor"], binding)["at"]) if "cursor" in params else 0
    words = asked.pop("q")
    found = await call.work(search, call.node, call.ask(), words, Filters(**asked), start=start, limit=limit)
    more = call.api.cursors.seal({"at": start + limit}, binding) if start + limit < found.total else None
    return document(
        {
            "schema": "hanse.products/1",
            "products": [hit.as_json() for hit in found.hits],
            "people": [one.as_json() for one in found.people],
            "policies": [one.as_json() for one in found.policies],
            "steps": [one.as_json() for one in found.steps],
            "nearest": list(found.nearest),
            "total": found.total,
            "next": more,
        }
    )


@route(
    "GET",
    "/products/{domain}/{product}",
    "discover",
    "One product, as you would see it: JSON, its ODPS document, or the ODCS contract of a port line, by Accept.",
    parameters=("major", "port"),
)
async def product(call: Call) -> Response:
    media = negotiated(call.header(b"accept"), (JSON, ODPS, ODCS))
    seen = Seen.of(call.node, call.ask(), product_of(call.path["domain"], call.path["product"]))
    major = number_of("major", call.params.get("major"), seen.publication.default_major)
    if media == ODPS:
        return Response(seen.publication.product.text, 200, {"vary": "accept"}, ODPS)
    if media == ODCS:
        line, contract = seen.contract(major, call.params.get("port"))
        text = await call.work(served_contract, contract, seen.hidden(line), call.api.address, seen.id, line)
        return Response(text, 200, {"vary": "accept"}, ODCS)
    more = await call.work(details, call.node, call.ask(), seen.publication, major)
    address = f"{call.api.address}/api/v1/products/{seen.id}/tables"
    told = seen.as_json(major)
    protocols = [
        {"protocol": "http", "table": table["name"], "address": f"{address}/{table['name']}/rows?major={major}"}
        for table in told["tables"]
    ]
    return document({**told, **more, "protocols": protocols})


@route(
    "GET",
    "/lineage/{domain}/{product}",
    "discover",
    "What it is made from (up steps of it) and what is made from it, of what you may discover; columns=true too.",
    parameters=("up", "down", "columns"),
)
async def lineage(call: Call) -> Response:
    params, id = call.params, product_of(call.path["domain"], call.path["product"])
    up, down = (min(number_of(word, params.get(word), 1), DEEPEST) for word in ("up", "down"))
    columns = params.get("columns", "") in ("true", "1")
    found = await call.work(lineage_of, call.node, call.ask(), id, up=up, down=down, columns=columns)
    if found is None:
        raise UnknownProduct(id, _discoverable(call.node, call.ask()))
    return document(found.as_json())


def _discoverable(node: Node, ask: Ask) -> set[ProductId]:
    return {facts.product for _, facts in node.names.visible(ask)}


class Seen:
    """A product as one request may see it: its tables with their decisions."""

    def __init__(self, home: NamedHome, id: ProductId, tables: Mapping[TableFacts, Decision]) -> None:
        self.home = home
        self.id = id
        self.tables = tables
        published = home.published()[id]
        assert isinstance(published, Published)
        self.publication = published

    @classmethod
    def of(cls, node: Node, ask: Ask, id: ProductId) -> Seen:
        """The product; raise `UnknownProduct` when there is none, or none that may be known of."""
        home = node.names.home(id.domain, ask)
        if home is None or id not in home.published():
            raise UnknownProduct(id, _discoverable(node, ask))
        grants, policies = home.grants(id), home.policies()
        decided = {facts: decide(ask, facts, grants, policies) for facts in home.facts(id)}
        known = {f: d for f, d in decided.items() if d.discoverable or d.allowed}
        if not known:
            raise UnknownProduct(id, _discoverable(node, ask))
        return cls(home, id, known)

    def contract(self, major: int, port: str | None) -> tuple[PortLine, Contract]:
        for line, published in sorted(self.publication.lines.items()):
            if line.major == major and port in (None, line.port) and self._of_line(line):
                return line, published.contract
        if major in self._majors():
            raise UnknownProduct(self.id)
        raise UnknownMajor(self.id, major, self._majors())

    def _majors(self) -> set[int]:
        """The majors that this reader may know of."""
        return {facts.id.major for facts in self.tables}

    def hidden(self, line: PortLine) -> dict[str, set[tuple[str, ...]]]:
        """The column paths that do not exist for this reader, by table of `line`."""
        return {
            facts.id.table: {path for path, view in decision.columns.items() if isinstance(view, Hidden)}
            for facts, decision in self._of_line(line)
        }

    def _of_line(self, line: PortLine) -> list[tuple[TableFacts, Decision]]:
        names = {table.name for table in self.publication.lines[line].contract.tables}
        return [(f, d) for f, d in self.tables.items() if f.id.major == line.major and f.id.table in names]

    def as_json(self, major: int) -> dict[str, Any]:
        tables = [self._table(facts, decision) for facts, decision in self.tables.items() if facts.id.major == major]
        if not tables:
            raise UnknownMajor(self.id, major, self._majors())
        line = next(line for line in sorted(self.publication.lines) if line.major == major)
        published = self.publication.lines[line]
        described = self.publication.product
        contract = published.contract
        return {
            "schema": "hanse.product/1",
            "product": str(self.id),
            "title": described.title,
            "major": major,
            "majors": sorted(self._majors()),
            "default_major": self.publication.default_major,
            "version": str(published.version),
            "status": described.status,
            "deprecation": ending(described.status, contract),
            "access": described.access.value,
            "owner": self.publication.domain_team,
            "purpose": described.description.get("purpose") if described.description else None,
            "sequence": self.publication.sequence,
            "publications": self._publications(major),
            "published_at": self.publication.at.isoformat(),
            "tables": tables,
        }

    def _publications(self, major: int) -> list[dict[str, Any]]:
        """The latest publications that hold the major, newest first."""
        made: list[dict[str, Any]] = []
        if not isinstance(self.home, Home):
            return made  # the catalogue has no past
        for one in reversed(self.home.store.publications(self.id)):
            version = next((record.version for record in one.lines if record.line.major == major), None)
            if version is not None:
                made.append({"sequence": one.sequence, "kind": one.kind, "version": version, "at": one.at.isoformat()})
        return made[:_PUBLICATIONS]

    def _table(self, facts: TableFacts, decision: Decision) -> dict[str, Any]:
        table, rows = next(
            (table, published.snapshot.tables[facts.id.table].rows)
            for line, published in self.publication.lines.items()
            for table in published.contract.tables
            if line.major == facts.id.major and table.name == facts.id.table
        )
        columns = []
        for column in table.columns:
            view = decision.columns.get((column.name,))
            if isinstance(view, Hidden):
                continue
            words = "no access" if view is None else "clear" if isinstance(view, Clear) else view_words(view)
            columns.append(
                {
                    "name": column.name,
                    "type": _type_of(column, facts, decision),
                    "classification": column.classification,
                    "description": column.description,
                    "required": column.required,
                    "view": words.partition(" (")[0],
                }
            )
        filtered = [rule.name for rule in decision.rows]
        return {
            "name": facts.id.table,
            "sql": address_of(facts, self.publication),
            # how many rows a policy leaves out is not told
            "rows": rows if decision.allowed and not filtered else None,
            "columns": columns,
            "decision": {
                "allowed": decision.allowed,
                "because": decision.because,
                "code": decision.code,
                "mend": decision.mend,
                "rows": filtered,
                "grants": sorted(decision.grants),
            },
        }


def _type_of(column: Column, facts: TableFacts, decision: Decision) -> str:
    """The type of a column in SQL, without the fields that do not exist for this reader."""
    if not any(isinstance(view, Hidden) and path[0] == column.name for path, view in decision.columns.items()):
        return column.type.sql
    part = shown(column.name, column.type, decision.columns, frozenset(one.path for one in facts.columns))
    return column.type.sql if part is None else part[1].sql


def served_contract(
    contract: Contract, hidden: Mapping[str, set[tuple[str, ...]]], address: str, product: ProductId, line: PortLine
) -> str:
    """The contract as a reader gets it: without hidden columns, with the servers that answer for it now."""
    import yaml

    tree = copy.deepcopy(dict(contract.raw))
    for written, table in zip(tree.get("schema") or (), contract.tables, strict=False):
        gone = hidden.get(table.name, set())
        if gone:
            written["properties"] = list(_shown(written.get("properties") or (), gone, ()))
            names = {path[-1].lower() for path in gone}
            for member in ("quality", "relationships"):
                if kept := [one for one in written.get(member) or () if not _names(one, names)]:
                    written[member] = kept
                else:
                    written.pop(member, None)
    tree["servers"] = [
        {
            "server": "hanse-http",
            "type": "api",
            "location": f"{address}/api/v1/products/{product}/tables/{table.name}/rows?major={line.major}",
        }
        for table in contract.tables
    ]
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120)


def _shown(properties: Any, gone: set[tuple[str, ...]], above: tuple[str, ...]) -> Iterator[Any]:
    for one in properties:
        path = (*above, str(one.get("name", "[]")))
        if path not in gone:
            _without(one, gone, path)
            yield one


def _without(one: Any, gone: set[tuple[str, ...]], path: tuple[str, ...]) -> None:
    """Take what is hidden below a property out of it, also out of what its type says in words."""
    if any(hidden[: len(path)] == path for hidden in gone):
        one.pop("physicalType", None)
    if isinstance(one.get("properties"), list):
        one["properties"] = list(_shown(one["properties"], gone, path))
    if isinstance(one.get("items"), dict):
        if (*path, "[]") in gone:
            del one["items"]
        else:
            _without(one["items"], gone, (*path, "[]"))


def _names(written: Any, names: set[str]) -> bool:
    text = json.dumps(written, default=str).lower()
    return any(name in text for name in names)
