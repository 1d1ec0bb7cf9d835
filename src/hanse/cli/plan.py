"""`hanse plan`: what publish would change, and who is touched."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import click

from hanse.cli import render
from hanse.cli.failures import FINDINGS
from hanse.cli.findings import FORMATS, annotate, printable
from hanse.cli.state import state
from hanse.cli.transport import bundle, connect
from hanse.errors import Finding, Severity
from hanse.names import ProductId

CHANGES = 10  # the exit code of --changes-exit


@click.command("plan")
@click.argument("ids", nargs=-1, metavar="[ID…]")
@click.option("--request", is_flag=True, help="Also ask for the access that inputs still need.")
@click.option("--allow-breaking", "breaking", multiple=True, metavar="ID", help="Let this product break its consumers.")
@click.option("--changes-exit", is_flag=True, help=f"Exit {CHANGES} when there is something to publish.")
@click.option("--format", "format", type=click.Choice(FORMATS), help="Default: text.")
@click.option(
    "--comment", type=click.Path(dir_okay=False, path_type=Path), help="Also write it as a comment, in Markdown."
)
@click.pass_context
def command(
    ctx: click.Context,
    ids: tuple[str, ...],
    request: bool,
    breaking: tuple[str, ...],
    changes_exit: bool,
    format: str | None,
    comment: Path | None,
) -> int:
    """Compare the project (or the products ID…) with what is published; nothing is changed.

    The plan's id is what `hanse publish` takes. Exit 1 when a product is blocked.
    """
    files = bundle(ctx)
    since = time.perf_counter()
    client = connect(ctx)
    plan = client.post(
        "/plan",
        {
            "files": files,
            "products": [str(ProductId.parse(id)) for id in ids] or None,
            "allow_breaking": [str(ProductId.parse(id)) for id in breaking] or None,
            "request": request,
        },
    )
    if comment is not None:
        comment.write_text(markdown(plan), encoding="utf-8")
    kind = format or ("json" if state(ctx).json else "text")
    if kind == "json":
        render.document(plan)
    elif kind in ("github", "gitlab"):
        annotate(findings_of(plan), kind)
        click.echo(text_of(plan), err=True)
    else:
        count = render.counted(len(plan["products"]), "product")
        click.echo(f"{count} read in {render.took(time.perf_counter() - since)}, on {client.address}\n")
        click.echo(text_of(plan))
        for id in plan["requested"]:
            render.talk(f"Asked for: {id}")
        render.talk(f"Next: {next_of(plan)}")
    if blocked(plan):
        return FINDINGS
    return CHANGES if changes_exit and plan["changes"] else 0


def text_of(plan: dict[str, Any]) -> str:
    """The plan's lines, safe for a terminal."""
    return "\n".join(printable(line) for line in plan["text"].strip("\n").split("\n"))


def markdown(plan: dict[str, Any]) -> str:
    """The plan as a comment: one line, the rest folded; a first line that is not shown tells machines its id."""
    *lines, last = text_of(plan).split("\n")
    # no run of backticks in what people wrote may end the block
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", "\n".join(lines))), default=0))
    told = "\n".join(lines).strip("\n")
    folded = f"<details><summary>What changes</summary>\n\n{fence}text\n{told}\n{fence}\n\n</details>\n" if told else ""
    return f"<!-- hanse-plan {plan['hash']} -->\n**{last}**\n\n{folded}\nNext: `{next_of(plan)}`\n"


def findings_of(plan: dict[str, Any]) -> list[Finding]:
    """Every finding of the plan, sorted."""
    raw = [*plan["findings"], *(finding for one in plan["products"] for finding in one["findings"])]
    return sorted(Finding(**{**one, "severity": Severity(one["severity"])}) for one in raw)


def blocked(plan: dict[str, Any]) -> bool:
    """Whether something of the plan cannot be published."""
    return any(finding["severity"] == "error" for finding in plan["findings"]) or plan["counts"]["blocked"] > 0


def next_of(plan: dict[str, Any]) -> str:
    """The command that goes on from here."""
    if not plan["stored"]:  # kept in the homes of those only who may publish it
        return "an owner of the domain plans and publishes it"
    ready = [one["product"] for one in plan["products"] if one["kind"] in ("new", "changed", "retire")]
    if not plan["changes"]:
        if blocked(plan):
            return "mend what blocks, and hanse plan again"
        refresh = f"; new data alone: hanse publish {plan['id']}" if plan["counts"].get("unchanged") else ""
        return f"nothing to publish{refresh}"
    if not blocked(plan):
        return f"hanse publish {plan['id']}"
    if not ready:
        return "mend, and hanse plan again"
    only = " ".join(f"--only {id}" for id in ready)
    return f"hanse publish {plan['id']} {only}, or mend and hanse plan again"
