"""Failpoints: named places of the walk where tests make the process die, to prove what is promised of crashes."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

STEPS = {
    "P1": "validate",
    "P2": "plan",
    "P3": "write data files",
    "P4": "fsync data",
    "P5": "test the stage",
    "P6": "fsync metadata and folders",
    "P7": "one transaction: pointer, outbox, audit",
    "P8": "Iceberg main follows",
    "P9": "outbox delivery",
    "P10": "answer the client",
}


class FailpointError(RuntimeError):
    """What a failpoint with the action `raise` raises."""


@dataclass(frozen=True, slots=True)
class Failpoints:
    """The failpoints that are on: point → action, `sigkill` or `raise`. Without any, reaching a point does nothing."""

    on: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str | None) -> Failpoints:
        """Read `P7:sigkill` (or several, with commas); ValueError for a point or action that does not exist."""
        found = []
        for part in filter(None, (text or "").split(",")):
            point, _, action = part.strip().partition(":")
            if point.removesuffix("+") not in STEPS or action not in ("sigkill", "raise"):
                raise ValueError(
                    f"{part!r} is no failpoint; write P1 … P10 (P7+ for after the commit) and :sigkill or :raise"
                )
            found.append((point, action))
        return cls(tuple(found))

    def reach(self, point: str) -> None:
        """Do what is asked for at `point`."""
        for name, action in self.on:
            if name == point and action == "sigkill":
                os.kill(os.getpid(), signal.SIGKILL)
            if name == point and action == "raise":
                raise FailpointError(point)


NONE = Failpoints()
