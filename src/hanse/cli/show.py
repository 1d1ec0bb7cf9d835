"""`hanse show`: one product in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
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
@click.option("--protocols", is_flag=True, help="Where it is read, by protocol and table.")
@click.option("--sample", is_flag=True, help="Five rows of each table, as you may see them.")
@click.pass_context
def command(ctx: click.Context, product: str, contract: bool, descriptor: bool, protocols: bool, sample: bool) -> None:
    """Show PRODUCT: what it promises, its columns as you would see them, its people and links, and your access."""
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
    if protocols:
        from hanse.app import IN_PROCESS

        served = client.address != IN_PROCESS
        click.echo("")
        for one in told["protocols"]:
            # an address is to be copied: never cut
            address = one["address"] if served else one["address"].removeprefix(IN_PROCESS)
            click.echo(f"{one['protocol']}  {one['table']}  {address}")
        if not served:
            render.talk("\nNo node serves it now: hanse serve does")
        render.talk(f"\nNext: hanse read-with {told['product']}")
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
    words = [f"version {told['version']}", told["status"], f"access {told['access']}"]
    words += [f"team {told['owner']}"] if told["owner"] else []
    click.echo("   ".join(words) + f"   published {render.ago(told['published_at'])} (publication {told['sequence']})")
    if told["state"] or told["until"]:
        until = f"you have access until {render.day(told['until'])}" if told["until"] else ""
        state = f"{told['state']} {told['because'] or ''}".rstrip() if told["state"] else ""
        click.echo("   ".join(filter(None, (printable(state), until))))
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
    facts = list(_facts(told))
    if facts:
        width = max(len(name) for name, _ in facts)
        click.echo("\n" + "\n".join(f"{name:<{width}}  {printable(text)}".rstrip() for name, text in facts))
    if told["tables"] and told["tables"][0]["decision"]["allowed"]:
        render.talk(f'\nNext: hanse query "select * from {told["tables"][0]["sql"]} limit 5"')


def _facts(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What there is to know beside the tables, each in a line with its name before the first."""
    people = [
        " ".join(filter(None, (one["name"], one["title"] and f"({one['title']})", ", ".join(one["roles"]))))
        for one in told["people"]
    ]
    older = [one for one in told["publications"] if one["sequence"] != told["sequence"]]
    before = [f"publication {one['sequence']}, version {one['version']}, {render.ago(one['at'])}" for one in older]
    lists = (
        ("people", people),
        ("support", [" ".join(filter(None, (one["channel"], one["url"]))) for one in told["support"]]),
        ("tags", [", ".join(told["tags"])] if told["tags"] else []),
        ("terms", told["terms"]),
        ("promises", [_promise(one) for one in told["service_levels"]]),
        ("versions", [f"{one['port']} {one['version']} {one['status']}" for one in told["versions"]]),
        ("before", before),
        ("made from", [_linked(one) for one in told["from"]]),
        ("used by", [_linked(one) for one in told["to"]]),
    )
    for name, texts in lists:
        for number, text in enumerate(texts):
            yield (name if number == 0 else ""), text


def _promise(level: dict[str, Any]) -> str:
    """A service level, with what it is now where that is known to the reader."""
    text = f"{level['property']} {level['value']} {level['unit'] or ''}".rstrip()
    if level["state"] is None:
        return text
    word = "ok" if level["state"] == "met" else "missed"
    newest = f", newest {render.ago(level['newest'])}" if level.get("newest") else ""
    return f"{text}   {word}{newest}"


def _linked(one: dict[str, Any]) -> str:
    return "  ".join(filter(None, (f"{one['product']} {one['version']}", one["state"], one["because"])))


def _rows(table: dict[str, Any]) -> str:
    return "" if table["rows"] is None else f"   {render.counted(table['rows'], 'row')}"


def _seen(column: dict[str, Any]) -> str:
    view = str(column["view"]).partition(";")[0]
    return view if view in ("clear", "no access") else f"{view} ~"
