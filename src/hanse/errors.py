"""Errors, findings and their codes: the words in which every floor says what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar


class Kind(StrEnum):
    """The six kinds of error; each protocol maps them in one table."""

    INVALID = "invalid"
    DENIED = "denied"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Code:
    """One stable code: its slug never changes, `hanse explain SLUG` prints the rest."""

    slug: str
    kind: Kind
    title: str
    why: str
    mend: str


_CODES: dict[str, Code] = {}


def code(slug: str, kind: Kind, title: str, why: str, mend: str) -> str:
    """Register a code and return its slug. Each package declares its own in its `codes.py`."""
    known = _CODES.get(slug)
    declared = Code(slug, kind, title, why, mend)
    if known is not None and known != declared:
        raise ValueError(f"code {slug!r} is declared twice")
    _CODES[slug] = declared
    return slug


def codes() -> Mapping[str, Code]:
    """All codes declared so far (import the packages' `codes` modules first), by slug."""
    return dict(sorted(_CODES.items()))


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file with 1-based line and column, and the JSON pointer in it."""

    file: str
    line: int = 1
    column: int = 1
    pointer: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Severity(StrEnum):
    """How much a finding weighs: an error rejects, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What a check found: all of them are told at once, sorted by place, and none is raised."""

    file: str
    line: int
    column: int
    code: str
    message: str
    why: str = ""
    mend: str = ""
    pointer: str = ""
    severity: Severity = Severity.ERROR

    @classmethod
    def at(
        cls,
        place: Place,
        code: str,
        message: str,
        *,
        why: str = "",
        mend: str = "",
        severity: Severity = Severity.ERROR,
    ) -> Finding:
        """A finding at `place`."""
        return cls(place.file, place.line, place.column, code, message, why, mend, place.pointer, severity)

    @property
    def place(self) -> Place:
        return Place(self.file, self.line, self.column, self.pointer)


def rejects(findings: Iterable[Finding]) -> bool:
    """Whether any of `findings` is an error."""
    return any(finding.severity is Severity.ERROR for finding in findings)


class HanseError(Exception):
    """The only error that may be shown to a caller; anything else becomes *failed* with an id.

    A subclass sets `kind` and `code`; the message says what, `mend` what would have worked.
    """

    kind: ClassVar[Kind] = Kind.FAILED
    code: ClassVar[str] = "hanse.failed"

    def __init__(self, message: str, *, mend: str = "", why: str = "", where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend
        self.why = why
        self.where = where

    def as_problem(self) -> dict[str, Any]:
        """The members `code`, `detail`, `why`, `where`, `mend` that every protocol shows."""
        problem = {"code": self.code, "detail": self.message}
        for name in ("why", "where", "mend"):
            if text := getattr(self, name):
                problem[name] = text
        return problem


class RejectedError(HanseError):
    """Findings stopped a step; all of them travel with the error, under `findings`."""

    kind = Kind.INVALID
    code = code(
        "walk.rejected",
        Kind.INVALID,
        "A step stopped because of findings",
        "Every step runs only on files without errors; the findings say what to mend.",
        "Mend each finding and run the step again.",
    )

    def __init__(self, step: str, findings: Iterable[Finding]) -> None:
        self.step = step
        self.findings = tuple(sorted(findings))
        count = sum(finding.severity is Severity.ERROR for finding in self.findings)
        super().__init__(
            f"{step} found {count} error{'s' if count != 1 else ''}",
            mend="mend the findings, each says how",
        )

    def as_problem(self) -> dict[str, Any]:
        problem = super().as_problem()
        problem["findings"] = [asdict(finding) for finding in self.findings]
        return problem


class FailedError(HanseError):
    """A fault in hanse, shown with an id; the log holds the rest under that id."""

    kind = Kind.FAILED
    code = code(
        "hanse.failed",
        Kind.FAILED,
        "A fault in hanse",
        "Something happened that hanse does not know how to explain.",
        "Look for the id in the node's log and report it.",
    )
