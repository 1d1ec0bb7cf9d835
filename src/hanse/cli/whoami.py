"""`hanse whoami`: who the node takes you for."""

from __future__ import annotations

import click

from hanse.cli.state import state
from hanse.cli.transport import connect


@click.command("whoami")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Tell who you are to the node, in which teams, and what your token may do."""
    client = connect(ctx)
    told = client.get("/whoami")
    if state(ctx).json:
        import json

        click.echo(json.dumps({**told, "node": client.address}, indent=2))
        return
    rows = {
        "person": told["person"],
        "teams": ", ".join(told["teams"]) or "none",
        **{name: str(value) for name, value in told["attributes"].items()},
        "token may": ", ".join(told["scopes"]),
        "node": client.address,
    }
    width = max(map(len, rows)) + 2
    for name, value in rows.items():
        click.echo(f"{name:<{width}}{value}")
