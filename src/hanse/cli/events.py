"""`hanse events`: what happened, as much as you may know of."""

from __future__ import annotations

import time
from typing import Any

import click

from hanse.cli import render
from hanse.cli.findings import printable
from hanse.cli.state import state
from hanse.cli.transport import connect

_LOOK_SECONDS = 1.0
_NO_NEWS = "No news of what you follow. hanse follow tells what that is, hanse follow ID adds to it."


@click.command("events")
@click.option("--following", is_flag=True, help="Only news of the products that you follow.")
@click.option("--product", metavar="ID", help="Only of this product.")
@click.option("--domain", metavar="DOMAIN", help="Only of this domain.")
@click.option("--after", metavar="CURSOR", help="From this place on: the cursor of an earlier answer (--json).")
@click.option("--follow", is_flag=True, help="Go on with what happens from now on.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.pass_context
def command(
    ctx: click.Context,
    following: bool,
    product: str | None,
    domain: str | None,
    after: str | None,
    follow: bool,
    limit: int,
) -> None:
    """What happened, in order, the newest at the end: versions, deprecations, missed service levels, access.

    \b
    hanse follow operations/flights
    hanse events --following
    hanse events --following --follow
    """
    client, as_json = connect(ctx), state(ctx).json
    wanted = {"following": "true" if following else None, "product": product, "domain": domain, "limit": limit}
    told = client.get("/events", {**wanted, "after": after, "newest": None if after else "true"})
    if as_json and not follow:
        render.document(told)
        return
    _show(told["events"], as_json)
    if not told["events"] and not follow:
        render.talk(_NO_NEWS if following else "Nothing happened that you may know of. Next: hanse search WORDS")
    while follow:
        cursor = told["cursor"]
        time.sleep(_LOOK_SECONDS)
        told = client.get("/events", {**wanted, "after": cursor})
        _show(told["events"], as_json)


def _show(events: list[dict[str, Any]], as_json: bool) -> None:
    import json

    for event in events:
        if as_json:
            click.echo(json.dumps(event, ensure_ascii=False))
        else:
            at = event["at"][:19].replace("T", " ")
            click.echo(f"  {at}  {event['name']:<29}  {printable(event['text'])}")
