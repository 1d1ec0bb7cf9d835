"""`hanse status`: the products of this project and their state."""

from __future__ import annotations

import click

from hanse.cli import render
from hanse.cli.state import state
from hanse.cli.transport import connect


@click.command("status")
@click.pass_context
def command(ctx: click.Context) -> None:
    """What is published, by whom it is run, what waits; of the domains that this node serves."""
    told = connect(ctx).get("/status")
    if state(ctx).json:
        render.document(told)
        return
    click.echo(f"mesh {told['mesh']}   node {told['address']}   {render.counted(len(told['domains']), 'domain')}")
    rows = [
        (
            p["product"],
            p["version"],
            p["status"],
            p["access"],
            render.ago(p["published_at"]),
            "yes" if p["staged"] else "",
            p["waiting"] or "",
            p["rows"],
            p["sequence"],
        )
        for p in told["products"]
    ]
    if not rows:
        render.talk("\nNothing is published here that you may know of. Next: hanse plan")
        return
    heads = ("product", "version", "status", "access", "published", "staged", "requests", "rows", "publication")
    click.echo("")
    click.echo("\n".join(render.table(heads, rows, width=render.columns_of_terminal(), colour=render.is_terminal())))
    waiting = sum(p["waiting"] or 0 for p in told["products"])
    if waiting:
        render.talk(f"\n{render.counted(waiting, 'request')} waiting. Next: hanse access list")
