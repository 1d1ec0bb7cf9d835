"""`hanse runs`: what builds, tests, publishes and schedules did, and how to stop one."""

from __future__ import annotations

from typing import Any

import click

from hanse.cli import render
from hanse.cli.findings import printable
from hanse.cli.ids import one_id
from hanse.cli.state import state
from hanse.cli.transport import connect


@click.command("runs")
@click.argument("words", nargs=-1, metavar="[ID | cancel ID]")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--follow", is_flag=True, help="Of ID: go on until it has ended.")
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], limit: int, follow: bool) -> int:
    """The latest runs, newest first; with ID, one of them step by step; `cancel ID` ends one.

    \b
    hanse runs
    hanse runs run-3f9a --follow
    hanse runs cancel run-3f9a
    """
    match words:
        case ():
            if follow:
                raise click.UsageError("--follow needs the ID of a run", ctx)
            _list(ctx, limit)
        case ("cancel", id):
            _cancel(ctx, one_id(id, "runs"))
        case (id,) if id != "cancel":
            return _one(ctx, one_id(id, "runs"), follow)
        case _:
            raise click.UsageError("give the ID of one run, or cancel and an ID", ctx)
    return 0


def _list(ctx: click.Context, limit: int) -> None:
    told = connect(ctx).get("/runs", {"limit": limit})
    if state(ctx).json:
        render.document(told)
        return
    if not told["runs"]:
        render.talk("Nothing of yours ran. Next: hanse plan; or add schedule: to a build.yaml")
        return
    rows = [(r["id"], r["verb"], _of(r), r["by"], _state(r), _when(r), _made(r)) for r in told["runs"]]
    heads = ("run", "verb", "product", "by", "state", "started", "result")
    click.echo("\n".join(render.table(heads, rows, width=render.columns_of_terminal(), colour=render.is_terminal())))


def _one(ctx: click.Context, id: str, follow: bool) -> int:
    client = connect(ctx)
    after, events = 0, []
    while True:
        told = client.get(f"/runs/{id}", {"after": after, "wait": 20} if follow else {})
        events += told["events"]
        after = max((event["number"] for event in told["events"]), default=after)
        if not state(ctx).json:
            for event in told["events"]:
                click.echo(f"  {event['at'][11:19]}  {event['kind']:<18} {printable(event['text'])}")
        if not follow or told["ended_at"] is not None:
            break
    if state(ctx).json:
        render.document({**told, "events": events})
        return 0
    merged = f", for {told['merged'] + 1} reasons" if told.get("merged") else ""
    again = ", begun again after the node had ended" if told.get("starts", 0) > 1 else ""
    click.echo(f"{told['verb']} {_state(told)}{merged}{again}   {_made(told)}".rstrip())
    if problem := told.get("problem"):
        where = f"{problem['where']}  " if problem.get("where") else ""
        click.echo(printable(f"{problem['code']}  {where}{problem.get('detail', '')}"))
        if mend := problem.get("mend"):
            click.echo(f"\nmend: {printable(str(mend))}")
    return 0


def _cancel(ctx: click.Context, id: str) -> None:
    client = connect(ctx)
    client.post(f"/runs/{id}/cancel")
    told = client.get(f"/runs/{id}")
    while told["ended_at"] is None:
        told = client.get(f"/runs/{id}", {"after": 1_000_000, "wait": 1})
    if state(ctx).json:
        render.document(told)
    else:
        click.echo(f"{id} {_state(told)}")


def _of(run: dict[str, Any]) -> str:
    """The product that a run was about; of several the first, and how many more."""
    if run.get("product"):
        return str(run["product"])
    result = run.get("result")
    named = [str(one.get("product")) for one in result.get("products", ())] if isinstance(result, dict) else []
    return f"{named[0]} and {len(named) - 1} more" if len(named) > 1 else "".join(named)


def _when(run: dict[str, Any]) -> str:
    return render.ago(run["started_at"] or run["queued_at"])


def _made(run: dict[str, Any]) -> str:
    """What came of a scheduled run, in words."""
    if run.get("problem"):
        return str(run["problem"].get("code", ""))
    if run["state"] == "done" and run.get("because") in ("schedule", "input"):
        return f"publication {run['sequence']}" if run["sequence"] else "nothing new"
    return ""


def _state(run: dict[str, Any]) -> str:
    """How a run ended for the one who started it: work that ran to its end can have found that nothing is good."""
    result = run.get("result")
    bad = isinstance(result, dict) and result.get("ok") is False
    return "failed" if run["state"] == "done" and bad else str(run["state"])
