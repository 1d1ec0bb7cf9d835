"""`hanse clean`: let go of former publications beyond `keep`, and of the files that nothing names."""

from __future__ import annotations

from typing import Any

import click

from hanse.cli import render
from hanse.cli.state import state
from hanse.cli.transport import connect
from hanse.names import ProductId


@click.command("clean")
@click.argument("products", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.pass_context
def command(ctx: click.Context, products: tuple[str, ...], dry_run: bool) -> None:
    """Forget publications that `keep` lets go (of PRODUCTS, default: all you may), and delete what nothing names.

    What is current is never touched. A serving node does the same by itself each hour.
    """
    body = {"products": [str(ProductId.parse(one)) for one in products], "dry_run": dry_run}
    told = connect(ctx).post("/clean", body)
    if state(ctx).json:
        render.document(told)
        return
    for home in told["homes"]:
        _show(home, dry_run)
    if dry_run:
        render.talk("\nNothing was changed. Next: hanse clean")


def _show(home: dict[str, Any], dry_run: bool) -> None:
    files = f"{render.counted(home['files'], 'file')}, {render.size(home['bytes'])}"
    what = f"would delete {files}" if dry_run else f"deleted {files}"
    click.echo(f"{home['domain']}   {what}; {render.size(home['kept_bytes'])} of data stay")
    for product, sequences in home["forgotten"].items():
        verb = "would forget" if dry_run else "forgot"
        click.echo(f"  {product}   {verb} {render.counted(len(sequences), 'publication')} ({_ranges(sequences)})")
    if home["waiting"]:
        click.echo(f"  {render.counted(home['waiting'], 'file')} more go later: still read, or younger than the grace")


def _ranges(numbers: list[int]) -> str:
    """`1-3, 5`: numbers in order, runs of them shortened."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
