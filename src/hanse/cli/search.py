"""`hanse search`: find products by words, names, titles and columns."""

from __future__ import annotations

import click

from hanse.cli import render
from hanse.cli.state import state
from hanse.cli.transport import connect


@click.command("search")
@click.argument("words", nargs=-1)
@click.option("--domain", help="Only products of this domain.")
@click.option("--status", help="Only products with this status.")
@click.option("--limit", type=click.IntRange(1, 1000), default=30, show_default=True)
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], domain: str | None, status: str | None, limit: int) -> int:
    """Find products that you may discover; without WORDS, all of them."""
    asked = {"q": " ".join(words) or None, "domain": domain, "status": status, "limit": limit}
    told = connect(ctx).get("/products", asked)
    if state(ctx).json:
        render.document(told)
        return 0
    products = told["products"]
    if not products:
        near = f"; nearest: {', '.join(told['nearest'])}" if told.get("nearest") else ""
        render.talk(f"Nothing found{near}.\n\nmend: fewer or other words; hanse search lists everything")
        return 2 if words else 0
    rows = [
        (p["product"], p["title"], render.ago(p.get("published_at")), p["status"], p["access"], _found(p))
        for p in products
    ]
    heads = ("product", "title", "published", "status", "access", "found in")
    click.echo("\n".join(render.table(heads, rows, width=render.columns_of_terminal(), colour=render.is_terminal())))
    render.talk(
        f"\n{render.counted(len(products), 'product')}{', and more' if told.get('next') else ''}. "
        f"Next: hanse show {products[0]['product']}"
    )
    return 0


def _found(product: dict[str, object]) -> str:
    columns = product.get("columns") or []
    assert isinstance(columns, list)
    return f"columns {', '.join(map(str, columns[:4]))}" if columns else ""
