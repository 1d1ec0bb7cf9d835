"""`hanse connections`: which connections the project's domains have, and whether they work."""

from __future__ import annotations

from typing import Any

import click

from hanse.cli import render
from hanse.cli.findings import printable
from hanse.cli.state import state
from hanse.cli.transport import bundle, connect


@click.group("connections")
def command() -> None:
    """Connections are named in domain.yaml; their values come from where the node runs and are never shown."""


@command.command("list")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """The connections of your domains: kind, host, and whether their values are there."""
    told = connect(ctx).post("/connections", {"files": bundle(ctx)})
    if state(ctx).json:
        render.document(told)
        return
    found = told["connections"]
    if not found:
        render.talk("No connection of yours. Next: add connections: {NAME: {kind: postgres, …}} to domain.yaml")
        return
    rows = [(f"{one['domain']}/{one['name']}", one["kind"], one["host"], _values(one)) for one in found]
    heads = ("connection", "kind", "host", "values")
    click.echo("\n".join(render.table(heads, rows, width=render.columns_of_terminal(), colour=render.is_terminal())))
    missing = [(one["domain"], name) for one in found for name in one["missing"]]
    if missing:
        domain, name = missing[0]
        render.talk(f"\nNext: export HANSE_VARIABLE_{domain.upper()}__{name}=… where the node runs")
    else:
        render.talk("\nNext: hanse connections test")


def _values(one: dict[str, Any]) -> str:
    if one["missing"]:
        return "missing: " + ", ".join(one["missing"])
    return "there" if one["variables"] else "none needed"


@command.command("test")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.pass_context
def test(ctx: click.Context, names: tuple[str, ...]) -> int:
    """Connect to all of them, or to those named, and say what answers. Exit 1 when one does not work."""
    told = connect(ctx).post("/connections/test", {"files": bundle(ctx), "names": list(names)})
    if state(ctx).json:
        render.document(told)
        return 0 if told["ok"] else 1
    for one in told["connections"]:
        name = printable(f"{one['domain']}/{one['name']}")
        if one["ok"]:
            click.echo(f"ok    {name}  {printable(one['said'])}")
            continue
        error = one["error"]
        click.echo(f"fail  {name}  {error['code']}  {printable(error['detail'])}")
        if mend := error.get("mend"):
            click.echo(f"      mend: {printable(mend)}")
    if not told["connections"]:
        render.talk("No connection of yours. Next: add connections: {NAME: {kind: postgres, …}} to domain.yaml")
    return 0 if told["ok"] else 1
