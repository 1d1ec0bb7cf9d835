"""`hanse bump`: the next version of a port line, in its files."""

from __future__ import annotations

from typing import Any

import click

from hanse.cli import render
from hanse.cli.edits import difference, write
from hanse.cli.state import state
from hanse.cli.transport import connect, read_bundle
from hanse.names import ProductId, Version


@click.command("bump")
@click.argument("id", metavar="ID[:PORT]")
@click.argument("step", required=False, type=click.Choice(["major", "minor", "patch"]))
@click.pass_context
def command(ctx: click.Context, id: str, step: str | None) -> None:
    """Move the version of a port line of ID: in its contract, and in the output port that names it.

    Without a step it is the one that the changes since the published version need. A new major gets a contract, an
    output port and tables of its own beside the former; put the former contract back to what was published.
    """
    from hanse.spec.bump import bumped
    from hanse.spec.compat import Step

    name, _, port = id.partition(":")
    product = ProductId.parse(name)
    root = state(ctx).root
    before = read_bundle(root)
    since: Version | None = None
    if step is None:
        needed = needs(connect(ctx), before, product, port or None)
        if needed is None:
            _told(ctx, str(product), None, [], f"{product}: no change since the published version needs a step.")
            return
        since, wanted = needed
    else:
        wanted = Step[step.upper()]
    after, line, version = bumped(before, product, wanted, port=port or None, since=since)
    if not state(ctx).json:
        click.echo(difference(before, after))
    files = write(root, before, after)
    _told(ctx, str(line), str(version), files, f"\n{line} has version {version}. Next: hanse plan {product}")


def needs(client: Any, files: dict[str, str], product: ProductId, port: str | None) -> tuple[Version, Any] | None:
    """The published version of the newest line and the step its changes need; None when its version covers them."""
    from hanse.spec.bump import stepped
    from hanse.spec.compat import Step

    plan = client.post("/plan", {"files": files, "products": [str(product)]})
    lines = [line for one in plan["products"] for line in one["lines"] if line["old"] and line["new"] and line["step"]]
    lines = [line for line in lines if port in (None, line["line"].partition("@")[0])]
    for line in sorted(lines, key=lambda one: int(one["line"].partition("@")[2]), reverse=True):
        old, new, step = Version.parse(line["old"]), Version.parse(line["new"]), Step[line["step"].upper()]
        if old is not None and new is not None:
            return None if new >= stepped(old, step) else (old, step)
    return None


def _told(ctx: click.Context, line: str, version: str | None, files: list[str], text: str) -> None:
    if state(ctx).json:
        render.document({"schema": "hanse.bump/1", "line": line, "version": version, "files": files})
    else:
        click.echo(text)
