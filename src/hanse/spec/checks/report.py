"""Where checks put what they find, by pointer."""

from __future__ import annotations

from dataclasses import dataclass, field

from hanse.errors import Finding, Severity
from hanse.spec.document import Document


@dataclass(slots=True)
class Report:
    """The findings of one document; `project` makes rules that bind only inside a mesh into errors."""

    document: Document
    project: bool = False
    findings: list[Finding] = field(default_factory=list)

    @property
    def binding(self) -> Severity:
        """How much a rule of the mesh weighs: an error in project mode, a note for a file by itself."""
        return Severity.ERROR if self.project else Severity.NOTE

    def add(
        self,
        pointer: str,
        code: str,
        message: str,
        *,
        why: str = "",
        mend: str = "",
        severity: Severity = Severity.ERROR,
        key: bool = False,
    ) -> None:
        """Tell what is wrong with the value (or the key) at `pointer`."""
        place = self.document.place(pointer, key=key)
        self.findings.append(Finding.at(place, code, message, why=why, mend=mend, severity=severity))
