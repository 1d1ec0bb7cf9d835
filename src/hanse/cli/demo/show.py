"""One question and its answers side by side, each with the rule that shaped it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import Any

import click
from rich.cells import cell_len

from hanse.cli import render
from hanse.cli.demo.acts import Cast
from hanse.cli.findings import printable
from hanse.cli.query import rules_of
from hanse.client import HanseError

_GAP = "    "
_NARROWEST = 34


@dataclass(frozen=True, slots=True)
class Told:
    """What one person was told."""

    who: str
    lines: tuple[str, ...]
    rule: str


def ask(cast: Cast, who: str, sql: str) -> Told:
    """Ask `sql` as `who`; a refusal is an answer, too."""
    try:
        with cast[who].stream("POST", "/query", {"sql": sql}) as reply:
            answer = json.loads(reply.text())
    except HanseError as error:
        if error.kind == "failed":
            raise
        return Told(who, (click.style("refused", fg="red"),), f"{error.code}: {error.message}. Mend: {error.mend}")
    names = [column["name"] for column in answer["columns"]]
    lines = render.table(names, answer["rows"], masked=answer.get("masked", ()), colour=render.is_terminal())
    return Told(who, tuple(lines), _rule(answer))


def _rule(answer: dict[str, Any]) -> str:
    policies = rules_of(answer.get("policies", {}))
    return "; ".join(policies) if policies else "clear: nothing is masked, nothing is left out"


def side_by_side(told: Sequence[Told], width: int | None = None) -> list[str]:
    """The answers in as many columns as `width` (the terminal's) holds."""
    width = width or shutil.get_terminal_size((110, 24)).columns
    blocks = [_block(one, width) for one in told]
    lines: list[str] = []
    row: list[list[str]] = []
    used = 0
    for block in [*blocks, None]:
        size = 0 if block is None else max(cell_len(click.unstyle(line)) for line in block)
        if row and (block is None or used + len(_GAP) + size > width):
            lines += [*_joined(row), ""]
            row, used = [], 0
        if block is not None:
            used += size + (len(_GAP) if row else 0)
            row.append(block)
    return lines


def _block(one: Told, width: int) -> list[str]:
    own = max([_NARROWEST, *(cell_len(click.unstyle(line)) for line in one.lines)])
    rule = wrap(printable(one.rule), min(own, width), initial_indent="> ", subsequent_indent="  ")
    return [click.style(one.who, bold=True), *one.lines, *rule]


def _joined(row: Sequence[Sequence[str]]) -> list[str]:
    height = max(map(len, row))
    widths = [max(cell_len(click.unstyle(line)) for line in block) for block in row]
    lines = []
    for i in range(height):
        cells = []
        for block, size in zip(row, widths, strict=True):
            text = block[i] if i < len(block) else ""
            cells.append(text + " " * (size - cell_len(click.unstyle(text))))
        lines.append(_GAP.join(cells).rstrip())
    return lines


def audited(cast: Cast, owner: str, product: str, since: datetime) -> list[str]:
    """The reads of `product` since a moment as its owner's audit has them, oldest first."""
    asked = {"product": product, "since": since.isoformat(), "limit": 200}
    entries = [e for e in cast[owner].get("/audit", asked)["entries"] if e["action"] == "query"]
    rows = [
        (
            entry["at"][11:19],
            entry["principal"].removeprefix("person:"),
            entry["outcome"],
            "" if entry["outcome"] == "refused" else entry["rows"],
            "; ".join(rule.partition(" (")[0] for rule in entry["rules"]),
        )
        for entry in sorted(entries, key=lambda entry: entry["at"])
    ]
    heads = ("when (UTC)", "who", "outcome", "rows", "decided by")
    return render.table(heads, rows, width=shutil.get_terminal_size((110, 24)).columns, colour=render.is_terminal())
