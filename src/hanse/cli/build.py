"""`hanse build`: make the tables now, in a stage that no reader sees."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from hanse.cli.state import state
from hanse.names import ProductId

_QUIET_SECONDS = 10  # off a terminal, a line at least this often while something runs


@click.command("build")
@click.argument("ids", nargs=-1, metavar="[ID…]")
@click.option("--full", is_flag=True, help="Build everything anew, increments and what is unchanged too.")
@click.option("--since", metavar="TIME", help="Incremental tables by time: replace everything at or after TIME.")
@click.option(
    "--sample", metavar="P%", help="Make tables of a part of their largest input, to look at; never published."
)
@click.option("--watch", is_flag=True, help="Build again whenever a file is saved, and show the first rows.")
@click.pass_context
def command(
    ctx: click.Context, ids: tuple[str, ...], full: bool, since: str | None, sample: str | None, watch: bool
) -> int:
    """Build products now, without publishing: sales/orders …, or all of the project.

    The tables go to a stage cut from the published snapshot; `hanse test` looks at it, `hanse publish` shows it to
    readers. What has not changed is not built again. With --json each event is a JSON line on stderr, and the report
    one document on stdout.
    """
    from hanse.cli.transport import bundle, connect

    products = [str(ProductId.parse(name)) for name in ids]
    share = None if sample is None else _share(sample)
    if since is not None:
        _check_time(since)
    client = connect(ctx)
    flags = state(ctx)
    body: dict[str, Any] = {"products": products or None, "full": full, "since": since, "sample": share}
    if watch:
        from hanse.cli.watch import watched

        watched(flags.root, client, body)
    shown = _Events() if flags.json else _Bar() if sys.stderr.isatty() else _Lines()
    try:
        result = client.run("/build", {**body, "files": bundle(ctx)}, shown.event)
    finally:
        shown.end()
    if flags.json:
        click.echo(json.dumps(result, indent=2))
    else:
        print_report(result)
    return 0 if result["ok"] else 1


def _share(text: str) -> float:
    try:
        share = float(text.strip().removesuffix("%"))
    except ValueError:
        share = 0.0
    if not 0 < share <= 100:
        raise click.BadParameter(f"{text[:20]!r} is no part; write 1% or 0.5%", param_hint="--sample")
    return share


def _check_time(text: str) -> None:
    from datetime import datetime

    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text[:40]!r} is no time; write 2026-11-25 or 2026-11-25T08:00:00+00:00", param_hint="--since"
        ) from None


def print_report(result: Mapping[str, Any]) -> None:
    """One line a product, slowest last, then what failed and what was noticed."""
    products: dict[str, dict[str, Any]] = {}
    for table in result["tables"]:
        product = products.setdefault(table["product"], {"rows": 0, "seconds": 0.0, "states": set()})
        product["rows"] += table["rows"]
        product["seconds"] += table["seconds"]
        product["states"].add(table["state"])
    width = max((len(name) for name in products), default=0)
    for name, product in sorted(products.items(), key=lambda item: item[1]["seconds"]):
        failed, built = "failed" in product["states"], "built" in product["states"]
        word, said = ("fail", "failed") if failed else ("ok", "built") if built else ("skip", "unchanged")
        rows = f"{product['rows']:,}".replace(",", " ")
        click.echo(f"  {word:<4}  {name:<{width}}  {rows:>12} rows  {product['seconds']:>7.2f} s  {said}")
    findings = [table["finding"] for table in result["tables"] if table["finding"]] + list(result["findings"])
    for finding in findings:
        place = f"{finding['file']}:{finding['line']}:{finding['column']}"
        click.echo(f"\n{finding['severity']}  {finding['code']}  {place}\n  {finding['message']}", err=True)
        if finding["mend"]:
            click.echo(f"  mend: {finding['mend']}", err=True)
    if not products:
        click.echo("Nothing to build: no product here has a build.yaml.", err=True)
    elif result["ok"]:
        click.echo("Staged, no reader sees it yet. Next: hanse test, then hanse publish", err=True)


class _Lines:
    """Plain lines, for a log: one when something ends, and one each ten seconds while nothing does."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def event(self, event: Mapping[str, Any]) -> None:
        now = time.monotonic()
        ended = str(event.get("kind", "")).endswith((".built", ".failed", ".unchanged"))
        if ended or now - self._said >= _QUIET_SECONDS:
            click.echo(f"  {event.get('text', '')}", err=True)
            self._said = now

    def end(self) -> None:
        return


class _Events:
    """A JSON line an event, for programs: `kind`, `text` and `data` as the run tells them."""

    def event(self, event: Mapping[str, Any]) -> None:
        click.echo(json.dumps(event), err=True)

    def end(self) -> None:
        return


class _Bar:
    """A bar over the tables, for a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("  tables"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None)
        self._progress.start()

    def event(self, event: Mapping[str, Any]) -> None:
        data = event.get("data") or {}
        self._progress.update(
            self._task,
            total=data.get("tables"),
            completed=data.get("done"),
            description=str(event.get("text", "")),
        )

    def end(self) -> None:
        self._progress.stop()
