"""How verbs show things: tables, JSON documents, moments and amounts; on a terminal with colour, else plain."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from hanse.cli.findings import printable

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WIDEST = 60  # of one column; a terminal's width bounds the whole
_NARROWEST = 12  # of a column of words that is made to fit


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout.isatty()


def document(value: Any) -> None:
    """Write one JSON document to stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def talk(text: str = "") -> None:
    """Say something beside the result, on stderr."""
    click.echo(text, err=True)


def table(
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    masked: Collection[str] = (),
    width: int | None = None,
    colour: bool = True,
    fit: bool = True,
    null: str = "",
) -> list[str]:
    """The lines of a table, at most `width` cells wide; masked columns carry `~` after their name, amber on a terminal.

    Where it is too wide, `fit` narrows columns of words but the first; then the last columns are only named below.
    `null` stands for a value that is not there.
    """
    from rich.cells import cell_len, set_cell_size

    heads = [f"{printable(name)} ~" if name in masked else printable(name) for name in names]
    cells = [[null if value is None else _cell(value) for value in row] for row in rows]
    right = [
        bool(cells) and all(_NUMBER.fullmatch(row[i]) or row[i] in ("", null) for row in cells)
        for i in range(len(heads))
    ]
    wide = [
        min(_WIDEST, max(cell_len(text) for text in (head, *(row[i] for row in cells)))) for i, head in enumerate(heads)
    ]
    if fit and width is not None:
        wide = _narrowed(wide, [i for i in range(1, len(heads)) if not right[i]], width)
    shown, used = 0, 0
    for cells_wide in wide:
        if width is not None and shown and used + cells_wide > width:
            break
        used += cells_wide + 2
        shown += 1

    def line(values: Sequence[str], style: str | None = None) -> str:
        parts = []
        for i in range(shown):
            text = values[i]
            if cell_len(text) > wide[i]:
                text = set_cell_size(text, wide[i] - 1) + "…"
            space = " " * (wide[i] - cell_len(text))
            text = space + text if right[i] else text + space
            if colour and style == "head":
                text = click.style(text, bold=True)
            elif colour and names[i] in masked:
                text = click.style(text, fg="yellow")
            parts.append(text)
        return "  ".join(parts).rstrip()

    lines = [line(heads, "head"), "  ".join("─" * wide[i] for i in range(shown))]
    lines += [line(row) for row in cells]
    if shown < len(heads):
        lines.append(f"… and {counted(len(heads) - shown, 'more column')}: {', '.join(heads[shown:])[:200]}")
    return lines


def _narrowed(wide: Sequence[int], words: Collection[int], width: int) -> list[int]:
    """`wide` with the widest columns of words narrowed, so that as many columns as can be fit into `width` cells."""
    least = [min(size, _NARROWEST) if i in words else size for i, size in enumerate(wide)]
    shown = next((n for n in range(len(wide), 1, -1) if sum(least[:n]) + 2 * (n - 1) <= width), 1)
    made = list(wide)
    spare = width - 2 * (shown - 1)
    while sum(made[:shown]) > spare:
        widest = max((i for i in words if i < shown), key=lambda i: made[i] - least[i], default=None)
        if widest is None or made[widest] == least[widest]:
            break
        made[widest] -= 1
    return made


def size(octets: int) -> str:
    """An amount of data, as `812 B`, `9.2 kB`, `1.4 MB`."""
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if octets >= scale:
            return f"{octets / scale:.1f} {unit}"
    return f"{octets} B"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list | dict):
        return printable(json.dumps(value, ensure_ascii=False, default=str))
    return printable(str(value))


def amount(number: int) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u2009" if sys.stdout.encoding.lower().startswith("utf") else " ")


def counted(number: int, word: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{amount(number)} {word}{'' if number == 1 else 's'}"


def day(text: str | None) -> str:
    """The day of an ISO moment."""
    return text[:10] if text else ""


def ago(text: str | None, now: datetime | None = None) -> str:
    """How long ago an ISO moment was, the day itself beyond a week."""
    if not text:
        return ""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 0 or seconds > 7 * 86400:
        return day(text)
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {word} ago"
    return "just now"


def ahead(text: str, now: datetime | None = None) -> str:
    """In how long an ISO moment is, the day itself beyond a week."""
    seconds = (datetime.fromisoformat(text) - (now or datetime.now(UTC))).total_seconds()
    if seconds > 7 * 86400:
        return f"on {day(text)}"
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"in {int(seconds // size)} {word}"
    return f"in {max(0, int(seconds))} s"


def until(said: dict[str, str]) -> str:
    """The sunset and the successor of something deprecated, as the end of a sentence."""
    told = f", ends {said['sunset']}" if "sunset" in said else ""
    return printable(f"{told}; use {said['successor']}" if "successor" in said else told)


def took(seconds: float) -> str:
    """A duration, in ms below one second."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def columns_of_terminal() -> int | None:
    """The terminal's width; None when stdout is none, so that nothing is cut."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns if is_terminal() else None
