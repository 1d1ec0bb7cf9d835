"""Test a contract without a project: the data of one of its servers, in place."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hanse.engine.rules.compile import Checks, Data, Resolve, compile, elsewhere
from hanse.engine.rules.model import Check, Relation, Sample, TestReport
from hanse.engine.rules.run import run
from hanse.engine.servers import choose, enclose, serve
from hanse.errors import RejectedError, rejects
from hanse.spec.checks.locations import OUTSIDE_ROOT, SSRF
from hanse.spec.document import load
from hanse.spec.model import Contract
from hanse.spec.read import contract as read_contract
from hanse.spec.validate import file_findings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from duckdb.sqltypes import DuckDBPyType

_CONFIG = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "preserve_insertion_order": "false",
}


# whoever tests a contract by hand is the operator: the server they choose may lie anywhere (threat model, P11)
_OPERATORS_OWN = frozenset({OUTSIDE_ROOT, SSRF})


def read(text: str, file: str) -> Contract:
    """The contract in `text`, once it is found to be without errors; `RejectedError` holds the findings."""
    findings = [f for f in file_findings(text, file) if f.code not in _OPERATORS_OWN]
    document, _ = load(text, file)
    if rejects(findings) or document is None:
        raise RejectedError("validate", findings)
    contract, more = read_contract(document)
    if contract is None:
        raise RejectedError("validate", more)
    return contract


def engine(threads: int | None = None, memory: str | None = None) -> DuckDBPyConnection:
    """An engine that loads nothing by itself, in UTC."""
    import duckdb

    config = dict(_CONFIG)
    if threads is not None:
        config["threads"] = str(threads)
    if memory is not None:
        config["memory_limit"] = memory
    connection = duckdb.connect(config=config)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def describer(connection: DuckDBPyConnection) -> Callable[[Relation], Mapping[str, DuckDBPyType]]:
    """What `compile` asks for a relation's columns and their types."""

    def describe(relation: Relation) -> Mapping[str, DuckDBPyType]:
        cursor = connection.execute(f"SELECT * FROM {relation.sql} LIMIT 0")
        return {column[0]: column[1] for column in cursor.description or ()}

    return describe


def check_contract(
    text: str,
    file: Path,
    variables: Mapping[str, str],
    *,
    clock: Callable[[], datetime],
    server: str | None = None,
    credentials: Path | None = None,
    only: Callable[[Check], bool] = lambda check: True,
) -> TestReport:
    """Test the contract in `text` (of `file`) on one of its servers; the caller is the operator, so samples are kept.

    `variables` hold HANSE_SERVER_… and HANSE_VARIABLE_…; raises `RejectedError` and the errors of `engine.servers`.
    """
    started_at, started = clock(), time.perf_counter()
    contract = read(text, str(file))
    chosen = choose(contract, server)
    connection = engine()
    try:
        served = serve(connection, contract, chosen, file.parent, variables, credentials)
        enclose(connection, served.tables)
        return report(
            connection, contract, served.tables, file=str(file), source=served.description,
            server=str(chosen.get("server") or "") or None, started_at=started_at, started=started, only=only,
        )  # fmt: skip
    finally:
        connection.close()


def report(
    connection: DuckDBPyConnection,
    contract: Contract,
    data: Data,
    *,
    file: str,
    source: str,
    server: str | None,
    started_at: datetime,
    started: float,
    only: Callable[[Check], bool] = lambda check: True,
    resolve: Resolve = elsewhere,
    published: tuple[datetime, ...] = (),
) -> TestReport:
    """Compile and run the checks of `contract` over `data`."""
    compiled: tuple[Checks, ...] = compile(
        contract, data, describer(connection), now=started_at, resolve=resolve, published=published
    )
    tables, samples = [], dict[str, Sample]()
    for table, rows in run(connection, compiled, only=only):
        tables.append(table)
        samples |= rows
    return TestReport(
        contract_id=contract.id,
        contract_version=contract.version_text,
        api_version=contract.api_version,
        file=file,
        source=source,
        server=server,
        started_at=started_at,
        seconds=time.perf_counter() - started,
        tables=tuple(tables),
        samples=samples,
    )
