"""`hanse compat OLD NEW`: what changed between two contracts, and whether the version says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hanse.cli.findings import line, printable
from hanse.cli.state import state
from hanse.errors import Finding, Place, RejectedError, Severity, rejects

if TYPE_CHECKING:
    from hanse.spec.compat import Change
    from hanse.spec.model import Contract

_COLORS = {"major": "red", "minor": "green", "patch": None}
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("old", metavar="OLD", type=_FILE)
@click.argument("new", metavar="NEW", type=_FILE)
@click.pass_context
def command(ctx: click.Context, old: Path, new: Path) -> None:
    """Compare two contracts (ODCS files): every change as major, minor or patch, with its reason.

    Says also whether NEW's version moved as far as the changes ask. Exit 1: it did not, or a file has errors.
    """
    from hanse.spec.compat import changes, version_findings

    before, after = _read(old), _read(new)
    found = changes(before, after, _classifications(ctx))
    findings = version_findings(before, after, found)
    step = max(found, key=lambda change: change.step).step.name.lower() if found else "none"
    if state(ctx).json:
        document = {
            "schema": "hanse.compat/1",
            "old": {"file": str(old), "version": before.version_text},
            "new": {"file": str(new), "version": after.version_text},
            "step": step,
            "changes": [_json(change) for change in found],
            "findings": [asdict(finding) for finding in findings],
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _show(before, after, found, findings, step)
    if rejects(findings):
        ctx.exit(1)


def _read(path: Path) -> Contract:
    from hanse.spec import document, read
    from hanse.spec.validate import file_findings, is_contract

    try:
        with path.open("rb") as file:
            text = file.read((1 << 20) + 1)  # one byte more than is read of a descriptor
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}") from None
    loaded, findings = document.load(text, str(path))
    contract = None
    if loaded is not None and is_contract(loaded.tree):
        contract, findings = read.contract(loaded)
    elif loaded is not None:
        findings = file_findings(text, str(path))
    if contract is None or rejects(findings):
        wrong = [f for f in findings if f.severity is Severity.ERROR]
        raise RejectedError("compat", wrong or [_no_contract(path)])
    return contract


def _no_contract(path: Path) -> Finding:
    from hanse.spec.schema.check import KIND

    return Finding.at(Place(str(path)), KIND, "this is no contract", mend="name two files of kind: DataContract")


def _classifications(ctx: click.Context) -> tuple[str, ...]:
    """The classes of the project around here, in order; the usual ones where there is none."""
    from hanse.spec.mesh_file import CLASSIFICATIONS
    from hanse.spec.project import project

    root = state(ctx).find_root()
    file = root / "mesh.yaml" if root is not None else None
    if file is None or not file.is_file():
        return CLASSIFICATIONS
    mesh = project({"mesh.yaml": file.read_text(encoding="utf-8", errors="replace")})[0].mesh
    return mesh.classifications if mesh is not None else CLASSIFICATIONS


def _show(before: Contract, after: Contract, found: Sequence[Change], findings: Sequence[Finding], step: str) -> None:
    for change in found:
        word = change.step.name.lower()
        at = ".".join(part for part in (change.table, change.column) if part)
        what = printable(f"{change.what.replace('-', ' ')} {at}".strip())
        step_shown = click.style(f"{word:<5}", fg=_COLORS[word])
        click.echo(f"{step_shown}  {what:<44}  {printable(change.reason)}  {printable(str(change.place))}")
    versions = f"{before.version_text} -> {after.version_text}"
    said = {"none": "nothing changed", "major": "breaking", "minor": "compatible", "patch": "compatible"}[step]
    click.echo(f"{printable(versions)}  {said}" + (f" ({step})" if found else ""))
    for finding in findings:
        # breaking changes are listed above; told again is only what is wrong with the version
        if finding.severity is Severity.ERROR and not finding.code.startswith("compat."):
            click.echo(line(finding), err=True)
    breaking = [finding for finding in findings if finding.code == "compat.breaking-under-minor"]
    if breaking:
        click.echo(f"mend: {breaking[0].mend}", err=True)


def _json(change: Change) -> dict[str, object]:
    return {
        "step": change.step.name.lower(),
        "what": change.what,
        "table": change.table or None,
        "column": change.column,
        "reason": change.reason,
        "place": asdict(change.place),
    }
