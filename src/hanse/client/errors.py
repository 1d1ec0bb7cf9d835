"""What a node refused, in its own words."""

from __future__ import annotations

from typing import Any

KIND_OF_STATUS = {400: "invalid", 401: "denied", 403: "denied", 404: "not-found", 409: "conflict", 503: "unavailable"}


class ClientError(Exception):
    """A problem a node told of (RFC 9457); `kind` and `code` are those of hanse's errors."""

    def __init__(self, problem: dict[str, Any], status: int = 0) -> None:
        problem.setdefault("kind", KIND_OF_STATUS.get(status, "failed" if status >= 500 else "invalid"))
        problem.setdefault("code", "http.refused")
        problem.setdefault("detail", problem.get("title") or f"the node answered {status}")
        super().__init__(problem["detail"])
        self.problem = problem
        self.status = status

    @property
    def code(self) -> str:
        return str(self.problem["code"])

    @property
    def kind(self) -> str:
        return str(self.problem["kind"])

    @classmethod
    def unreachable(cls, address: str, reason: str) -> ClientError:
        """Nobody answered at `address`."""
        return cls(
            {
                "kind": "unavailable",
                "code": "http.unreachable",
                "detail": f"the node at {address} cannot be reached: {reason}",
                "mend": "check the address, or start it: hanse serve",
            }
        )
