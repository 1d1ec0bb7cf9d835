"""`hanse ci`: pipeline files that plan what is proposed and publish what was reviewed."""

from hanse.cli.ci.command import command

__all__ = ["command"]
