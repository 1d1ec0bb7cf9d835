"""How findings are shown: as text, as JSON, or as annotations of a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256

import click

from hanse.errors import Finding, Severity

FORMATS = ("text", "json", "github", "gitlab")
_WIDTH = 120
_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_GITLAB = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}
_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}


def show(findings: Sequence[Finding], files: Mapping[str, str], format: str, *, terminal: bool, schema: str) -> None:
    """Write `findings` to stdout; `files` are the texts they stand in, for the source lines on a terminal."""
    if format == "json":
        click.echo(json.dumps(as_json(findings, files, schema), indent=2, ensure_ascii=False))
        click.echo(summary(findings, len(files)), err=True)
        return
    if format in ("github", "gitlab"):
        annotate(findings, format)
        click.echo(summary(findings, len(files)), err=True)
        return
    for finding in findings:
        click.echo("\n".join(on_terminal(finding, files.get(finding.file, ""))) if terminal else line(finding))
    click.echo(summary(findings, len(files)))


def line(finding: Finding) -> str:
    """One finding on one line: code, place, what, why, mend."""
    return f"{_code(finding)} {printable(str(finding.place))}  {_sentences(finding)}{_mend(finding)}"


def on_terminal(finding: Finding, text: str) -> Iterator[str]:
    """One finding with its source line and a caret below the place."""
    yield f"{click.style(_code(finding), fg=_COLORS[finding.severity], bold=True)} {printable(str(finding.place))}"
    yield f"  {_sentences(finding)}"
    lines = text.split("\n")
    if 0 < finding.line <= len(lines) and lines[finding.line - 1].strip():
        source = lines[finding.line - 1].rstrip("\r")
        column = min(finding.column - 1, len(source))
        # a long line is shown around its place
        start = max(0, column - _WIDTH // 2) if len(source) > _WIDTH else 0
        before = printable(source[start:column])
        shown = before + printable(source[column : start + _WIDTH])
        number = str(finding.line)
        yield f"  {click.style(f'{number} |', dim=True)} {shown}"
        yield f"  {' ' * len(number)} {click.style('|', dim=True)} {' ' * len(before)}{click.style('^', bold=True)}"
    if finding.mend:
        yield f"  mend: {printable(finding.mend)}"
    yield ""


def annotate(findings: Sequence[Finding], format: str) -> None:
    """Write `findings` to stdout as the pages of a code host show them: `github` or `gitlab`."""
    if format == "gitlab":
        click.echo(json.dumps([code_quality(finding) for finding in findings], indent=2))
        return
    for finding in findings:
        click.echo(annotation(finding))


def code_quality(finding: Finding) -> dict[str, object]:
    """One finding as an entry of a code quality report, as GitLab reads it."""
    said = _sentences(finding) + _mend(finding)
    return {
        "description": said,
        "check_name": finding.code,
        "fingerprint": sha256(f"{finding.code}\n{finding.file}\n{finding.pointer}\n{said}".encode()).hexdigest(),
        "severity": _GITLAB[finding.severity],
        "location": {"path": finding.file, "lines": {"begin": finding.line}},
    }


def annotation(finding: Finding) -> str:
    """One finding as a workflow command that GitHub shows beside the line."""
    where = f"file={_property(finding.file)},line={finding.line},col={finding.column},title={_property(finding.code)}"
    return f"::{_GITHUB[finding.severity]} {where}::{_data(_sentences(finding) + _mend(finding))}"


def as_json(findings: Sequence[Finding], files: Mapping[str, str], schema: str) -> dict[str, object]:
    """All findings as one document."""
    return {
        "schema": schema,
        "ok": not any(finding.severity is Severity.ERROR for finding in findings),
        "files": len(files),
        **{f"{severity.value}s": count(findings, severity) for severity in Severity},
        "findings": [asdict(finding) for finding in findings],
    }


def summary(findings: Sequence[Finding], files: int) -> str:
    """The last line: how many files, and what was found in them."""
    counts = [
        f"{number} {severity.value}{'s' if number != 1 else ''}"
        for severity in Severity
        if (number := count(findings, severity))
    ]
    read = f"{files} file{'s' if files != 1 else ''} read"
    return f"{read}: {', '.join(counts)}" if counts else f"{read}: nothing to mend"


def count(findings: Sequence[Finding], severity: Severity) -> int:
    """How many findings weigh as `severity`."""
    return sum(finding.severity is severity for finding in findings)


def printable(text: str) -> str:
    """`text` with everything escaped that could move the cursor or reorder what is read."""
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text).replace("\t", " ")


def _code(finding: Finding) -> str:
    return finding.code if finding.severity is Severity.ERROR else f"{finding.code} ({finding.severity.value})"


def _sentences(finding: Finding) -> str:
    parts = [part.strip().rstrip(".") for part in (finding.message, finding.why) if part]
    return printable(". ".join([*parts[:1], *(part[:1].upper() + part[1:] for part in parts[1:])]))


def _mend(finding: Finding) -> str:
    return f". Mend: {printable(finding.mend)}" if finding.mend else ""


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
