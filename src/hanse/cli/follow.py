"""`hanse follow`: be told of a product's news."""

from __future__ import annotations

from typing import Any

import click

from hanse.cli import render
from hanse.cli.state import state
from hanse.cli.transport import connect
from hanse.names import ProductId


@click.command("follow")
@click.argument("id", metavar="[ID]", required=False)
@click.pass_context
def command(ctx: click.Context, id: str | None) -> None:
    """Follow a product: new versions, deprecations, breaking changes, failed runs and missed service levels are told.

    Without ID: the products that you follow.
    """
    if id is not None:
        change(ctx, id, "follow")
        return
    told = connect(ctx).get("/following")
    if state(ctx).json:
        render.document(told)
    elif told["products"]:
        click.echo("\n".join(told["products"]))
        render.talk("\nNext: hanse events --following")
    else:
        render.talk("You follow nothing. Next: hanse follow ID")


def change(ctx: click.Context, id: str, act: str) -> None:
    """Follow or unfollow the product `id`, and say so."""
    product = ProductId.parse(id)
    told: dict[str, Any] = connect(ctx).post(f"/products/{product}/{act}")
    if state(ctx).json:
        render.document(told)
    elif told["following"]:
        click.echo(f"You follow {product}.")
        render.talk("Next: hanse events --following")
    else:
        click.echo(f"You follow {product} no longer.")
