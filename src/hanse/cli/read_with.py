"""`hanse read-with`: how to read a product with the tool you have."""

from __future__ import annotations

import json

import click

from hanse.app import IN_PROCESS
from hanse.cli.state import state
from hanse.cli.transport import connect
from hanse.errors import HanseError, Kind, code
from hanse.names import Address
from hanse.node.snippets import SNIPPETS, Readable, snippet


class NotServed(HanseError):
    kind = Kind.UNAVAILABLE
    code = code(
        "cli.not-served",
        Kind.UNAVAILABLE,
        "No node serves this project now",
        "Other programs read a product at the address of a node that goes on answering.",
        "hanse serve",
    )


@click.command("read-with")
@click.argument("id")
@click.argument("tool", required=False, type=click.Choice(list(SNIPPETS)))
@click.option("--table", help="Another table than the product's main one.")
@click.pass_context
def command(ctx: click.Context, id: str, tool: str | None, table: str | None) -> None:
    """Print what reads the product ID with TOOL, ready to be pasted; without TOOL, for each of them.

    \b
    hanse read-with experience/delay_causes python
    """
    address = Address.parse(id)
    client = connect(ctx)
    if client.address == IN_PROCESS:
        raise NotServed("no node serves this project now", mend="hanse serve")
    told = client.get(f"/products/{address.product}", {"major": address.major})
    tables = {one["name"]: one["sql"] for one in told["tables"]}
    main = next((name for name, sql in tables.items() if sql.count(".") == 1), next(iter(tables)))
    chosen = table or main
    if chosen not in tables:
        raise click.UsageError(f"{id} has no table {chosen!r}: it has {', '.join(tables)}")
    one = Readable(client.address, f"{told['product']}@{told['major']}", chosen, tables[chosen])
    made = {name: snippet(name, one) for name in ([tool] if tool else SNIPPETS)}
    if state(ctx).json:
        click.echo(json.dumps({"schema": "hanse.snippets/1", "product": told["product"], "snippets": made}, indent=2))
    elif tool:
        click.echo(made[tool], nl=False)
    else:
        for number, (name, text) in enumerate(made.items()):
            heading = click.style(f"{name}: {SNIPPETS[name][0]}", bold=True)
            click.echo(("\n" if number else "") + f"{heading}\n\n{text}", nl=False)
