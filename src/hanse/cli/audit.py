"""`hanse audit`: who saw what, and proof that nothing was removed."""

from __future__ import annotations

from typing import Any

import click

from hanse.cli import render
from hanse.cli.failures import FINDINGS
from hanse.cli.state import state
from hanse.cli.transport import connect


@click.group("audit", invoke_without_command=True)
@click.option("--product", help="Only reads of this product.")
@click.option("--person", help="Only what this person (or product) did.")
@click.option("--since", help="Only from this day or moment on.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.pass_context
def command(ctx: click.Context, product: str | None, person: str | None, since: str | None, limit: int) -> None:
    """Who saw what of your domain, newest first; and what you saw yourself."""
    if ctx.invoked_subcommand is not None:
        return
    told = connect(ctx).get("/audit", {"product": product, "principal": person, "since": since, "limit": limit})
    if state(ctx).json:
        render.document(told)
        return
    if not told["entries"]:
        render.talk("Nothing was recorded that you may see.")
        return
    click.echo("\n".join(lines(told["entries"], width=render.columns_of_terminal())))
    render.talk(
        f"\n{render.counted(len(told['entries']), 'entry').replace('entrys', 'entries')}. Next: hanse audit verify"
    )


def lines(entries: list[dict[str, Any]], width: int | None = None) -> list[str]:
    """Audit entries as the lines of a table."""
    rows = [
        (
            e["at"][:19].replace("T", " "),
            e["principal"],
            e["action"],
            ", ".join(e.get("products", ())),
            e.get("outcome") or "",
            "" if e.get("rows") is None else e["rows"],
            e.get("purpose") or "",
            "; ".join(e.get("rules", ())),
        )
        for e in entries
    ]
    heads = ("when (UTC)", "who", "did", "product", "outcome", "rows", "purpose", "decided by")
    return render.table(heads, rows, width=width, colour=render.is_terminal())


@command.command("verify")
@click.pass_context
def verify(ctx: click.Context) -> int:
    """Check every chain of your domain's audit: an edited, removed or reordered entry, or a cut tail, is found."""
    told = connect(ctx).get("/audit/verify")
    if state(ctx).json:
        render.document(told)
        return 0 if told["ok"] else FINDINGS
    for home in told["homes"]:
        word = "ok" if home["ok"] else "fail"
        click.echo(
            f"  {word:<5} {home['domain']:<16} {render.counted(home['entries'], 'entry').replace('entrys', 'entries')}"
        )
        for fault in home["faults"]:
            click.echo(f"        {fault}")
    if not told["ok"]:
        render.talk("\nmend: compare with a backup of the home, and with the heads that others keep")
    return 0 if told["ok"] else FINDINGS
