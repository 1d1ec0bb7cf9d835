"""`hanse validate`: files by themselves, or a project with its links."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click

from hanse.cli.findings import FORMATS, show
from hanse.cli.state import state
from hanse.errors import Finding, rejects

_DESCRIPTORS = (".odcs.yaml", ".odcs.yml", ".odps.yaml", ".odps.yml", ".odcs.json", ".odps.json")
_MARKS = ("mesh.yaml", "domain.yaml")
_READ = (1 << 20) + 1  # one byte more than is read of a descriptor, so that a larger file is known to be one


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True, help="How findings are shown."
)
@click.option("--fix", is_flag=True, help="Mend what has one right answer in a project, and show the difference.")
@click.pass_context
def command(ctx: click.Context, paths: tuple[Path, ...], format_: str, fix: bool) -> None:
    """Check descriptors: schema of the standard, then everything that can be decided without data.

    Files are checked each by itself. A folder with mesh.yaml or domain.yaml is a project and is checked with its
    links; without a PATH it is the nearest one. Opens no other file and no network. Exit 1: errors were found.

    --fix derives input ports and what output ports are made from, from the transforms; takes over the versions of
    contracts; and spells keys as the standard does. Comments stay. Versions are moved by `hanse bump`.
    """
    from hanse.node.steps.validate import validate_files, validate_project

    flags = state(ctx)
    if flags.json:
        format_ = "json"
    roots = [path for path in paths if path.is_dir() and any((path / mark).is_file() for mark in _MARKS)]
    if not paths:
        roots = [flags.root]
    if fix:
        if any(path not in roots for path in paths):
            raise click.UsageError("--fix mends projects: name a folder with mesh.yaml or domain.yaml", ctx)
        for root in roots:
            _fix(root, quiet=format_ != "text")
    named = _read(_descriptors(path for path in paths if path not in roots))
    findings = validate_files(named)
    texts = {name: data.decode("utf-8", "replace") for name, data in named.items()}
    for root in roots:
        from hanse.cli.transport import read_bundle

        bundle = read_bundle(root)
        prefix = _shown(root)
        found = validate_project(bundle)
        findings += [_below(prefix, finding) for finding in found]
        texts |= {prefix + name: text for name, text in bundle.items()}
    if not texts:
        raise click.UsageError("nothing to validate: no descriptor in the named folders", ctx)
    terminal = format_ == "text" and sys.stdout.isatty()
    show(sorted(findings), texts, format_, terminal=terminal, schema="hanse.validate/1")
    if rejects(findings):
        ctx.exit(1)


def _fix(root: Path, *, quiet: bool) -> None:
    from hanse.cli.edits import difference, write
    from hanse.cli.transport import read_bundle
    from hanse.spec.fixes import fixed

    before = read_bundle(root)
    after, done = fixed(before)
    if not done:
        return
    click.echo(difference(before, after), err=quiet)
    write(root, before, after)
    for one in done:
        click.echo(f"fixed  {one.file}  {one.what}", err=True)


def _below(prefix: str, finding: Finding) -> Finding:
    return replace(finding, file=prefix + finding.file)


def _shown(root: Path) -> str:
    """How files below `root` are named: relative to here when they lie below, else by the path that was given."""
    relative = os.path.relpath(root)
    if relative == ".":
        return ""
    return f"{root if relative.startswith('..') else relative}/"


def _descriptors(paths: Iterable[Path]) -> list[Path]:
    """The files named, and of folders the descriptors below them."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        for folder, names, files in os.walk(path):
            names[:] = sorted(name for name in names if not name.startswith("."))
            found += [Path(folder, name) for name in sorted(files) if name.endswith(_DESCRIPTORS)]
    return list(dict.fromkeys(found))


def _read(paths: Iterable[Path]) -> dict[str, bytes]:
    texts: dict[str, bytes] = {}
    for path in paths:
        try:
            with path.open("rb") as file:
                texts[str(path)] = file.read(_READ)
        except OSError as error:
            raise click.UsageError(f"{path} cannot be read: {error.strerror}") from None
    return texts
