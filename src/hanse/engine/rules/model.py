"""What a contract test is made of: relations, checks, their results and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from hanse.errors import Place


class Status(StrEnum):
    """How a check ended; `error` means that it could not be evaluated, `not-run` that it was not tried, with why."""

    OK = "ok"
    FAIL = "fail"
    WARN = "warn"
    NOT_RUN = "not-run"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Relation:
    """Where the rows of a table are: `sql` stands in a FROM clause.

    `typed` is False for text formats (CSV, JSON): their values are read as the contract's types.
    `names` are the relation's columns as the data has them, where they are not the contract's (lower-cased key).
    """

    sql: str
    description: str
    typed: bool = True
    folds_case: bool = False  # the source compares names ignoring case, so a difference in case is no difference
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a table cannot be read; `absent` tells that there is no such data, else it is not ours to read."""

    reason: str
    absent: bool = True


@dataclass(frozen=True, slots=True)
class BadRows:
    """Rows for which `sql`, a predicate over one row, is true."""

    sql: str


@dataclass(frozen=True, slots=True)
class Nulls:
    """Rows whose top-level column is null: cheaper than a predicate."""

    sql: str


@dataclass(frozen=True, slots=True)
class RowCount:
    """All rows."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows that repeat the key of another row (all but one of each group); rows with a null in the key are left out."""

    keys: tuple[str, ...]  # SQL of each part
    integral: bool  # one part, of an integer type: may be counted in a bitmap


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One value over all rows; `sql` is an aggregate expression."""

    sql: str


@dataclass(frozen=True, slots=True)
class Query:
    """One value from the owner's own SELECT, gated."""

    sql: str


@dataclass(frozen=True, slots=True)
class Orphans:
    """Rows whose key (all parts not null) is not in another relation."""

    keys: tuple[str, ...]
    to: Relation
    to_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """An outcome that needed no data: `message` when it is bad, None when it is good."""

    message: str | None = None
    found: Any = None
    soft: bool = False  # bad, but only a warning


Measure = BadRows | Nulls | RowCount | Duplicates | Aggregate | Query | Orphans | Known

Judge = Callable[[Any], tuple[bool, str]]  # measured value → good?, what was found in words


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to find out about one table. `measure` None: not run, `reason` says why."""

    id: str  # stable in the contract: table.column.kind or table.rule-name
    name: str  # what people call it: the rule's name, else column and kind
    kind: str  # schema, type, required, unique, primary-key, pattern …, nullValues …, sql, relationship, latency …
    table: str
    column: tuple[str, ...] | None
    place: Place
    expected: str
    measure: Measure | None
    operator: str = "mustBe"
    threshold: Any = 0
    unit: str = "rows"
    severity: str = "error"
    dimension: str | None = None
    reason: str = ""
    value: str | None = None  # SQL of the value to show of a bad row
    judge: Judge | None = field(default=None, compare=False)
    rule_id: str | None = None
    shows: tuple[str, ...] = ()  # top-level columns whose values a sample of its bad rows holds


@dataclass(frozen=True, slots=True)
class Sample:
    """What failing rows hold: `values` of `columns` with their counts, `keys` of the first rows; kept apart."""

    columns: tuple[str, ...]
    key_columns: tuple[str, ...]
    values: tuple[tuple[str, int], ...]
    keys: tuple[str, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How one check ended. Holds counts only; what rows hold is in `TestReport.samples`."""

    check: Check
    status: Status
    found: str = ""
    count: int | None = None  # bad rows
    rows: int | None = None  # rows checked
    value: float | bool | None = None  # what was compared with the threshold
    seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True)
class TableReport:
    """The results for one table of a contract, in the contract's order."""

    table: str
    source: str  # which data was tested
    rows: int | None
    results: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class TestReport:
    """All that was found for one contract; `samples` (check id → sample) is shown only to those who may see it."""

    __test__ = False

    contract_id: str
    contract_version: str
    api_version: str
    file: str
    source: str
    server: str | None
    started_at: datetime
    seconds: float
    tables: tuple[TableReport, ...]
    samples: Mapping[str, Sample] = field(default_factory=dict)

    @property
    def results(self) -> tuple[CheckResult, ...]:
        return tuple(result for table in self.tables for result in table.results)

    def count(self, *statuses: Status) -> int:
        """How many checks ended in one of `statuses`."""
        return sum(result.status in statuses for result in self.results)

    @property
    def tested(self) -> int:
        """How many checks were evaluated, with whatever outcome."""
        return self.count(Status.OK, Status.FAIL, Status.WARN)

    def good(self, *, strict: bool = False) -> bool:
        """Whether nothing failed; `strict` fails on what was not run, too."""
        bad = (Status.FAIL, Status.ERROR, *((Status.NOT_RUN,) if strict else ()))
        return self.count(*bad) == 0
