"""`hanse publish`: build and test what a plan needs, then publish it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hanse.cli import render
from hanse.cli.failures import FINDINGS
from hanse.cli.findings import line, printable
from hanse.cli.plan import blocked, next_of, text_of
from hanse.cli.progress import Stages
from hanse.cli.report_lines import counted
from hanse.cli.state import state
from hanse.cli.transport import bundle, connect
from hanse.errors import Finding, HanseError, Kind, Severity
from hanse.names import ProductId

if TYPE_CHECKING:
    from hanse.client import Client


SHORT = 12  # characters of an id that people see


class PlanMoved(HanseError):
    kind = Kind.CONFLICT
    code = "plan.out-of-date"  # declared by the step


@click.command("publish")
@click.argument("plan", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--only", multiple=True, metavar="ID", help="Only this product of the plan; repeat for more.")
@click.option("--allow-breaking", "breaking", multiple=True, metavar="ID", help="Let this product break its consumers.")
@click.option(
    "--same", is_flag=True, help="Only if the files here still give PLAN: what was reviewed is what is published."
)
@click.pass_context
def command(
    ctx: click.Context,
    plan: str | None,
    yes: bool,
    only: tuple[str, ...],
    breaking: tuple[str, ...],
    same: bool,
) -> int:
    """Publish PLAN, as `hanse plan` named it; without PLAN the project is planned first and its plan shown.

    Publishing is idempotent by plan. Exit 5 when the world changed since the plan was made.
    """
    chosen = [str(ProductId.parse(id)) for id in only]
    breaks = [str(ProductId.parse(id)) for id in breaking]
    client = connect(ctx)
    flags = state(ctx)
    if plan is not None and same:
        _same(ctx, client, plan, breaks)
    if plan is None:
        made = client.post(
            "/plan", {"files": bundle(ctx), "products": chosen or None, "allow_breaking": breaks or None}
        )
        render.talk(text_of(made))
        refresh = yes and made["counts"].get("unchanged")  # new data under the same version
        if not (made["changes"] or refresh) or (blocked(made) and not chosen):
            render.talk(f"Next: {next_of(made)}")
            return FINDINGS if blocked(made) else 0
        plan = str(made["id"])
        _confirm(yes, plan)
    shown = Stages()
    try:
        report = client.run("/publish", {"plan": plan, "only": chosen, "allow_breaking": breaks}, shown.event)
    finally:
        shown.end()
    if flags.json:
        render.document(report)
    else:
        _show(report)
    return 0 if report["ok"] else FINDINGS


def _same(ctx: click.Context, client: Client, plan: str, breaks: list[str]) -> None:
    """Raise `PlanMoved` unless the files here give `plan` now."""
    now = client.post("/plan", {"files": bundle(ctx), "allow_breaking": breaks or None})
    if not str(now["hash"]).startswith(plan):
        raise PlanMoved(
            f"plan {plan[:SHORT]} is out of date: the files here give {now['id']}",
            mend="hanse plan, look, publish again",
        )


def _confirm(yes: bool, plan: str) -> None:
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        error = click.UsageError("nobody can be asked here whether to publish this plan")
        error.mend = f"hanse publish {plan}, or add --yes"  # type: ignore[attr-defined]
        raise error
    click.confirm(f"Publish plan {plan}?", abort=True, err=True)


def _show(report: dict[str, Any]) -> None:
    width = max((len(one["product"]) for one in report["products"]), default=0)
    for one in report["products"]:
        done = one["state"] in ("published", "unchanged", "retired")
        word = "ok" if done else "fail"
        number = f"publication {one['sequence']}" if one.get("sequence") else ""
        checks = one.get("checks")
        passed = counted(checks) if checks else ""
        told = "   ".join(filter(None, (one["state"], number, passed)))
        click.echo(f"  {word:<5} {one['product']:<{width}}  {told}")
        about = [*filter(None, [one.get("finding")]), *one.get("findings", ())]
        for finding in [each for at, each in enumerate(about) if each not in about[:at]]:
            said = Finding(**{**finding, "severity": Severity(finding["severity"])})
            click.echo(f"        {line(said)}")
    for domain in report.get("policies", ()):
        click.echo(f"  ok    policies of {printable(domain)}")
    if report["ok"] and report["products"]:
        render.talk(f"Next: hanse show {report['products'][0]['product']}")
