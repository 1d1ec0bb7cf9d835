"""`hanse show`: one product in the terminal."""

from __future__ import annotations

from typing import Any

import click

from hanse.cli import render
from hanse.cli.findings import printable
from hanse.cli.state import state
from hanse.cli.transport import connect
from hanse.names import Address


@click.command("show")
@click.argument("product")
@click.option("--contract", is_flag=True, help="The contract itself, as it was published (ODCS).")
@click.option("--descriptor", is_flag=True, help="The product's own document (ODPS).")
@click.option("--sample", is_flag=True, help="Five rows of each table, as you may see them.")
@click.pass_context
def command(ctx: click.Context, product: str, contract: bool, descriptor: bool, sample: bool) -> None:
    """Show PRODUCT: what it promises, its columns as you would see them, and how to get access."""
    address = Address.parse(product)
    client = connect(ctx)
    path = f"/products/{address.product}"
    params = {"major": address.major}
    if contract or descriptor:
        kind = "odcs" if contract else "odps"
        with client.stream("GET", path, accept=f"application/vnd.bitol.{kind}+yaml", params=params) as reply:
            click.echo(reply.text(), nl=False)
        return
    told = client.get(path, params)
    if state(ctx).json:
        render.document(told)
        return
    _show(told)
    if sample:
        from hanse.cli.query import show as show_answer

        for table in told["tables"]:
            answer = client.get(f"{path}/tables/{table['name']}/rows", {"limit": 5, "major": told["major"]})
            click.echo(f"\n{table['name']}")
            show_answer(answer, 0.0)


def _show(told: dict[str, Any]) -> None:
    bold = render.is_terminal()

    def strong(text: str) -> str:
        return click.style(printable(text), bold=True) if bold else printable(text)

    click.echo(f"{strong(told['title'])}   {told['product']}@{told['major']}")
    words = [f"version {told['version']}", told["status"], f"access {told['access']}", f"team {told['owner']}"]
    click.echo("   ".join(words) + f"   published {render.ago(told['published_at'])} (publication {told['sequence']})")
    if told.get("deprecation"):
        click.echo(f"deprecated{render.until(told['deprecation'])}")
    if told.get("purpose"):
        click.echo(f"\n{printable(told['purpose'])}")
    for table in told["tables"]:
        decision = table["decision"]
        click.echo(f"\n{strong(table['sql'])}{_rows(table)}")
        for rule in decision["rows"]:
            click.echo(f"  only rows that {printable(rule)} lets you see")
        masked = [column["name"] for column in table["columns"] if column["view"] != "clear"]
        rows = [
            (c["name"], c["type"], c["classification"] or "", _seen(c), printable(c["description"]))
            for c in table["columns"]
        ]
        heads = ("column", "type", "class", "you see", "meaning")
        width = render.columns_of_terminal()
        lines = render.table(heads, rows, width=None if width is None else width - 2, colour=bold)
        click.echo("\n".join(f"  {line}" for line in lines))
        if not decision["allowed"]:
            render.talk(f"\nYou may not read it: {decision['because']}\n\nmend: {decision['mend']}")
        elif masked:
            render.talk(f"  ~ {', '.join(masked)}: shaped by policy")
    for level in told.get("service_levels", ()):
        click.echo(f"  promise  {printable(level['property'])} {level['value']} {level['unit'] or ''}".rstrip())
    older = [one for one in told.get("publications", ()) if one["sequence"] != told["sequence"]]
    if older:
        click.echo("\nbefore")
    for one in older:
        click.echo(f"  publication {one['sequence']:<5} version {one['version']:<10} {render.ago(one['at'])}")
    if told.get("inputs"):
        click.echo(f"\nmade from  {', '.join(told['inputs'])}")
    if told["tables"] and told["tables"][0]["decision"]["allowed"]:
        render.talk(f'\nNext: hanse query "select * from {told["tables"][0]["sql"]} limit 5"')


def _rows(table: dict[str, Any]) -> str:
    return "" if table["rows"] is None else f"   {render.counted(table['rows'], 'row')}"


def _seen(column: dict[str, Any]) -> str:
    view = str(column["view"]).partition(";")[0]
    return view if view in ("clear", "no access") else f"{view} ~"
