"""`hanse explain CODE`: the long form of an error or finding."""

from __future__ import annotations

import json
import pkgutil
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module

import click

import hanse
from hanse.cli import words
from hanse.cli.state import state
from hanse.cli.words import Word
from hanse.errors import Code, codes
from hanse.names import nearest


@click.command()
@click.argument("code", required=False)
@click.pass_context
def command(ctx: click.Context, code: str | None) -> None:
    """Print what CODE means, why it is so and what mends it; without CODE, list all codes.

    `hanse explain words` prints the words of a mesh, `hanse explain grant` one of them; CODE may be an event's name.
    """
    from hanse.node.events import EVENTS

    if code is not None and code in EVENTS:
        _event(code, EVENTS[code], state(ctx).json)
        return
    if code == "words" or (code is not None and words.find(code) is not None):
        _words(words.WORDS if code == "words" else [found for found in [words.find(code)] if found], state(ctx).json)
        return
    known = all_codes(until=code)
    as_json = state(ctx).json
    if code is None:
        if as_json:
            document = {"schema": "hanse.codes/1", "codes": [_json(one) for one in known.values()]}
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
            return
        width = max(map(len, known))
        for one in known.values():
            click.echo(f"{one.slug:<{width}}  {one.title}")
        return
    if code not in known:
        near = _nearest(code, known)
        said = f"there is no code {code[:60]!a}" + (f"; nearest: {', '.join(near)}" if near else "")
        error = click.UsageError(said, ctx)
        offered = f"hanse explain {near[0]}" if near else "hanse explain lists them all"
        error.mend = offered  # type: ignore[attr-defined]
        raise error
    one = known[code]
    if as_json:
        click.echo(json.dumps({"schema": "hanse.code/1", **_json(one)}, indent=2, ensure_ascii=False))
        return
    click.echo(f"{one.slug}  ({one.kind.value})\n\n{one.title}.\n")
    for label, text in (("why", one.why), ("mend", one.mend)):
        click.echo(textwrap.fill(text, 96, initial_indent=f"{label + ':':<7}", subsequent_indent=" " * 7))


def _event(name: str, what: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"schema": "hanse.event/1", "name": name, "what": what}, indent=2))
    else:
        click.echo(f"{name}  (event)\n\n{what}")


def _words(told: Sequence[Word], as_json: bool) -> None:
    if as_json:
        document = {"schema": "hanse.words/1", "words": [asdict(one) for one in told]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for number, one in enumerate(told):
        click.echo(("\n" if number else "") + click.style(one.word, bold=True))
        for label, text in (("", one.meaning), ("example: ", one.example), ("not: ", one.otherwise)):
            if text:
                click.echo(textwrap.fill(label + text, 96, initial_indent="  ", subsequent_indent="  "))


def all_codes(until: str | None = None) -> dict[str, Code]:
    """Every code that hanse can say, by slug; imports modules, since each declares its own, `until` one is known."""
    names = [module.name for module in pkgutil.walk_packages(hanse.__path__, "hanse.")]
    # the light floors first: most codes are theirs, and one that is found ends the search
    for name in sorted(names, key=lambda name: not name.startswith(("hanse.spec", "hanse.names", "hanse.errors"))):
        if until in codes():
            break
        if name.rpartition(".")[2] in ("__main__", "main") or ".migrations." in name:
            continue
        try:
            import_module(name)
        except ImportError as error:
            # a library of an extra that is not installed; its module says nothing here
            if error.name is None or error.name.partition(".")[0] == "hanse":
                raise
    return dict(codes())


def _nearest(word: str, known: dict[str, Code]) -> list[str]:
    """Codes that look like `word`, or have its last part as their own."""
    near = nearest(word, known)
    last = word.rpartition(".")[2].lower()
    return near or [slug for slug in known if last and last in slug][:3]


def _json(one: Code) -> dict[str, str]:
    return {"code": one.slug, "kind": one.kind.value, "title": one.title, "why": one.why, "mend": one.mend}
