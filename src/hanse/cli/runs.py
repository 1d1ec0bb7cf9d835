"""`hanse runs`: what builds, tests and publishes did."""

from __future__ import annotations

from typing import Any

import click

from hanse.cli import render
from hanse.cli.findings import printable
from hanse.cli.state import state
from hanse.cli.transport import connect


@click.command("runs")
@click.argument("id", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.pass_context
def command(ctx: click.Context, id: str | None, limit: int) -> None:
    """The latest runs, newest first; with ID, one of them step by step."""
    client = connect(ctx)
    if id is None:
        told = client.get("/runs", {"limit": limit})
        if state(ctx).json:
            render.document(told)
            return
        rows = [(r["id"], r["verb"], r["by"], _state(r), render.ago(r["started_at"])) for r in told["runs"]]
        if not rows:
            render.talk("Nothing of yours ran since the node started. Next: hanse plan")
            return
        heads = ("run", "verb", "by", "state", "started")
        click.echo(
            "\n".join(render.table(heads, rows, width=render.columns_of_terminal(), colour=render.is_terminal()))
        )
        return
    told = client.get(f"/runs/{id}")
    if state(ctx).json:
        render.document(told)
        return
    for event in told["events"]:
        click.echo(f"  {event['at'][11:19]}  {event['kind']:<18} {printable(event['text'])}")
    click.echo(f"{told['verb']} {_state(told)}")
    if problem := told.get("problem"):
        where = f"{problem['where']}  " if problem.get("where") else ""
        click.echo(printable(f"{problem['code']}  {where}{problem.get('detail', '')}"))
        if mend := problem.get("mend"):
            click.echo(f"\nmend: {printable(str(mend))}")


def _state(run: dict[str, Any]) -> str:
    """How a run ended for the one who started it: work that ran to its end can have found that nothing is good."""
    result = run.get("result")
    bad = isinstance(result, dict) and result.get("ok") is False
    return "failed" if run["state"] == "done" and bad else str(run["state"])
