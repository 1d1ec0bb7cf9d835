"""`hanse query`: ask in SQL, see what you may see."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from hanse.cli.files import must_take
from hanse.cli.findings import printable
from hanse.cli.state import state

_MEDIA = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_BY_SUFFIX = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".arrow": "arrow", ".arrows": "arrow"}
_ON_SCREEN = 1000
_FACTS = ("policies", "deprecations")  # what a reply of another format says in its headers


@click.command("query")
@click.argument("sql", required=False)
@click.option(
    "-f",
    "--file",
    type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True, path_type=Path),
    help="Read the statement; - is stdin.",
)
@click.option(
    "--as", "format", type=click.Choice(["table", *_MEDIA]), help="Default: table, or what --out's ending says."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the answer to this file.")
@click.option("--limit", type=click.IntRange(1), help="Stop after so many rows.")
@click.option("--purpose", help="Why: an id of the mesh's purposes; default: your grant's, if it has one.")
@click.option(
    "-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="Value for $NAME of the statement, a text."
)
@click.option("--explain", is_flag=True, help="Show what would be read and what policies do, without reading.")
@click.option("--staged", is_flag=True, help="Read what your domain built and has not published yet.")
@click.pass_context
def command(
    ctx: click.Context,
    sql: str | None,
    file: Path | None,
    format: str | None,
    out: Path | None,
    limit: int | None,
    purpose: str | None,
    params: tuple[str, ...],
    explain: bool,
    staged: bool,
) -> int:
    """Ask one question in SQL over the products of the mesh.

    \b
    hanse query "select carrier, count(*) from operations.flights group by 1"
    hanse query -f report.sql --out report.parquet
    hanse query "select * from operations.flights at (version => 1) limit 5"
    hanse query "select * from operations.flights where carrier = $c limit 5" -p c=AA
    """
    from hanse.cli.transport import connect

    statement = _statement(sql, file)
    flags = state(ctx)
    kind = format or ("json" if flags.json else _kind_of(out) if out else "table")
    if kind in ("parquet", "arrow") and out is None and sys.stdout.isatty():
        raise click.UsageError(f"{kind} is not for a terminal; add --out FILE.{kind}")
    if kind == "table" and out is not None:
        raise click.UsageError("a table is for the screen; name another format with --as")
    if out is not None:
        must_take(out)
    body: dict[str, Any] = {"sql": statement, "purpose": purpose, "limit": limit, "explain": explain, "staged": staged}
    if params:
        body["parameters"] = _values(params)
    client = connect(ctx)
    since = time.perf_counter()
    if kind == "table":
        body["limit"] = min(limit, 10_000) if limit else most_rows()
        with client.stream("POST", "/query", body) as reply:
            answer = json.loads(reply.text())
        if explain:
            _explained(answer)
        else:
            show(answer, time.perf_counter() - since, cut=limit is None)
        return 0
    with client.stream("POST", "/query", body, accept=_MEDIA[kind]) as reply:
        size = _write(reply, out)
        if kind == "json" and out is None:
            click.echo("")
        policies, deprecated = (json.loads(reply.headers.get(f"hanse-{fact}", "{}")) for fact in _FACTS)
    where = f" to {out}" if out else ""
    _talk(f"{_size(size)}{where}, {_took(time.perf_counter() - since)}{_shaped(policies)}")
    _warned(deprecated)
    return 0


def _statement(sql: str | None, file: Path | None) -> str:
    if (sql is None) == (file is None):
        raise click.UsageError("give one statement: as text, or with -f FILE")
    if file is None:
        return sql or ""
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError(f"{file} is not UTF-8 text") from None


def _values(params: Sequence[str]) -> dict[str, str]:
    """`c=AA` as a name and its value."""
    pairs = [one.partition("=") for one in params]
    for given, (name, sign, _) in zip(params, pairs, strict=True):
        if not sign or not name.isidentifier():
            raise click.UsageError(f"--param {given[:80]!r} is not NAME=VALUE; for $c of the statement: --param c=AA")
    return {name: value for name, _, value in pairs}


def _kind_of(out: Path) -> str:
    kind = _BY_SUFFIX.get(out.suffix.lower())
    if kind is None:
        raise click.UsageError(f"the ending of {out.name} names no format: {', '.join(_BY_SUFFIX)}; or add --as")
    return kind


def _write(reply: Any, out: Path | None) -> int:
    size = 0
    if out is None:
        stdout = sys.stdout.buffer
        for piece in reply.chunks():
            stdout.write(piece)
            size += len(piece)
        stdout.flush()
        return size
    # a broken answer leaves no file that could be taken for a whole one
    part = out.with_name(out.name + ".part")
    try:
        with part.open("wb") as target:
            for piece in reply.chunks():
                target.write(piece)
                size += len(piece)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return size


def _explained(answer: dict[str, Any]) -> None:
    """A block a table: what would be read of it, and why so."""
    names = [column["name"] for column in answer["columns"]]
    width = max(map(len, names))
    for number, row in enumerate(answer["rows"]):
        if number:
            click.echo("")
        for name, value in zip(names, row, strict=True):
            click.echo(f"{name:<{width}}  {printable(str(value))}")


def most_rows() -> int:
    """How many rows to ask for, so that `show` with `cut` can tell that there are more."""
    return _ON_SCREEN + 1


def show(answer: dict[str, Any], seconds: float, *, cut: bool = False) -> None:
    """Write an answer as a table to stdout, and what shaped it to stderr."""
    from hanse.cli import render

    rows = answer["rows"]
    more = cut and len(rows) > _ON_SCREEN
    names = [column["name"] for column in answer["columns"]]
    lines = render.table(
        names,
        rows[:_ON_SCREEN] if more else rows,
        masked=answer.get("masked", ()),
        width=render.columns_of_terminal(),
        null="NULL",
        fit=False,  # a value cut short could be taken for the whole
    )
    click.echo("\n".join(lines))
    told = f"first {render.amount(_ON_SCREEN)} rows" if more else render.counted(len(rows), "row")
    _talk(f"\n{told}, {_took(seconds)}{_shaped(answer.get('policies', {}))}")
    if more:
        _talk("more: --limit N, or --as csv for all of them")
    _warned(answer.get("deprecations", {}))


def _warned(deprecations: Mapping[str, Any]) -> None:
    from hanse.cli.render import until

    for table, said in deprecations.items():
        _talk(f"warn  {printable(table)} is deprecated{until(said)}")


def _shaped(policies: Mapping[str, Sequence[str]]) -> str:
    words = rules_of(policies)
    return f"   ~ shaped by {', '.join(words)}" if words else ""


def rules_of(policies: Mapping[str, Sequence[str]]) -> list[str]:
    """The names of the rules that shaped an answer, of all its tables."""
    return sorted({printable(rule) for rules in policies.values() for rule in rules})


def _size(octets: int) -> str:
    from hanse.cli.render import size

    return size(octets)


def _took(seconds: float) -> str:
    from hanse.cli.render import took

    return took(seconds)


def _talk(text: str) -> None:
    click.echo(text, err=True)
