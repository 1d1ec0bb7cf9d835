"""`hanse search`: find products, columns, people and policies by words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from hanse.cli import render
from hanse.cli.findings import printable
from hanse.cli.state import state
from hanse.cli.transport import connect


@click.command("search")
@click.argument("words", nargs=-1)
@click.option("--domain", help="Only products of this domain.")
@click.option("--status", help="Only products with this status.")
@click.option("--tag", help="Only products with this tag, on the product, its contract or a table.")
@click.option("--owner", help="Only products of this team or person.")
@click.option("--limit", type=click.IntRange(1, 1000), default=30, show_default=True)
@click.pass_context
def command(ctx: click.Context, /, words: tuple[str, ...], limit: int, **filters: str | None) -> int:
    """Find products that you may discover, by the beginnings of words; without WORDS, all of them.

    Best first: title, id, column names, tags and terms, text. All words must be there. People and policies are told
    below, and what you may do next.
    """
    told = connect(ctx).get("/products", {"q": " ".join(words) or None, **filters, "limit": limit})
    if state(ctx).json:
        render.document(told)
        return 0
    products, beside = told["products"], list(_beside(told))
    if not products and not beside:
        near = told.get("nearest")
        said = f"; nearest spelling: {', '.join(near)}" if near else ""
        mend = f"hanse search {near[0]}" if near else "fewer or other words; hanse search lists everything"
        render.talk(f"Nothing found{said}.\n\nmend: {mend}")
        return 2 if words or any(filters.values()) else 0
    if products:
        _show(products)
    if beside:
        click.echo("\n".join([""] * bool(products) + beside))
    if products:
        count = render.counted(told["total"], "product")
        whole = told["total"] == len(products)
        render.talk(f"\n{count}." if whole else f"\n{len(products)} of {count}; --limit shows more.")
        step = next(iter(told.get("steps") or ()), {"command": f"hanse show {products[0]['product']}"})
        render.talk(f"Next: {step['command']}")
    return 0


def _show(products: list[dict[str, Any]]) -> None:
    rows = [
        (p["product"], p["title"], render.ago(p["published_at"]), _state(p), _access(p), printable(p["purpose"]))
        for p in products
    ]
    heads = ("product", "title", "age", "state", "access", "purpose")
    lines = render.table(heads, rows, width=render.columns_of_terminal(), colour=render.is_terminal())
    click.echo("\n".join(lines[:2]))
    for line, product in zip(lines[2:], products, strict=False):
        click.echo(line)
        if product["columns"]:
            more = len(product["columns"]) - 8
            named = ", ".join(map(printable, product["columns"][:8]))
            click.echo(f"  columns  {named}{f' and {more} more' if more > 0 else ''}")
    for line in lines[2 + len(products) :]:
        click.echo(line)


def _state(product: dict[str, Any]) -> str:
    """`ok`, `warn`, or the status where it is not active; nothing where one may not know."""
    status = product["status"]
    words = [product["state"] or "", "" if status == "active" else status]
    return " ".join(filter(None, words))


def _access(product: dict[str, Any]) -> str:
    if product["until"]:
        return f"until {render.day(product['until'])}"
    return "you may read" if product["may_read"] else {"request": "ask", "open": "ask"}.get(product["access"], "closed")


def _beside(told: dict[str, Any]) -> Iterator[str]:
    for person in told.get("people", ()):
        title = f"  {printable(person['title'])}" if person["title"] else ""
        roles = f", {', '.join(person['roles'])}" if person["roles"] else ""
        yield f"person  {printable(person['name'])}{title}   {person['domain']}{printable(roles)}"
    for policy in told.get("policies", ()):
        says = f"   {printable(policy['says'])}" if policy["says"] else ""
        yield f"policy  {printable(policy['name'])}   {policy['scope']}, {policy['kind']}{says}"
