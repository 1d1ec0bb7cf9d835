"""`hanse demo`: a whole mesh of real flights on this machine."""

from __future__ import annotations

from hanse.cli.demo.command import command

__all__ = ["command"]
