"""Where checks put what they find, by pointer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from hanse.errors import Finding, Severity
from hanse.names import nearest
from hanse.spec.document import Document

_ENOUGH = 200


@dataclass(slots=True)
class Report:
    """The findings of one document; `project` makes rules that bind only inside a mesh into errors."""

    document: Document
    project: bool = False
    findings: list[Finding] = field(default_factory=list)
    _names: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def binding(self) -> Severity:
        """How much a rule of the mesh weighs: an error in project mode, a note for a file by itself."""
        return Severity.ERROR if self.project else Severity.NOTE

    def near(self, word: str, known: Iterable[str]) -> list[str]:
        """The known name nearest to `word`; not looked for once enough is found, so that a file cannot buy our time."""
        return [] if len(self.findings) > _ENOUGH else nearest(word[:100], islice(known, _ENOUGH), 1)

    def named(self, members: Sequence[Mapping[str, Any]], key: str) -> Mapping[str, Any]:
        """The members of a list by `key`, in lower case, the first of each; made once."""
        by_name = self._names.get(id(members) ^ hash(key))
        if by_name is None:
            by_name = {str(member[key]).lower(): member for member in reversed(members) if member.get(key) is not None}
            self._names[id(members) ^ hash(key)] = by_name
        return by_name

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
