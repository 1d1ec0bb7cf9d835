"""`hanse ci`: write a pipeline file; never over one that is there."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from hanse.cli import render
from hanse.cli.state import state

_FILES = {"github": ".github/workflows/hanse.yml"}
_NEEDS = {"github": "a variable HANSE_NODE (the node's address) and a secret HANSE_TOKEN (its scopes: read, build)"}


@click.command("ci")
@click.argument("host", type=click.Choice(list(_FILES)))
@click.option("--print", "only_print", is_flag=True, help="Print the file instead of writing it.")
@click.pass_context
def command(ctx: click.Context, host: str, only_print: bool) -> None:
    """Write the pipeline file for HOST.

    A pull request is validated and planned, with one comment that is edited in place; a merge publishes the plan that
    was reviewed, and stops with exit code 5 when the world moved since.
    """
    text = (files("hanse.cli.ci") / f"{host}.yml").read_text(encoding="utf-8")
    if only_print:
        click.echo(text, nl=False)
        return
    root = state(ctx).root
    path = root / _FILES[host]
    shown = _FILES[host]
    if path.exists():
        same = path.read_text(encoding="utf-8") == text
        _told(ctx, shown, written=False, text=f"{shown} is there{' already' if same else ' and differs; it was left'}.")
        return
    _write(path, text)
    _told(ctx, shown, written=True, text=f"Wrote {shown}.\nIt needs {_NEEDS[host]}.\nNext: git add {shown}")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _told(ctx: click.Context, file: str, *, written: bool, text: str) -> None:
    if state(ctx).json:
        render.document({"schema": "hanse.ci/1", "file": file, "written": written})
    else:
        click.echo(text)
