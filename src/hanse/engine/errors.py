"""The errors of the query path, in the caller's own words: engine texts never pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hanse.errors import HanseError, Kind, code
from hanse.names import nearest


def place_in(sql: str, offset: int | None) -> str:
    """`line:column` (1-based) of the byte `offset` in the statement; empty when it is unknown."""
    raw = sql.encode()
    if offset is None or not 0 <= offset <= len(raw):
        return ""
    before = raw[:offset].decode(errors="ignore")
    return f"{before.count(chr(10)) + 1}:{len(before) - (before.rfind(chr(10)) + 1) + 1}"


class QuerySyntax(HanseError):
    kind = Kind.INVALID
    code = code(
        "query.syntax",
        Kind.INVALID,
        "The statement cannot be parsed",
        "Statements are parsed by the engine that runs them (DuckDB's SQL).",
        "Mend the statement at the place that is named.",
    )


class NotAllowed(HanseError):
    kind = Kind.DENIED
    code = code(
        "query.not-allowed",
        Kind.DENIED,
        "The statement does something a question may not do",
        "A question is one SELECT over products; files, settings, writes and the engine's catalogue are out of reach.",
        "Write it as one SELECT over products, with functions that compute on values.",
    )


class StatementTooLong(HanseError):
    kind = Kind.INVALID
    code = code(
        "query.too-long",
        Kind.INVALID,
        "The statement is longer than 256 KiB",
        "Parsing is bounded, so that no statement can hold up the others.",
        "Bind long lists as parameters, or join a table.",
    )

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the statement has {size} bytes, the limit is 262144",
            mend="bind long lists as a parameter, or join a table",
        )


class UnknownTable(HanseError):
    kind = Kind.NOT_FOUND
    code = code(
        "query.unknown-table",
        Kind.NOT_FOUND,
        "No such table, or none that you may know of",
        "A name that does not exist and one that may not be discovered are answered alike.",
        "Look for it: hanse search WORDS. Tables are addressed as domain.product or domain.product.table.",
    )

    def __init__(self, name: str, near: Sequence[str] = ()) -> None:
        super().__init__(
            f"there is no table {name[:200]!r} that you may know of",
            mend=f"nearest: {', '.join(near)}" if near else "hanse search WORDS finds products; SHOW TABLES lists them",
        )


class UnknownColumn(HanseError):
    kind = Kind.INVALID
    code = code(
        "query.unknown-column",
        Kind.INVALID,
        "No such column in the tables of the statement",
        "Only the columns that the contract promises and the decision shows exist for a reader.",
        "Look at the columns: DESCRIBE domain.product, or hanse show domain/product --contract.",
    )

    def __init__(self, name: str, known: Iterable[str], where: str = "") -> None:
        near = nearest(name, known)
        super().__init__(
            f"there is no column {name[:200]!r} in the tables of this statement",
            where=where,
            mend=f"nearest: {', '.join(near)}" if near else "DESCRIBE domain.product lists its columns",
        )


class QueryFailed(HanseError):
    kind = Kind.INVALID
    code = code(
        "query.failed",
        Kind.INVALID,
        "The statement failed on the data it may see",
        "A conversion, a calculation or a check in the statement failed.",
        "Use TRY_CAST, or leave out the rows that cannot be computed.",
    )


class BadParameter(HanseError):
    kind = Kind.INVALID
    code = code(
        "query.bad-parameter",
        Kind.INVALID,
        "The parameters do not fit the statement",
        "Every ? or $name of the statement needs exactly one value, and no other value may be given.",
        "Give one value for each ? in order, or a mapping for $names.",
    )


class TimeLimit(HanseError):
    kind = Kind.FAILED
    code = code(
        "query.time-limit",
        Kind.FAILED,
        "The question took longer than it may",
        "Each question has a limit of wall-clock time; at it the worker is stopped and nothing partial is returned.",
        "Ask for fewer rows or columns, or aggregate earlier.",
    )

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the question was stopped at its time limit of {seconds:g} s",
            mend="ask for fewer rows or columns, or aggregate earlier",
        )


class MemoryLimit(HanseError):
    kind = Kind.FAILED
    code = code(
        "query.memory-limit",
        Kind.FAILED,
        "The question needed more memory than it may",
        "Each question has a limit of memory; at it the question ends and nothing partial is returned.",
        "Aggregate earlier, select fewer columns, or avoid joins without a condition.",
    )

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the question was stopped at its memory limit of {limit >> 20} MiB",
            mend="aggregate earlier, select fewer columns, or avoid joins without a condition",
        )


class TooLarge(HanseError):
    kind = Kind.FAILED
    code = code(
        "query.too-large",
        Kind.FAILED,
        "The answer is larger than it may be",
        "An answer is capped in bytes; at the cap it ends with this error, never as a short answer.",
        "Add a LIMIT or aggregate, or ask for parts.",
    )

    def __init__(self, limit: int, what: str = "the answer") -> None:
        super().__init__(
            f"{what} is larger than its limit of {limit} bytes",
            mend="add a LIMIT or aggregate, or ask for parts",
        )


class ReaderTooSlow(HanseError):
    kind = Kind.FAILED
    code = code(
        "query.reader-too-slow",
        Kind.FAILED,
        "The answer was not fetched in time",
        "A worker waits a bounded time for the reader of its answer, then serves others.",
        "Read the answer without long pauses, or ask for parts.",
    )

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the next part of the answer was not fetched within {seconds:g} s",
            mend="read the answer without long pauses, or ask for parts",
        )


class Busy(HanseError):
    kind = Kind.UNAVAILABLE
    code = code(
        "query.busy",
        Kind.UNAVAILABLE,
        "Too many questions wait",
        "The questions that may wait for a worker are bounded.",
        "Try again in a moment.",
    )

    def __init__(self) -> None:
        super().__init__("too many questions wait for a worker", mend="try again in a moment")


class WorkerLost(HanseError):
    kind = Kind.FAILED
    code = code(
        "query.worker-lost",
        Kind.FAILED,
        "The worker of the question ended",
        "A process limit or the engine ended the process that ran the question; nobody else is harmed.",
        "Ask for less at once; if a small question does this, report it with the statement.",
    )

    def __init__(self) -> None:
        super().__init__(
            "the process that ran the question reached a limit of the operating system and ended",
            mend="ask for fewer rows or columns at once",
        )


class DataDamaged(HanseError):
    kind = Kind.FAILED
    code = code(
        "data.damaged",
        Kind.FAILED,
        "A file of the published snapshot cannot be read",
        "Files of a snapshot never change; this one is missing or is not what was published.",
        "The owner builds the product anew (hanse build PRODUCT --full) and publishes it, or restores the home.",
    )

    def __init__(self, tables: Iterable[str]) -> None:
        super().__init__(
            f"the published data of {', '.join(sorted(tables))} cannot be read",
            mend="tell its owner: hanse build --full and hanse publish make it anew",
        )


class NoRoom(HanseError):
    kind = Kind.UNAVAILABLE
    code = code(
        "node.no-room",
        Kind.UNAVAILABLE,
        "The node has no room for what it must write",
        "The disk is full, a quota is reached, or the copy is larger than copies may be; what was published is whole.",
        "The operator frees the disk or raises limits: copies_mib in node.yaml; then ask again.",
    )

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: the node has no room for it", mend="tell the operator of the node: hanse doctor")


class PolicyFailed(HanseError):
    kind = Kind.FAILED
    code = code(
        "policy.failed",
        Kind.FAILED,
        "A row policy or mask of the owner failed",
        "A policy that cannot be applied shows nothing at all.",
        "The owner of the product mends the policy.",
    )

    def __init__(self, table: str) -> None:
        super().__init__(
            f"a policy on {table} could not be applied, so nothing of it is shown",
            mend="tell the owner of the product",
        )
