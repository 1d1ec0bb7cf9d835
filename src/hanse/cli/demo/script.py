"""The demo's script: what the owners do, what is asked, and what happens then (demo.yaml of the example)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Step:
    """One act of a person: publish, request, approve, grant or revoke."""

    who: str
    do: str
    products: tuple[str, ...] = ()
    product: str = ""
    to: str | None = None
    columns: tuple[str, ...] = ()
    purpose: str | None = None
    days: int = 90
    why: str = ""

    @property
    def terms(self) -> dict[str, Any]:
        """What a request or grant says."""
        return {
            "product": self.product,
            "to": self._whom(),
            "columns": list(self.columns) or None,
            "purpose": self.purpose,
            "until": (datetime.now(UTC).date() + timedelta(days=self.days)).isoformat(),
            "why": self.why,
        }

    @property
    def reader(self) -> str | None:
        """The product that the access is for; None when it is for a person or team."""
        return self.to if self.to is not None and ":" not in self.to else None

    def _whom(self) -> str | None:
        return self.to if self.to is None or ":" in self.to else f"product:{self.to}"


@dataclass(frozen=True, slots=True)
class Script:
    """All of it."""

    steps: tuple[Step, ...]
    sql: str
    people: tuple[str, ...]
    before: tuple[Step, ...]
    then: tuple[Step, ...]


def read(root: Path) -> Script:
    """The script of the demo in `root`."""
    raw = yaml.safe_load((root / "demo.yaml").read_text(encoding="utf-8"))
    question = raw["question"]
    return Script(
        tuple(_step(one) for one in raw["steps"]),
        question["sql"],
        tuple(question["as"]),
        tuple(_step(one) for one in raw.get("before", ())),
        tuple(_step(one) for one in raw.get("then", ())),
    )


def _step(raw: Mapping[str, Any]) -> Step:
    return Step(
        who=raw["as"],
        do=raw["do"],
        products=tuple(raw.get("products", ())),
        product=raw.get("product", ""),
        to=raw.get("to"),
        columns=tuple(raw.get("columns", ())),
        purpose=raw.get("purpose"),
        days=int(raw.get("days", 90)),
        why=raw.get("why", ""),
    )
