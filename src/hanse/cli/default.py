"""`hanse default`: move the unpinned address of a product to another major."""

from __future__ import annotations

import click

from hanse.cli import render
from hanse.cli.state import state
from hanse.cli.transport import connect
from hanse.names import ProductId


@click.command("default")
@click.argument("product")
@click.argument("major", type=click.IntRange(0))
@click.pass_context
def command(ctx: click.Context, product: str, major: int) -> None:
    """Let the unpinned address of PRODUCT mean MAJOR; tells who reads it unpinned."""
    told = connect(ctx).post("/default", {"product": str(ProductId.parse(product)), "major": major})
    if state(ctx).json:
        render.document(told)
        return
    click.echo(f"{told['product']} now means {told['product']}@{told['major']} (publication {told['sequence']}).")
    for reader in told.get("readers", ()):
        render.talk(f"  reads it unpinned: {reader}")
