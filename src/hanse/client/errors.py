"""What a node refused, in its own words: one class a kind, as every door of hanse tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

KIND_OF_STATUS = {400: "invalid", 401: "denied", 403: "denied", 404: "not-found", 409: "conflict", 503: "unavailable"}


class HanseError(Exception):
    """A problem a node told of (RFC 9457): `code`, `where`, `why` and `mend` are those of the command line.

    `HanseError(problem, status)` makes an instance of the class of the problem's kind.
    """

    kind_of_class: ClassVar[str] = "failed"

    def __new__(cls, problem: Mapping[str, Any] | None = None, status: int = 0) -> HanseError:
        if cls is HanseError and problem is not None:
            return super().__new__(_CLASSES.get(_kind(problem, status), FailedError))
        return super().__new__(cls)

    def __init__(self, problem: Mapping[str, Any], status: int = 0) -> None:
        self.problem: dict[str, Any] = dict(problem)
        self.problem["kind"] = _kind(problem, status)
        self.problem.setdefault("code", "http.refused")
        self.problem.setdefault("detail", problem.get("title") or f"the node answered {status}")
        super().__init__(self.problem["detail"])
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        return HanseError, (self.problem, self.status)

    def __str__(self) -> str:
        first = "  ".join(part for part in (self.code, self.where, self.message) if part)
        why = f"\nwhy: {self.why}" if self.why else ""
        return first + why + (f"\n\nmend: {self.mend}" if self.mend else "")

    @property
    def message(self) -> str:
        """What went wrong, in one sentence."""
        return str(self.problem["detail"])

    @property
    def code(self) -> str:
        """The stable slug; `hanse explain CODE` is its long form."""
        return str(self.problem["code"])

    @property
    def kind(self) -> str:
        return str(self.problem["kind"])

    @property
    def where(self) -> str:
        return self._told("where")

    @property
    def why(self) -> str:
        return self._told("why")

    @property
    def mend(self) -> str:
        """A command, or the exact change, that would have worked."""
        return self._told("mend")

    def _told(self, member: str) -> str:
        return str(self.problem.get(member) or "")

    @classmethod
    def unreachable(cls, address: str, reason: str) -> HanseError:
        """Nobody answered at `address`."""
        return HanseError(
            {
                "kind": "unavailable",
                "code": "http.unreachable",
                "detail": f"the node at {address} cannot be reached: {reason}",
                "mend": "check the address, or start it: hanse serve",
            }
        )


class InvalidError(HanseError):
    """What was asked is wrong in itself."""

    kind_of_class = "invalid"


class DeniedError(HanseError):
    """Nobody is signed in, or the one who is may not."""

    kind_of_class = "denied"


class NotFoundError(HanseError):
    """There is no such thing, or none that the caller may know of."""

    kind_of_class = "not-found"


class ConflictError(HanseError):
    """The state of things refuses it."""

    kind_of_class = "conflict"


class UnavailableError(HanseError):
    """A node or service did not answer, or not in time."""

    kind_of_class = "unavailable"


class FailedError(HanseError):
    """A fault in hanse, or an answer that broke off."""


_CLASSES: Mapping[str, type[HanseError]] = {
    one.kind_of_class: one
    for one in (InvalidError, DeniedError, NotFoundError, ConflictError, UnavailableError, FailedError)
}


def _kind(problem: Mapping[str, Any], status: int) -> str:
    default = KIND_OF_STATUS.get(status, "failed" if status >= 500 else "invalid")
    return str(problem.get("kind") or default)
