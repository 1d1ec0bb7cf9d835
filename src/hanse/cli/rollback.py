"""`hanse rollback`: publish a former state again."""

from __future__ import annotations

import click

from hanse.cli import render
from hanse.cli.state import state
from hanse.cli.transport import connect
from hanse.names import ProductId


@click.command("rollback")
@click.argument("product")
@click.argument("publication", type=click.IntRange(1), required=False)
@click.option("--why", required=True, help="Written into the audit.")
@click.pass_context
def command(ctx: click.Context, product: str, publication: int | None, why: str) -> None:
    """Publish a former PUBLICATION of PRODUCT again; it gets a number of its own.

    Without PUBLICATION the latest one whose data differs from what is served; those passed over are told.
    """
    body = {"product": str(ProductId.parse(product)), "publication": publication, "why": why}
    told = connect(ctx).post("/rollback", body)
    if state(ctx).json:
        render.document(told)
        return
    click.echo(f"Publication {told['sequence']} of {told['product']} serves again what publication {told['of']} did.")
    if passed := told.get("passed_over"):
        numbers = ", ".join(map(str, passed))
        render.talk(
            f"Passed over, because they served the same data: {numbers}. To choose: hanse rollback {product} NUMBER"
        )
