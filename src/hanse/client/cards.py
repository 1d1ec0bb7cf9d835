"""How things print: plain text for terminals and assistants, static HTML for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_WIDEST = 60  # characters of a cell that are shown
_LONGEST = 300  # of prose
_SHORT = 22  # of words that stay on one line
# translucent, so that it suits light and dark
_LINE = "1px solid rgba(128,128,128,.35)"
_SOFT = "color:rgba(128,128,128,1)"
_MASKED = "background:rgba(230,160,0,.18)"
_CELL = f"text-align:left;padding:3px 10px;border-bottom:{_LINE};vertical-align:top"


def said(value: Any, widest: int = _WIDEST) -> str:
    """A value in a cell: null is told apart from the empty text, control characters are shown, long ones are cut."""
    if value is None:
        return "null"
    text = value if isinstance(value, str) else str(value)
    text = "".join(c if c.isprintable() else " " if c in "\n\t" else repr(c)[1:-1] for c in text[: widest * 4])
    return text if len(text) <= widest else text[: widest - 1] + "…"


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True)
class Grid:
    """Rows under column names, with notes below; `masked` columns are marked, columns of `prose` may be long."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    notes: tuple[str, ...] = ()
    masked: frozenset[str] = frozenset()
    empty: str = "no rows"
    prose: frozenset[str] = frozenset()

    def text(self) -> str:
        """A table in plain text, numbers to the right."""
        cells = [[self._said(*pair) for pair in zip(self.columns, row, strict=True)] for row in self.rows]
        heads = [said(name) for name in self.columns]
        widths = [max(len(head), *(len(row[at]) for row in cells), 0) for at, head in enumerate(heads)]
        right = [
            bool(self.rows) and all(is_number(r[at]) or r[at] is None for r in self.rows) for at in range(len(heads))
        ]

        def line(words: Sequence[str]) -> str:
            placed = (word.rjust(w) if r else word.ljust(w) for word, w, r in zip(words, widths, right, strict=True))
            return "  ".join(placed).rstrip()

        body = [line(row) for row in cells] or [self.empty]
        return "\n".join([line(heads), line(["-" * width for width in widths]), *body, *self.notes])

    def html(self) -> str:
        """A table in static HTML: no script, styles inline."""
        heads = "".join(
            f'<th style="{_CELL};font-weight:600{self._mark(name)}">{escape(said(name))}</th>' for name in self.columns
        )
        cells = ((self._cell(*pair) for pair in zip(self.columns, row, strict=True)) for row in self.rows)
        rows = "".join(f"<tr>{''.join(row)}</tr>" for row in cells)
        if not self.rows:
            rows = (
                f'<tr><td style="{_CELL};{_SOFT}" colspan="{max(len(self.columns), 1)}">{escape(self.empty)}</td></tr>'
            )
        notes = "".join(f'<div style="{_SOFT};padding:3px 10px">{escape(note)}</div>' for note in self.notes)
        return (
            '<div style="max-height:26em;overflow:auto">'
            f'<table style="border-collapse:collapse"><thead><tr>{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
            f"{notes}"
        )

    def _mark(self, name: str) -> str:
        return f";{_MASKED}" if name in self.masked else ""

    def _cell(self, name: str, value: Any) -> str:
        style = _CELL + (";text-align:right;font-variant-numeric:tabular-nums" if is_number(value) else "")
        style += f";{_SOFT};font-style:italic" if value is None else ""
        if name in self.prose:
            style += ";min-width:13em" if value else ""
        elif not isinstance(value, str) or len(value) <= _SHORT:
            style += ";white-space:nowrap"
        style += self._mark(name)
        return f'<td style="{style}">{escape(self._said(name, value))}</td>'

    def _said(self, name: str, value: Any) -> str:
        return said(value, _LONGEST if name in self.prose else _WIDEST)


@dataclass(frozen=True)
class Card:
    """A product at a glance."""

    title: str
    id: str
    version: str
    state: str
    purpose: str
    facts: Mapping[str, str]
    columns: Grid

    def text(self) -> str:
        first = f"{self.title}  {self.id} {self.version}  {self.state}"
        width = max(map(len, self.facts), default=0)
        facts = [f"  {name.ljust(width)}  {value}" for name, value in self.facts.items()]
        return "\n".join([first, *([self.purpose] if self.purpose else []), "", *facts, "", self.columns.text()])

    def html(self) -> str:
        facts = "".join(
            f'<span style="margin-right:18px"><span style="{_SOFT}">{escape(name)}</span> {escape(value)}</span>'
            for name, value in self.facts.items()
        )
        purpose = f'<div style="padding:2px 10px">{escape(self.purpose)}</div>' if self.purpose else ""
        return (
            f'<div style="border:{_LINE};border-radius:6px;padding:8px 2px;max-width:62em">'
            f'<div style="padding:2px 10px"><b style="font-size:1.15em">{escape(self.title)}</b> '
            f'<code>{escape(self.id)}</code> {escape(self.version)} <span style="border:{_LINE};border-radius:4px;'
            f'padding:0 6px">{escape(self.state)}</span></div>{purpose}'
            f'<div style="padding:4px 10px">{facts}</div>{self.columns.html()}</div>'
        )
