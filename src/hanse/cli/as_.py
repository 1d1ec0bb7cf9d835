"""`hanse as`: run a command as another person, for the demo and on the node's own machine."""

from __future__ import annotations

import os
import sys

import click

from hanse.cli.local import token
from hanse.cli.state import state
from hanse.names import nearest


@click.command("as", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("person")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND …")
@click.pass_context
def command(ctx: click.Context, person: str, words: tuple[str, ...]) -> None:
    """Run COMMAND, a verb of hanse or any program, with a token of PERSON in HANSE_TOKEN.

    \b
    hanse as consumer -- query "select count(*) from operations.flights"
    """
    from hanse.cli.main import _MODULES, main

    flags = state(ctx)
    os.environ["HANSE_TOKEN"] = token(flags.root, person)
    if words[0] == "--":
        words = words[1:]
    if words and words[0] == "hanse":
        words = words[1:]
    if not words:
        raise click.UsageError("name the command after --")
    if words[0] in _MODULES or words[0].startswith("-"):
        before = ["--dir", str(flags.root)]
        before += [flag for flag, said in (("--json", flags.json), ("--debug", flags.debug)) if said]
        main.main([*before, *words])
    try:
        os.execvp(words[0], list(words))  # noqa: S606  # what the caller named, without a shell
    except FileNotFoundError:
        near = nearest(words[0], _MODULES, 1)
        mend = f"hanse as {person} -- {near[0]}" if near else "hanse --help"
        click.echo(f"{words[0][:40]!r} is neither a verb of hanse nor a program\n\nmend: {mend}", err=True)
        sys.exit(2)
