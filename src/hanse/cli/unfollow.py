"""`hanse unfollow`: be told of a product's news no longer."""

from __future__ import annotations

import click

from hanse.cli.follow import change


@click.command("unfollow")
@click.argument("id", metavar="ID")
@click.pass_context
def command(ctx: click.Context, id: str) -> None:
    """Follow a product no longer."""
    change(ctx, id, "unfollow")
