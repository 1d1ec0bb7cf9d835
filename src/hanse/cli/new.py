"""`hanse new product`: the first files of a product, from its data or from a contract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hanse.cli import render
from hanse.cli.files import created
from hanse.cli.findings import printable
from hanse.cli.state import state

if TYPE_CHECKING:
    from hanse.names import ProductId
    from hanse.node.steps.draft import Draft
    from hanse.spec.new_product import NewTable

_KINDS = ("source-aligned", "aggregate", "consumer-aligned")


@click.group("new")
def command() -> None:
    """Begin something new."""


@command.command("product")
@click.argument("name")
@click.option(
    "--from", "source", required=True, metavar="DATA", help="A file, a folder, CONNECTION.table, or a contract's file."
)
@click.option("--data", default="", metavar="DATA", help="Where the rows are that keep a contract.")
@click.option("--title", default="", help="Its name for people.")
@click.option("--purpose", default="", help="What it is for, in a sentence.")
@click.option("--support", default="", metavar="URL", help="Where its readers get help (default: as the domain says).")
@click.option("--type", "kind", type=click.Choice(_KINDS), default=_KINDS[0], show_default=True)
@click.option("--access", type=click.Choice(("open", "request", "closed")), default="request", show_default=True)
@click.pass_context
def product(ctx: click.Context, /, name: str, source: str, data: str, **said: str) -> None:
    """Write descriptor, contract, build.yaml and transform of the product NAME (or DOMAIN/NAME).

    Types, required columns, the key, short lists of words and classifications are worked out from all rows; the
    classifications are marked as proposed, and publishing waits until you have confirmed them. A contract after
    --from (ODCS, or a data contract specification) is taken over, and its rows come from --data. A file that is
    there stays as it is.
    """
    from hanse.app import settings_of
    from hanse.cli.transport import read_bundle
    from hanse.node.steps.draft import Asked, draft
    from hanse.spec.project import project

    root = state(ctx).root
    whole, _ = project(read_bundle(root))
    made = draft(
        settings_of(root), whole, Asked(_id(ctx, root, name, list(whole.domains)), source, data, **said), Path.cwd()
    )
    wrote = [path for path, text in made.texts.items() if created(root / path, text)]
    if state(ctx).json:
        render.document(_document(made, wrote))
        return
    _show(made, wrote)


def _id(ctx: click.Context, root: Path, name: str, domains: list[str]) -> ProductId:
    """The id that `name` means: of the domain it names, of the folder one stands in, or of the only domain."""
    from hanse.names import ProductId, is_name
    from hanse.spec.checks.identity import slug

    domain, slash, own = name.rpartition("/")
    here = Path.cwd().resolve()
    if not slash:
        inside = here.relative_to(root).parts[:1] if here.is_relative_to(root) else ()
        domain = inside[0] if inside and inside[0] in domains else domains[0] if len(domains) == 1 else ""
    if not domain:
        raise click.UsageError(f"say of which domain: {', '.join(f'{one}/{own}' for one in domains)[:200]}", ctx)
    if not is_name(own):
        raise click.UsageError(f"{own[:63]!r} cannot be the name of a product: write {domain}/{slug(own)}", ctx)
    return ProductId(domain, own)


def _show(made: Draft, wrote: list[str]) -> None:
    new = made.product
    for path in made.texts:
        click.echo(f"{'wrote' if path in wrote else 'kept '}  {path}")
    proposed = "classificationProposed" in next(iter(made.texts.values()))
    for table in new.tables:
        key = ", ".join(table.key) or "none found"
        click.echo(f"\n{table.name}: {render.counted(made.rows[table.name], 'row')}, key: {printable(key)}")
        heads, rows = _columns(table, new.classes, proposed=proposed)
        shown = render.table(heads, rows, width=render.columns_of_terminal(), colour=render.is_terminal())
        click.echo("\n".join(shown))
    for word in made.left:
        click.echo(f"not taken over: {printable(word)}", err=True)
    id_ = f"{new.id.domain}/{new.id.name}"
    contract = next(iter(made.texts))
    if not wrote:
        click.echo("\nEvery file is there; nothing was written.")
    elif proposed:
        click.echo(f"\nNext: look at each classification in {contract}, delete the entry classificationProposed at its")
        click.echo(f"end to confirm them, then hanse build {id_}")
    else:
        click.echo(f"\nNext: hanse build {id_}")


def _columns(
    table: NewTable, classes: tuple[str, str], *, proposed: bool
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    from hanse.spec.new_product import proposals

    why = proposals(table.columns) if proposed else {}
    rows: list[tuple[Any, ...]] = []
    for column in table.columns:
        said = why.get(column.name, "")
        words = f"one of {len(column.words)} words" if column.words and not said else ""
        row = (printable(column.name), column.type.sql, "yes" if column.required else "")
        rows.append((*row, classes[bool(said)], said or words) if proposed else row)
    heads = ("column", "type", "required", "proposed class", "because")
    return (heads, rows) if proposed else (heads[:2], [row[:2] for row in rows])


def _document(made: Draft, wrote: list[str]) -> dict[str, Any]:
    from hanse.spec.new_product import proposals

    return {
        "schema": "hanse.new/1",
        "product": f"{made.product.id.domain}/{made.product.id.name}",
        "files": [{"path": path, "written": path in wrote} for path in made.texts],
        "tables": [
            {
                "name": table.name,
                "rows": made.rows[table.name],
                "key": list(table.key),
                "columns": [
                    {"name": c.name, "type": c.type.sql, "required": c.required, "words": len(c.words)}
                    for c in table.columns
                ],
                "sensitive": proposals(table.columns),
            }
            for table in made.product.tables
        ],
        "not_taken_over": list(made.left),
    }
