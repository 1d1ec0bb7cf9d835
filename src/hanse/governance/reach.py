"""Whether policies reach what they name: a rule about a table, column or reader that nobody has protects nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hanse.errors import Finding, Kind, Place, Severity, code
from hanse.names import ProductId
from hanse.spec.near import Near

if TYPE_CHECKING:
    from hanse.governance.policies import Policies
    from hanse.governance.row_policies import RowPolicy
    from hanse.spec.model import Project, Table

REACHES_NOTHING = code(
    "policy.reaches-nothing",
    Kind.INVALID,
    "A policy names something that is not there",
    "A row policy or mask about a table or column that does not exist protects nothing, and nobody would notice.",
    "Write the name that was meant, or remove the policy.",
)

_Named = tuple[str, str, int | None, str | None]  # domain, product, major, table
_HEADER = re.compile(r"\s*--\s*(\w+)\s*:\s*")


def reach_findings(policies: Policies, project: Project) -> list[Finding]:
    """Row policies and masks of `policies` that name what `project` does not hold; domains outside of it are let be."""
    out: list[Finding] = []
    nearest = Near()
    for row in policies.rows:
        out += _row(row, project, policies.domain, nearest)
    for rule in policies.masks:
        if rule.selector.column is None:
            continue
        domain, product, major, table, path = rule.selector.column
        if domain not in project.domains:
            continue
        tables = _tables(project, domain, product, major, table)
        if _is_half_read(project, domain, product):
            continue
        if not tables:
            out.append(_missing(rule.place, project, (domain, product, major, table), nearest))
            continue
        known = [".".join(steps) for one in tables for column in one.columns for steps, _ in column.walk()]
        if path.lower() not in {one.lower() for one in known}:
            message = f"{domain}.{product}.{table} has no column {path[:80]!r}"
            out.append(Finding.at(rule.place, REACHES_NOTHING, message, mend=_write(nearest, path, known)))
    return out


def _row(row: RowPolicy, project: Project, own: str, nearest: Near) -> Iterator[Finding]:
    place = _Places(row, project, own)
    if row.to and project.people:
        known = [f"team:{team}" for team in project.teams] + [f"person:{name}" for name in project.people]
        for whom in sorted(row.to):
            if not whom.startswith("product:") and whom not in known:
                message = f"the policy binds {whom[:80]}, which people.yaml does not know"
                mend = _write(nearest, whom, known)
                yield Finding.at(place("to"), REACHES_NOTHING, message, mend=mend, severity=Severity.WARNING)
    if row.domain is None or row.domain not in project.domains or row.product is None:
        return
    if _is_half_read(project, row.domain, row.product):
        return
    tables = _tables(project, row.domain, row.product, row.major, row.table)
    if not tables:
        at = place("table" if row.table is not None else "product")
        yield _missing(at, project, (row.domain, row.product, row.major, row.table), nearest)
        return
    known = sorted({column.name for table in tables for column in table.columns})
    lowered = {name.lower() for name in known}
    for name in _own_columns(row):
        if name.lower() not in lowered:
            message = f"{row.domain}.{row.product} has no column {name[:80]!r}; nobody would see a row"
            yield Finding.at(place(""), REACHES_NOTHING, message, mend=_write(nearest, name, known))


def publish_findings(policies: Policies) -> Iterator[Finding]:
    """Publish policies that ask tables or columns the catalogue does not have, as far as reading them can tell."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    from hanse.governance.catalog import CATALOG
    from hanse.governance.publish_policies import BAD_PUBLISH_POLICY

    nearest = Near()
    for policy in policies.publish:
        try:
            tree = sqlglot.parse_one(policy.sql, read="duckdb")
        except (SqlglotError, RecursionError) as error:
            first = error.errors[0] if isinstance(error, sqlglot.ParseError) and error.errors else {}
            place = Place(policy.file, policy.line + int(first.get("line") or 1) - 1, int(first.get("col") or 1))
            message = f"the SELECT cannot be read: {first.get('description') or 'it is no SQL'}".rstrip(".")
            # the engine that runs it knows more SQL than this parser, and has the last word
            yield Finding.at(place, BAD_PUBLISH_POLICY, message, mend="mend it there", severity=Severity.WARNING)
            continue
        place = Place(policy.file, policy.line)
        if not isinstance(tree, exp.Query):
            yield Finding.at(
                place, BAD_PUBLISH_POLICY, "the policy is no SELECT", mend="select product, place, message"
            )
            continue
        own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        for table in tree.find_all(exp.Table):
            name = ".".join(part.name.lower() for part in table.parts)
            if not isinstance(table.this, exp.Identifier) or name in own or name.removeprefix("catalog.") in CATALOG:
                continue
            mend = _write(nearest, name, [f"catalog.{known}" for known in CATALOG])
            yield Finding.at(place, BAD_PUBLISH_POLICY, f"there is no table {name[:80]!r} to ask", mend=mend)


def _own_columns(row: RowPolicy) -> list[str]:
    """Plain columns of the predicate itself; those of its subqueries belong to other tables."""
    from sqlglot import exp

    from hanse.governance.row_policies import _principal_attribute

    found: dict[str, None] = {}
    for column in row.tree.find_all(exp.Column):
        plain = len(column.parts) == 1 and isinstance(column.this, exp.Identifier)
        if plain and column.find_ancestor(exp.Query, exp.Lambda) is None and _principal_attribute(column) is None:
            found[column.name] = None
    return list(found)


def _tables(project: Project, domain: str, product: str, major: int | None, table: str | None) -> list[Table]:
    files = project.products.get(ProductId(domain, product))
    held = files.tables.items() if files is not None else ()
    return [one for id, one in held if major in (None, id.major) and table in (None, id.table)]


def _is_half_read(project: Project, domain: str, product: str) -> bool:
    """Whether the product's folder holds contracts that could not be read: what is wrong with them is told already."""
    files = project.products.get(ProductId(domain, product))
    marks = (f"{domain}/{product}/", f"{product}/")
    written = [path for path in project.files if path.startswith(marks) and path.endswith(".odcs.yaml")]
    return len(written) > (len(files.contracts) if files is not None else 0)


def _missing(place: Place, project: Project, named: _Named, nearest: Near) -> Finding:
    domain, product, major, table = named

    def address(name: str, number: int | None, last: str | None) -> str:
        middle = name if number is None else f"{name}_v{number}"
        return ".".join(part for part in (domain, middle, last) if part is not None)

    known = {
        address(id.product.name, None if major is None else id.major, None if table is None else id.table)
        for files in project.products.values()
        for id in files.tables
        if id.product.domain == domain
    }
    wanted = address(product, major, table)
    kind = "product" if table is None else "table"
    message = f"the project has no {kind} {wanted[:200]}, so the policy protects nothing"
    return Finding.at(place, REACHES_NOTHING, message, mend=_write(nearest, wanted, sorted(known)))


def _write(nearest: Near, word: str, known: Iterable[str]) -> str:
    near = nearest(word, known)
    return f"write {' or '.join(near)}" if near else "write a name that is there, or remove the policy"


class _Places:
    """The lines of a row policy's header words; its first line where a word cannot be found."""

    def __init__(self, row: RowPolicy, project: Project, own: str) -> None:
        # in a domain's own repository its folder is the root
        text = project.files.get(row.file) or project.files.get(row.file.removeprefix(f"{own}/")) or ""
        self.file, self.lines, self.body = row.file, {}, 1
        for number, line in enumerate(text.splitlines(), 1):
            if match := _HEADER.match(line):
                self.lines[match[1].lower()] = (number, match.end() + 1)
            elif line.strip() and not line.strip().startswith("--"):
                self.body = number
                break

    def __call__(self, word: str) -> Place:
        line, column = self.lines.get(word, (self.body, 1))
        return Place(self.file, line, column)
