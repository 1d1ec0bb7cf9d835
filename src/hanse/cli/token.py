"""`hanse token`: a bearer token, on the node's own machine."""

from __future__ import annotations

import click

from hanse.cli.local import token
from hanse.cli.state import state
from hanse.cli.transport import token_for
from hanse.governance.identity import SCOPES


@click.command("token")
@click.argument("person", required=False)
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="Default: all of them.")
@click.option("--hours", type=click.FloatRange(0.01, 24), default=8, show_default=True, help="How long it lasts.")
@click.pass_context
def command(ctx: click.Context, person: str | None, scopes: tuple[str, ...], hours: float) -> None:
    """Print a bearer token of PERSON and nothing else on stdout; without PERSON the one you are signed in with.

    The issuer's key is read from the project's folder: who can read it may do this.
    """
    if person is None:
        click.echo(token_for(state(ctx)))
        return
    click.echo(token(state(ctx).root, person, scopes=scopes or SCOPES, hours=hours))
