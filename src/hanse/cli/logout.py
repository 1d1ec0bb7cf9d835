"""`hanse logout`: forget a sign-in that was kept."""

from __future__ import annotations

import click

from hanse.cli.login import where
from hanse.cli.state import state


@click.command("logout")
@click.option("--all", "everywhere", is_flag=True, help="Forget the sign-ins at every node.")
@click.pass_context
def command(ctx: click.Context, everywhere: bool) -> None:
    """Forget the sign-in that `hanse login` kept. The token itself ends by its own time."""
    from hanse.client import signins

    flags = state(ctx)
    gone = signins.forget(None if everywhere else where(flags))
    if flags.json:
        import json

        click.echo(json.dumps({"schema": "hanse.logout/1", "forgotten": gone}))
    else:
        click.echo(f"Forgotten: {', '.join(gone)}" if gone else "No sign-in was kept.")
