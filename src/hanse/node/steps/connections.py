"""connections: which connections domains have, and whether they work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hanse.engine.sources.errors import NoConnection
from hanse.errors import HanseError
from hanse.governance.decision import Action, Principal
from hanse.names import nearest
from hanse.node.connections import require_connection
from hanse.node.permission import allowed
from hanse.node.sources import connections
from hanse.node.variables import names_in
from hanse.spec.model import Domain, Project

if TYPE_CHECKING:
    from hanse.node.node import Node

_AT_ONCE = 4
_PLACES = ("host", "url", "uri", "endpoint", "path")


@dataclass(frozen=True, slots=True)
class Listed:
    """One connection as people may see it: none of its values."""

    domain: str
    name: str
    kind: str
    host: str
    variables: tuple[str, ...]
    missing: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "domain": self.domain,
            "name": self.name,
            "kind": self.kind,
            "host": self.host,
            "variables": list(self.variables),
            "missing": list(self.missing),
        }


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of trying one connection: what answered, or the error."""

    domain: str
    name: str
    said: str
    error: HanseError | None = None

    def as_json(self) -> dict[str, Any]:
        problem = None if self.error is None else {**self.error.as_problem(), "kind": self.error.kind.value}
        return {
            "domain": self.domain,
            "name": self.name,
            "ok": self.error is None,
            "said": self.said,
            "error": problem,
        }


def listed(node: Node, project: Project | None, principal: Principal) -> list[Listed]:
    """The connections of the domains that `principal` publishes for, by domain and name."""
    out = []
    for domain in _domains(node, project, principal):
        for name, tree in sorted(connections(domain).items()):
            variables = tuple(dict.fromkeys(names_in(tree)))
            missing = tuple(node.sources.missing(domain, name))
            out.append(Listed(domain.name, name, str(tree.get("kind", "")), _host(tree), variables, missing))
    return out


def tested(node: Node, project: Project | None, principal: Principal, names: tuple[str, ...] = ()) -> list[Tested]:
    """Try the connections `names` (none: all) of the domains that `principal` publishes for.

    Blocks; raises `NoConnection` for a name that none of them has, `NotPermitted` for one that is not published yet.
    """
    found = [(domain, name) for domain in _domains(node, project, principal) for name in sorted(connections(domain))]
    for name in names:
        known = [*{one for _, one in found}, *(f"{domain.name}/{one}" for domain, one in found)]
        if name not in known:
            near = nearest(name, known) or sorted({one for _, one in found})
            raise NoConnection(
                f"there is no connection {name[:63]!r} that you may use",
                mend=f"write one of: {', '.join(near)}" if near else "add it under connections in domain.yaml",
            )
    chosen = [one for one in found if not names or one[1] in names or f"{one[0].name}/{one[1]}" in names]
    for domain, name in chosen:
        require_connection(node, node.homes[domain.name], principal, project, name)
    with ThreadPoolExecutor(_AT_ONCE, "connections") as threads:
        return list(threads.map(lambda one: _tried(node, *one), chosen))


def _tried(node: Node, domain: Domain, name: str) -> Tested:
    try:
        link = node.sources.connection(domain, name, str(domain.place))
        return Tested(domain.name, name, node.sources.check(link, domain))
    except HanseError as error:
        return Tested(domain.name, name, "", error)


def _domains(node: Node, project: Project | None, principal: Principal) -> Iterator[Domain]:
    for name, home in sorted(node.homes.items()):
        domain = project.domains.get(name) if project is not None else node.domain(name)
        if domain is not None and allowed(node, home, principal, Action.PUBLISH, project=project)[0]:
            yield domain


def _host(tree: Mapping[str, Any]) -> str:
    """Where the connection points, as it is written, without user and password."""
    told = next((str(tree[key]) for key in _PLACES if isinstance(tree.get(key), str)), "")
    if "://" in told:
        address = urlsplit(told)
        told = f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
    return told + (f":{tree['port']}" if "port" in tree and "host" in tree else "")
