"""How a run shows itself on stderr: a line a stage, and never silence for long."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from hanse.cli.findings import printable

_QUIET_SECONDS = 10.0  # off a terminal
_QUIET_TERMINAL = 1.0


class Stages:
    """Writes events as they come: each stage once, and what goes on within one not more often than needed."""

    def __init__(self) -> None:
        self._said = 0.0
        self._stage = ""
        self._open = False
        self._terminal = sys.stderr.isatty()

    def event(self, event: Mapping[str, Any]) -> None:
        kind, text = str(event.get("kind", "")), printable(str(event.get("text", "")))
        stage = kind.partition(".")[0]
        now = time.monotonic()
        ends = kind.endswith((".failed", ".published", ".done", ".built", ".tested"))
        if stage != self._stage or ends:
            self._stage = stage
            self._clear()
            click.echo(f"  {stage:<9} {text}", err=True)
            self._said = now
        elif now - self._said >= (_QUIET_TERMINAL if self._terminal else _QUIET_SECONDS):
            self._said = now
            if self._terminal:
                click.echo(f"\r\x1b[2K  {stage:<9} {text[:90]}", err=True, nl=False)
                self._open = True
            else:
                click.echo(f"  {stage:<9} {text}", err=True)

    def end(self) -> None:
        self._clear()

    def _clear(self) -> None:
        if self._open:
            click.echo("\r\x1b[2K", err=True, nl=False)
            self._open = False
