"""`hanse test`: is the data as the contract promises? Of a project's products, or of one contract alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from hanse.cli.files import must_take
from hanse.cli.report_lines import first, lines, summary
from hanse.cli.state import state
from hanse.errors import HanseError, Kind, code
from hanse.names import nearest

NO_RULE = code(
    "test.no-such-rule", Kind.NOT_FOUND, "--only matches no rule",
    "Nothing was tested, and nothing tested is never success.", "Use the name of a rule, a column or a kind of check.",
)  # fmt: skip
NOTHING = code(
    "test.nothing-tested", Kind.NOT_FOUND, "Nothing was tested",
    "No check could be run, and nothing tested is never success.", "Look at what was not run, and why.",
)  # fmt: skip


class NoSuchRule(HanseError):
    kind = Kind.NOT_FOUND
    code = NO_RULE

    def __init__(self, names: Sequence[str], known: Sequence[str], what: str) -> None:
        near = [word for name in names for word in nearest(name, known, 1)]
        super().__init__(
            f"--only {' '.join(names)} matches no rule of {what}. Nothing was tested",
            mend=f"--only {near[0]}" if near else f"one of: {', '.join(list(dict.fromkeys(known))[:12])}",
        )


class NothingTested(HanseError):
    kind = Kind.NOT_FOUND
    code = NOTHING

    def __init__(self, why: str) -> None:
        super().__init__("nothing was tested" + (f": {why}" if why else ""), mend="look at what was not run, and why")


@click.command("test")
@click.argument("ids", nargs=-1, metavar="[ID…]")
@click.option("--contract", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Test the data of this contract's servers, without a project.")  # fmt: skip
@click.option("--server", metavar="NAME", help="With --contract: which of its servers; else the first that is read.")
@click.option("--credentials", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="With --contract: users and passwords by server (INI, mode 600).")  # fmt: skip
@click.option("--strict", is_flag=True, help="Fail on rules that could not be run, too.")
@click.option("--only", multiple=True, metavar="RULE", help="Only rules, columns or kinds of this name; repeatable.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Also write JUnit XML.")
@click.option("--baseline", is_flag=True, help="Accept the failing rules as bad as they are: writes baseline.yaml.")
@click.option("--why", help="With --baseline: why they are accepted.")
@click.option("--until", metavar="DATE", help="With --baseline: the last day on which they are.")
@click.pass_context
def command(
    ctx: click.Context,
    ids: tuple[str, ...],
    contract: Path | None,
    server: str | None,
    credentials: Path | None,
    strict: bool,
    only: tuple[str, ...],
    junit: Path | None,
    baseline: bool,
    why: str | None,
    until: str | None,
) -> int:
    """Test data against its contract: types, rules, keys, relationships, service levels.

    Products are tested as staged by `hanse build`, else as published. Exit 1 when a rule of severity error fails,
    2 when nothing was tested. --json prints OORS, the results format of Bitol.
    """
    if contract is not None and ids:
        raise click.UsageError("--contract tests a file, not products of the project", ctx)
    if contract is None and (server or credentials):
        raise click.UsageError("--server and --credentials go with --contract", ctx)
    if baseline != (why is not None) or baseline != (until is not None) or (baseline and contract is not None):
        raise click.UsageError("--baseline, --why and --until go together, for products of the project", ctx)
    if junit is not None:
        must_take(junit)
    if contract is not None:
        reports = [_alone(contract, server, credentials, strict, only)]
    else:
        reports = _of_project(ctx, ids, strict, only)
    if junit is not None:
        from hanse.cli.junit import xml

        junit.write_bytes(xml([report for report, _ in reports]))
    results = [r for report, _ in reports for table in report["tables"] for r in table["results"]]
    if state(ctx).json:
        _print_json(reports)
    else:
        _print(reports, results, strict=strict, project=contract is None)
    if baseline:
        from hanse.cli.baseline import accepted

        return accepted(state(ctx).root, results, str(why), str(until), quiet=state(ctx).json)
    tried = [r for r in results if r["status"] != "not-run"]
    if not tried and not (strict and results):
        raise NothingTested(str(results[0]["message"]) if results else "")
    bad = ("fail", "error", "not-run") if strict else ("fail", "error")
    return 1 if any(r["status"] in bad for r in results) else 0


def _alone(
    path: Path, server: str | None, credentials: Path | None, strict: bool, only: tuple[str, ...]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The report of one contract on its own server; the caller is the operator, so what rows hold is shown."""
    import os
    from datetime import UTC, datetime

    from hanse.engine.rules import wire
    from hanse.engine.rules.alone import check_contract
    from hanse.engine.rules.choose import chooser

    known: list[str] = []
    report = check_contract(
        path.read_text(encoding="utf-8", errors="surrogateescape"),
        path,
        {name: value for name, value in os.environ.items() if name.startswith(("HANSE_SERVER_", "HANSE_VARIABLE_"))},
        clock=lambda: datetime.now(UTC),
        server=server,
        credentials=credentials,
        only=chooser(only, known),
    )
    if only and not report.results:
        raise NoSuchRule(only, known, report.contract_id)
    return wire.value(report, strict=strict), wire.samples(report.samples)


def _of_project(
    ctx: click.Context, ids: tuple[str, ...], strict: bool, only: tuple[str, ...]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The reports of the project's products, as the node gives them to this person."""
    from hanse.cli.transport import bundle, connect
    from hanse.names import ProductId

    body = {
        "files": bundle(ctx),
        "products": [str(ProductId.parse(name)) for name in ids] or None,
        "strict": strict,
        "only": list(only),
    }
    client = connect(ctx)
    answer = client.run("/test", body, _tell if sys.stderr.isatty() else _quiet)
    if only and not any(table["results"] for report in answer["reports"] for table in report["tables"]):
        raise NoSuchRule(only, answer.get("known", []), ", ".join(ids) or "the project")
    return [(report, report.get("samples", {})) for report in answer["reports"]]


def _print_json(reports: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
    import json

    from hanse.engine.rules.oors import document

    documents = [document(report, samples) for report, samples in reports]
    shown = documents[0] if len(documents) == 1 else {"schema": "hanse.test/1", "reports": documents}
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False, default=str))


def _print(
    reports: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    results: Sequence[Mapping[str, Any]],
    *,
    strict: bool,
    project: bool,
) -> None:
    for index, (report, samples) in enumerate(reports):
        click.echo(("\n" if index else "") + first(report))
        for line in lines(report, samples, rows_of=report.get("address") if project else None):
            click.echo(line)
    click.echo(summary(results, strict=strict))


def _tell(event: Mapping[str, Any]) -> None:
    click.echo(f"  {event.get('text', '')}", err=True)


def _quiet(event: Mapping[str, Any]) -> None:
    return
