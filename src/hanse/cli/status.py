"""`hanse status`: the products of this project and their state."""

from __future__ import annotations

from typing import Any

import click

from hanse.cli import render
from hanse.cli.state import state
from hanse.cli.transport import connect


@click.command("status")
@click.pass_context
def command(ctx: click.Context) -> None:
    """What is published, by whom it is run, what waits; of the domains that this node serves."""
    told = connect(ctx).get("/status")
    if state(ctx).json:
        render.document(told)
        return
    click.echo(f"mesh {told['mesh']}   node {told['address']}   {render.counted(len(told['domains']), 'domain')}")
    rows: list[tuple[Any, ...]] = [
        (
            p["product"],
            p["version"],
            p["status"],
            p["access"],
            render.ago(p["published_at"]),
            _freshness(p.get("freshness")),
            _run(p.get("run")),
            "yes" if p["staged"] else "",
            p["waiting"] or "",
            p["rows"],
            p["sequence"],
        )
        for p in told["products"]
    ]
    if not rows:
        render.talk("\nNothing is published here that you may know of. Next: hanse plan")
        return
    heads: tuple[str, ...] = (
        "product",
        "version",
        "status",
        "access",
        "published",
        "data",
        "run",
        "staged",
        "requests",
        "rows",
    )
    heads += ("publication",)
    shown = [i for i, head in enumerate(heads) if head != "run" or any(p.get("run") for p in told["products"])]
    heads, rows = tuple(heads[i] for i in shown), [tuple(row[i] for i in shown) for row in rows]
    click.echo("")
    click.echo("\n".join(render.table(heads, rows, width=render.columns_of_terminal(), colour=render.is_terminal())))
    waiting = sum(p["waiting"] or 0 for p in told["products"])
    if waiting:
        render.talk(f"\n{render.counted(waiting, 'request')} waiting. Next: hanse access list")


def _freshness(told: dict[str, Any] | None) -> str:
    """The age of the data against its promise: `ok 4 min`, `missed 3 h`."""
    if told is None:
        return ""
    word = "ok" if told["state"] == "met" else "missed"
    return word if told["newest"] is None else f"{word} {render.ago(told['newest']).removesuffix(' ago')}"


def _run(told: dict[str, Any] | None) -> str:
    """The newest scheduled run and when the next is due: `failed 3 min ago, next in 2 h`."""
    if told is None:
        return ""
    last = f"{told['state']} {render.ago(told['at'])}" if told["state"] else ""
    following = "after inputs" if told["after_inputs"] else ""
    if told["next"]:
        following = f"next {render.ahead(told['next'])}"
    return ", ".join(filter(None, (last, following)))
