"""`hanse retire`: take a product, or one major of it, out of service."""

from __future__ import annotations

import click

from hanse.cli import render
from hanse.cli.state import state
from hanse.cli.transport import connect
from hanse.names import Address


@click.command("retire")
@click.argument("product")
@click.option("--force", is_flag=True, help="Although grants live; their holders are printed.")
@click.pass_context
def command(ctx: click.Context, product: str, force: bool) -> None:
    """Retire PRODUCT, or one major of it as domain/product@1. Its audit and its former publications stay."""
    address = Address.parse(product)
    body = {"product": str(address.product), "major": address.major, "force": force}
    told = connect(ctx).post("/retire", body)
    if state(ctx).json:
        render.document(told)
        return
    click.echo(f"Retired: {address} (publication {told['sequence']}).")
    for holder in told.get("holders", ()):
        render.talk(f"  had access: {holder}")
