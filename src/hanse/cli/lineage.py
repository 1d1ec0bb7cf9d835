"""`hanse lineage`: what a product is made from and what is made from it, as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from hanse.cli import render
from hanse.cli.findings import printable
from hanse.cli.state import state
from hanse.cli.transport import connect
from hanse.names import ProductId

Links = Mapping[str, list[str]]


@click.command("lineage")
@click.argument("product")
@click.option("--up", is_flag=True, help="Only what it is made from.")
@click.option("--down", is_flag=True, help="Only what is made from it.")
@click.option("--depth", type=click.IntRange(1, 50), default=10, show_default=True, help="Steps each way.")
@click.option("--columns", is_flag=True, help="Of each column of PRODUCT, the columns that it is made of.")
@click.pass_context
def command(ctx: click.Context, product: str, up: bool, down: bool, depth: int, columns: bool) -> None:
    """Show what PRODUCT is made from and what is made from it: version, state and age of each.

    What you may not discover is not there, and neither is what is reached through it only.
    """
    id = str(ProductId.parse(product))
    both = up == down
    asked = {"up": depth if up or both else 0, "down": depth if down or both else 0, "columns": columns or None}
    told = connect(ctx).get(f"/lineage/{id}", {k: str(v).lower() for k, v in asked.items() if v is not None})
    if state(ctx).json:
        render.document(told)
        return
    click.echo("\n".join(_tree(told, id, up=up or both, down=down or both)))
    if columns:
        click.echo("\n" + "\n".join(_columns(told, id)))


def _tree(told: Mapping[str, Any], id: str, *, up: bool, down: bool) -> Iterator[str]:
    sources: dict[str, list[str]] = {}
    made: dict[str, list[str]] = {}
    for link in told["links"]:
        sources.setdefault(link["to"], []).append(link["from"])
        made.setdefault(link["from"], []).append(link["to"])
    rows: list[tuple[str, str]] = [("", id)]
    for wanted, title, links in ((up, "made from", sources), (down, "used by", made)):
        if wanted and links.get(id):
            if up and down:
                rows.append((title, ""))
            rows += _below(links, id, "", {id})
    members = {one["product"]: one for one in told["products"]}
    names = [f"{prefix}{name} {members[name]['version']}" if name in members else prefix for prefix, name in rows]
    width = max(map(len, names))
    for text, (_, name) in zip(names, rows, strict=True):
        one = members.get(name)
        if one is None:
            yield text
            continue
        words = " ".join(filter(None, (one["state"] or "", one["status"] if one["status"] != "active" else "")))
        age = render.ago(one["since"]).removesuffix(" ago")
        yield f"{text:<{width}}  {words:<5}  {age:>8}   {printable(one['because'] or '')}".rstrip()
    if len(rows) == 1:
        render.talk("\nNothing that you may discover is linked to it.")


def _below(links: Links, id: str, indent: str, seen: set[str]) -> Iterator[tuple[str, str]]:
    """The rows of what is linked to `id`; what was told above is named again, but not what is below it."""
    found = links.get(id, [])
    for number, one in enumerate(found):
        last = number == len(found) - 1
        yield f"{indent}{'`- ' if last else '|- '}", one
        if one not in seen:
            seen.add(one)
            yield from _below(links, one, f"{indent}{'   ' if last else '|  '}", seen)


def _columns(told: Mapping[str, Any], id: str) -> Iterator[str]:
    domain, _, name = id.partition("/")
    own = [one for one in told["columns"] if one["table"].startswith(f"{domain}.{name}_v")]
    if not own:
        yield "No lineage of columns was kept with this publication."
        return
    tables = {one["table"] for one in own}
    names = [one["column"] if len(tables) == 1 else f"{one['table']}.{one['column']}" for one in own]
    width = max(map(len, map(printable, names)))
    for name, one in zip(names, own, strict=True):
        origins = _origins(one["made_of"])
        yield f"{printable(name):<{width}}  {origins[0]}"
        yield from (f"{'':<{width}}  {origin}" for origin in origins[1:])


def _origins(made_of: list[dict[str, str]] | None) -> list[str]:
    if made_of is None:
        return ["cannot be told: counts as made of all"]
    return [printable(f"{one['table']}.{one['column']}") for one in made_of] or ["no column of a product"]
