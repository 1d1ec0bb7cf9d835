"""`hanse access`: ask for, grant, refuse and end access."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import click

from hanse.cli import render
from hanse.cli.ids import one_id
from hanse.cli.state import state
from hanse.cli.transport import connect
from hanse.names import ProductId

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_DAYS = 90


@click.group("access")
def command() -> None:
    """Access is asked for, given by the owner, ends on its day, and is written down."""


def _terms(function: F) -> F:
    """The terms of a request or grant."""
    for option in (
        click.option("--why", required=True, help="In your own words, for the owner."),
        click.option("--purpose", help="An id of the mesh's purposes; default: any."),
        click.option("--until", help=f"The last day, like 2026-12-31; default: {DEFAULT_DAYS} days from now."),
        click.option("--column", "columns", multiple=True, help="Only this column; repeat for more."),
    ):
        function = option(function)
    return function


@command.command("list")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """Requests that wait, and grants: yours, and those of your domain."""
    told = connect(ctx).get("/access")
    if state(ctx).json:
        render.document(told)
        return
    width = render.columns_of_terminal()
    if told["requests"]:
        rows = [
            (
                r["id"],
                r["product"],
                r["to"],
                _columns(r),
                r["state"],
                render.day(r["until"]),
                r["purpose"] or "",
                r["why"],
            )
            for r in told["requests"]
        ]
        heads = ("request", "product", "for", "columns", "state", "until", "purpose", "why")
        click.echo("\n".join(render.table(heads, rows, width=width, colour=render.is_terminal())))
    if told["grants"]:
        rows = [
            (
                g["id"],
                g["product"],
                g["to"],
                _columns(g),
                "ends soon" if g.get("ends_soon") else g["state"],
                render.day(g["until"]),
                ", ".join(g["purposes"]),
                g["why"],
            )
            for g in told["grants"]
        ]
        heads = ("grant", "product", "to", "columns", "state", "until", "purpose", "why")
        if told["requests"]:
            click.echo("")
        click.echo("\n".join(render.table(heads, rows, width=width, colour=render.is_terminal())))
    for g in told["grants"]:
        if g.get("ends_soon"):
            render.talk(f"\n{g['id']} ends on {render.day(g['until'])}. To go on: hanse access renew {g['id']}")
    open_ = [r for r in told["requests"] if r["state"] == "waiting" and r.get("decidable")]
    if open_:
        render.talk(f"\nNext: hanse access approve {open_[0]['id']}, or refuse it with --why")
    elif not told["requests"] and not told["grants"]:
        render.talk("No request and no grant. Next: hanse search WORDS, then hanse access request PRODUCT")


def _columns(one: dict[str, Any]) -> str:
    return ", ".join(one["columns"]) if one.get("columns") else "*"


@command.command("request")
@click.argument("product")
@click.option("--for", "whom", help="person:ada, team:growth or a product; default: you.")
@_terms
@click.pass_context
def request(
    ctx: click.Context,
    product: str,
    whom: str | None,
    columns: tuple[str, ...],
    until: str | None,
    purpose: str | None,
    why: str,
) -> None:
    """Ask the owner of PRODUCT for access."""
    body = {**_body(product, columns, until, purpose, why), "to": None if whom is None else _whom(whom)}
    told = connect(ctx).post("/access/requests", body)
    if state(ctx).json:
        render.document(told)
        return
    one = told["request"]
    click.echo(f"Request {one['id']} for {one['product']} sent to team {told.get('decides', 'of the owner')}.")
    render.talk("See how it goes: hanse access list")


@command.command("grant")
@click.argument("product")
@click.option("--to", "whom", required=True, help="person:ada, team:growth or a product like growth/basket.")
@_terms
@click.pass_context
def grant(
    ctx: click.Context,
    product: str,
    whom: str,
    columns: tuple[str, ...],
    until: str | None,
    purpose: str | None,
    why: str,
) -> None:
    """Grant access to a product of your domain, unasked."""
    body = {**_body(product, columns, until, purpose, why), "to": _whom(whom)}
    _granted(ctx, connect(ctx).post("/access/grants", body))


@command.command("approve")
@click.argument("request")
@click.option("--note", help="A word to the one who asked.")
@click.option("--until", help="An earlier last day than was asked for.")
@click.option("--column", "columns", multiple=True, help="Only this column; repeat for more.")
@click.pass_context
def approve(ctx: click.Context, request: str, note: str | None, until: str | None, columns: tuple[str, ...]) -> None:
    """Approve REQUEST, whole or for less."""
    body = {"note": note, "until": _until(until) if until else None, "columns": list(columns) or None}
    _granted(ctx, connect(ctx).post(f"/access/requests/{one_id(request, 'access list')}/approve", body))


@command.command("refuse")
@click.argument("request")
@click.option("--why", required=True, help="The one who asked reads it.")
@click.pass_context
def refuse(ctx: click.Context, request: str, why: str) -> None:
    """Refuse REQUEST with a reason."""
    told = connect(ctx).post(f"/access/requests/{one_id(request, 'access list')}/refuse", {"why": why})
    if state(ctx).json:
        render.document(told)
        return
    click.echo(f"Refused: request {told['request']['id']} for {told['request']['product']}.")


@command.command("revoke")
@click.argument("grant")
@click.option("--why", required=True, help="Written into the audit.")
@click.pass_context
def revoke(ctx: click.Context, grant: str, why: str) -> None:
    """End GRANT now."""
    told = connect(ctx).post(f"/access/grants/{one_id(grant, 'access list')}/revoke", {"why": why})
    if state(ctx).json:
        render.document(told)
        return
    one = told["grant"]
    click.echo(f"Revoked: {one['to']} may no longer read {one['product']} by grant {one['id']}.")


@command.command("renew")
@click.argument("grant")
@click.option("--until", help=f"The new last day; default: {DEFAULT_DAYS} days from now.")
@click.option("--why", default="still needed", show_default=True, help="For the owner.")
@click.pass_context
def renew(ctx: click.Context, grant: str, until: str | None, why: str) -> None:
    """Renew GRANT: the owner grants it anew; anybody else asks the owner to."""
    told = connect(ctx).post(
        f"/access/grants/{one_id(grant, 'access list')}/renew", {"until": _until(until), "why": why}
    )
    if "grant" in told:
        _granted(ctx, told)
    elif state(ctx).json:
        render.document(told)
    else:
        click.echo(f"Request {told['request']['id']} for {told['request']['product']} sent to its owner.")


def _granted(ctx: click.Context, told: dict[str, Any]) -> None:
    if state(ctx).json:
        render.document(told)
        return
    one = told["grant"]
    columns = f" ({_columns(one)})" if one.get("columns") else ""
    click.echo(f"Granted: {one['to']} may read {one['product']}{columns} until {render.day(one['until'])}.")
    render.talk(f'Undo: hanse access revoke {one["id"]} --why "…"')


def _body(product: str, columns: tuple[str, ...], until: str | None, purpose: str | None, why: str) -> dict[str, Any]:
    return {
        "product": str(ProductId.parse(product)),
        "columns": list(columns) or None,
        "until": _until(until),
        "purpose": purpose,
        "why": why,
    }


def _until(text: str | None) -> str:
    if text is None:
        return (datetime.now(UTC).date() + timedelta(days=DEFAULT_DAYS)).isoformat()
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise click.BadParameter("write a day like 2026-12-31", param_hint="--until") from None


def _whom(text: str) -> str:
    """`person:ada`, `team:growth`, `product:growth/basket`; a bare product is taken as one."""
    if ":" in text:
        return text
    if "/" in text:
        return f"product:{ProductId.parse(text)}"
    raise click.BadParameter(f"say whom: person:{text}, team:{text}, or a product", param_hint="--to/--for")


def _id(text: str) -> str:
    return one_id(text, "access list")
