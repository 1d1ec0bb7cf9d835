"""Run publish policies: each is one SELECT over the catalogue in a locked engine that holds nothing else."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hanse.engine import gate
from hanse.errors import Finding, HanseError, Kind, Place, Severity, code
from hanse.governance.catalog import CATALOG, CatalogTable, Row
from hanse.governance.publish_policies import BAD_PUBLISH_POLICY, PublishPolicy
from hanse.governance.row_policies import FUNCTIONS, function_name
from hanse.names import nearest, quote

if TYPE_CHECKING:
    import duckdb
    import pyarrow

VIOLATED = code(
    "policy.violated",
    Kind.INVALID,
    "A publish policy is violated",
    "Publish policies are what the federation and the domain demand of every product before it is published.",
    "Mend what the message says, or talk to whoever owns the policy.",
)

SECONDS = 10.0
MOST_VIOLATIONS = 10_000
_PLACE = re.compile(r"(.+):([0-9]+):([0-9]+)")
_COLUMNS = ("product", "place", "message")
_MORE_FUNCTIONS = frozenset({"array_agg", "bool_or", "bool_and", "group_concat", "list", "row_number", "string_agg"})
_SETTINGS = {
    "threads": "1",
    "memory_limit": "256MB",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that a policy returned; `product` is empty when the policy itself is at fault."""

    policy: PublishPolicy
    product: str
    place: Place
    message: str
    code: str = VIOLATED

    @property
    def blocks(self) -> bool:
        """Whether it stops publishing; a policy that cannot run always does."""
        return self.policy.severity == "block" or self.code != VIOLATED

    @property
    def finding(self) -> Finding:
        """The violation as a finding at the place in the descriptor."""
        why = f"policy {self.policy.name} ({self.policy.file}:{self.policy.line}): {self.policy.description}"
        severity = Severity.ERROR if self.blocks else Severity.WARNING
        return Finding.at(self.place, self.code, self.message, why=why, severity=severity)


def violations(
    policies: Sequence[PublishPolicy], catalog_rows: Mapping[str, Sequence[Row]], *, seconds: float = SECONDS
) -> list[Violation]:
    """Every violation of `policies` on the catalogue's rows, in the policies' order.

    A policy that is no single SELECT over the catalogue, fails, or is not done when all of them have taken `seconds`
    is a violation itself: whoever sends policies along holds the node for so long at most, however many they are.
    """
    found: list[Violation] = []
    with _catalog(catalog_rows) as connection:
        ends = time.monotonic() + seconds
        for policy in policies:
            faults = check(policy)
            if faults:
                found += [Violation(policy, "", fault.place, fault.message, BAD_PUBLISH_POLICY) for fault in faults]
            else:
                found += _run(connection, policy, seconds, ends)
    return found


def check(policy: PublishPolicy) -> list[Finding]:
    """What is wrong with the SQL of `policy`, without running it."""
    place = Place(policy.file, policy.line)
    try:
        gated = gate.check(policy.sql)
    except HanseError as error:
        return [Finding.at(place, BAD_PUBLISH_POLICY, error.message, mend=error.mend)]
    if gated.kind != "select":
        mend = "select product, place, message from …"
        return [Finding.at(place, BAD_PUBLISH_POLICY, "a publish policy is a SELECT", mend=mend)]
    found = [
        Finding.at(place, BAD_PUBLISH_POLICY, f"function {name} is not allowed in a publish policy")
        for name in _foreign_functions(policy.sql)
    ]
    for reference in gated.references:
        known = reference.parts[-1] in CATALOG and reference.parts[:-1] == ("catalog",)
        if not known or reference.version is not None or reference.timestamp is not None:
            names = [f"catalog.{name}" for name in CATALOG]
            mend = f"one of: {', '.join(nearest(reference.text, names) or names)}"
            found.append(
                Finding.at(place, BAD_PUBLISH_POLICY, f"{reference.text} is no table of the catalogue", mend=mend)
            )
    return found


def _foreign_functions(sql: str) -> list[str]:
    """Functions beyond plain ones. The gate keeps files away; this keeps values small that no limit would stop."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        trees = sqlglot.parse(sql, read="duckdb")
    except (SqlglotError, RecursionError):
        return ["(unreadable)"]
    names = {name for tree in trees if tree is not None for node in tree.walk() if (name := function_name(node))}
    return sorted(names - FUNCTIONS - _MORE_FUNCTIONS)


def _run(
    connection: duckdb.DuckDBPyConnection, policy: PublishPolicy, seconds: float, ends: float
) -> Iterator[Violation]:
    import duckdb

    at = Place(policy.file, policy.line)
    left = ends - time.monotonic()
    if left <= 0:
        told = f"policy {policy.name} was not run: those before it took too long"
        yield Violation(policy, "", at, told, BAD_PUBLISH_POLICY)
        return
    timer = threading.Timer(left, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        answer = connection.execute(gate.check(policy.sql).sql)
        names = [column[0].lower() for column in answer.description or ()]
        missing = [name for name in _COLUMNS if name not in names]
        if missing:
            told = f"policy {policy.name} returns no column {missing[0]}"
            yield Violation(policy, "", at, told, BAD_PUBLISH_POLICY)
            return
        rows = answer.fetchmany(MOST_VIOLATIONS)
    except duckdb.InterruptException:
        told = f"policy {policy.name} took longer than {seconds:g} seconds"
        yield Violation(policy, "", at, told, BAD_PUBLISH_POLICY)
        return
    except duckdb.Error as error:
        told = f"policy {policy.name} fails: {str(error).splitlines()[0][:300]}"
        yield Violation(policy, "", at, told, BAD_PUBLISH_POLICY)
        return
    finally:
        timer.cancel()
    for row in rows:
        product, place, message = (row[names.index(name)] for name in _COLUMNS)
        yield Violation(policy, str(product or ""), _place(place, at), str(message or policy.description)[:2000])


def _place(text: Any, otherwise: Place) -> Place:
    match = _PLACE.fullmatch(str(text)) if text is not None else None
    return otherwise if match is None else Place(match[1], int(match[2]), int(match[3]))


@contextmanager
def _catalog(rows: Mapping[str, Sequence[Row]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A locked engine in memory that holds the catalogue's tables and nothing else."""
    import duckdb

    connection = duckdb.connect(":memory:", config=_SETTINGS)
    try:
        connection.execute("SET temp_directory = ''")
        connection.execute("SET enable_external_access = false")
        connection.execute("CREATE SCHEMA catalog")
        for table in CATALOG.values():
            connection.register("rows", catalog_arrow(table, rows.get(table.name, ())))
            target = f"catalog.{quote(table.name)}"
            connection.execute(f"CREATE TABLE {target} AS SELECT * FROM rows")
            connection.unregister("rows")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def catalog_arrow(table: CatalogTable, rows: Sequence[Row]) -> pyarrow.Table:
    """The rows of a table of the catalogue in Arrow."""
    import pyarrow

    types = {
        "VARCHAR": pyarrow.string(),
        "VARCHAR[]": pyarrow.list_(pyarrow.string()),
        "INTEGER": pyarrow.int32(),
        "BOOLEAN": pyarrow.bool_(),
        "DOUBLE": pyarrow.float64(),
        "TIMESTAMPTZ": pyarrow.timestamp("us", "UTC"),
    }
    arrays = [
        pyarrow.array([row[number] for row in rows], type=types[type_])
        for number, (_, type_, _) in enumerate(table.columns)
    ]
    return pyarrow.table(arrays, names=[name for name, _, _ in table.columns])
