"""How an error reaches a person: one plain sentence, a blank line, what mends it, and an exit code."""

from __future__ import annotations

import hashlib
import platform
import tempfile
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from hanse import __version__
from hanse.cli.findings import printable
from hanse.cli.state import State
from hanse.client.errors import HanseError as NodeError
from hanse.errors import HanseError, Kind, code
from hanse.names import nearest

FINDINGS, USAGE, REFUSED, UNREACHABLE, MOVED, FAULT, INTERRUPTED = 1, 2, 3, 4, 5, 70, 130
USAGE_CODE = code(
    "cli.usage", Kind.INVALID, "The command was called wrongly",
    "An option, an argument or a verb is not one of those the command has; nothing was done.",
    "Look at the command's own list: hanse VERB --help.",
)  # fmt: skip
# a conflict is a state that refuses what was asked; only a world that moved since the plan is 5
_BY_CODE = {
    "plan.out-of-date": MOVED,
    "publish.moved": MOVED,
    "run.cancelled": INTERRUPTED,
    "build.cancelled": INTERRUPTED,
    "test.cancelled": INTERRUPTED,
    "home.locked": UNREACHABLE,
    "serve.address-taken": USAGE,
    "demo.other-folder": USAGE,
    "source.checksum": FINDINGS,
}
_BY_KIND = {
    "invalid": USAGE,
    "not-found": USAGE,
    "denied": REFUSED,
    "unavailable": UNREACHABLE,
    "conflict": REFUSED,
    "failed": FAULT,
}
# errors about a project's files or data, whatever their kind
_FINDINGS = ("walk.", "plan.blocked", "contract.", "product.", "build.", "test.", "policy.", "compat.", "version.")


def exit_code(kind: str, slug: str) -> int:
    """The exit code of an error (ux §5)."""
    if slug in _BY_CODE:
        return _BY_CODE[slug]
    if kind == "invalid" and slug.startswith(_FINDINGS):
        return FINDINGS
    return _BY_KIND.get(kind, FAULT)


def tell(error: Exception, words: Sequence[str], flags: State) -> int:
    """Show `error` on stderr and return the exit code."""
    if flags.debug:
        traceback.print_exception(error)
    if isinstance(error, click.ClickException):
        return _usage(error, words, flags)
    if isinstance(error, HanseError):
        return _problem({"kind": error.kind.value, **error.as_problem()}, flags)
    if isinstance(error, NodeError):
        return _problem(error.problem, flags)
    return _fault(error, words, flags)


def _problem(problem: dict[str, Any], flags: State) -> int:
    slug, kind = str(problem.get("code", "hanse.failed")), str(problem.get("kind", "failed"))
    if flags.json:
        _document(problem)
    findings = problem.get("findings")
    if findings and not flags.json:
        from hanse.cli.findings import line
        from hanse.errors import Finding, Severity

        for finding in findings:
            click.echo(line(Finding(**{**finding, "severity": Severity(finding["severity"])})), err=True)
        click.echo("", err=True)
    where = f"{problem['where']}  " if problem.get("where") else ""
    click.echo(printable(f"{slug}  {where}{problem.get('detail', '')}"), err=True)
    if why := problem.get("why"):
        click.echo(printable(f"why: {why}"), err=True)
    if mend := problem.get("mend"):
        click.echo(f"\nmend: {printable(str(mend))}", err=True)
    return exit_code(kind, slug)


def _document(problem: dict[str, Any]) -> None:
    import json

    click.echo(json.dumps({"schema": "hanse.error/1", **problem}, indent=2, default=str))


def _usage(error: click.ClickException, words: Sequence[str], flags: State) -> int:
    context = getattr(error, "ctx", None)
    mend = getattr(error, "mend", None)
    if mend is None and isinstance(error, click.NoSuchOption) and context is not None:
        known = context.command.params
        own = [
            parameter for parameter in known if not getattr(parameter, "hidden", False)
        ]  # before those of every verb
        near = _flags_near(error.option_name, own) or _flags_near(error.option_name, known)
        error = click.NoSuchOption(error.option_name, possibilities=near, ctx=context)
        mend = f"{context.command_path} {near[0]}" if near else None
    if mend is None:
        mend = f"{context.command_path} --help" if context is not None else f"{_verb(words)} --help"
    if flags.json or "--json" in words:  # the flags themselves may not have been read
        _document({"kind": "invalid", "code": USAGE_CODE, "detail": error.format_message(), "mend": mend})
    click.echo(f"{error.format_message().rstrip('.')}\n\nmend: {mend}", err=True)
    return USAGE


def _flags_near(name: str, parameters: Iterable[click.Parameter]) -> list[str]:
    return nearest(name, [flag for parameter in parameters for flag in parameter.opts], 1)


def _verb(words: Sequence[str]) -> str:
    """`hanse VERB` as it was called; `hanse` where no verb can be told."""
    from hanse.cli.main import VERBS

    verbs = {verb for group in VERBS.values() for verb in group}
    return " ".join(["hanse", *[word for word in words if word in verbs][:1]])


def _fault(error: Exception, words: Sequence[str], flags: State) -> int:
    report = _report(error, words)
    if flags.json:
        detail = f"a fault in hanse: {type(error).__name__}"
        _document({"kind": "failed", "code": "hanse.failed", "detail": detail, "mend": f"report it with {report}"})
    click.echo(f"hanse.failed  a fault in hanse: {type(error).__name__}", err=True)
    click.echo(f"\nmend: report it with {report}; the same call with --debug shows more", err=True)
    return FAULT


def _report(error: Exception, words: Sequence[str]) -> Path:
    # kinds and places only: messages, arguments and locals may hold data or secrets
    package = str(Path(__file__).parent.parent)
    lines = [
        f"hanse {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        f"verb: {next((word for word in words if not word.startswith('-')), '')[:20]!r}",
    ]
    cause: BaseException | None = error
    while cause is not None and len(lines) < 200:
        lines.append(f"{type(cause).__module__}.{type(cause).__qualname__}")
        for frame in traceback.extract_tb(cause.__traceback__):
            file = frame.filename.replace(package, "hanse")
            lines.append(f"  {file.split('site-packages/')[-1]}:{frame.lineno} {frame.name}")
        cause = cause.__cause__ or cause.__context__
    text = "\n".join(lines) + "\n"
    name = f"hanse-fault-{hashlib.sha256(text.encode()).hexdigest()[:8]}-"
    with tempfile.NamedTemporaryFile("w", prefix=name, suffix=".txt", delete=False) as report:
        report.write(text)
    return Path(report.name)
