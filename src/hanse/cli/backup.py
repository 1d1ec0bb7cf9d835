"""`hanse backup`: a copy of the project's homes, made while they are served."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hanse.cli import render
from hanse.cli.state import state

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("backup")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--verify", is_flag=True, help="Make none: read the backup that is there and check every file of it.")
@click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File (mode 600) whose first line seals the keys; default: ask.",
)
@click.pass_context
def command(ctx: click.Context, folder: Path, verify: bool, passphrase_file: Path | None) -> None:
    """Copy the project's homes into DIR: stores, keys (sealed), data. Again into the same DIR, only what is new.

    Run it on the node's machine, as the user who owns the homes. The former backup in DIR stays until the new one is
    whole. Data lies there as it lies in the homes: keep DIR as safe as them.
    """
    from hanse.node.backups.folder import BackupFolder

    if verify:
        manifest = BackupFolder(folder).manifest()
        files = [file for found in manifest.homes.values() for file in found]
        BackupFolder(folder).verify(files)
        size = sum({file.sha256: file.size for file in files}.values())
        if state(ctx).json:
            told = {"schema": "hanse.backup-verified/1", "ok": True, "at": manifest.at, "domains": list(manifest.homes)}
            render.document({**told, "files": len(files), "bytes": size})
            return
        what = f"{render.counted(len(files), 'file')}, {render.size(size)}"
        click.echo(f"ok    {', '.join(manifest.homes)}   {what}, every one as it was copied {render.ago(manifest.at)}")
        return
    from hanse.app import clock, settings_of
    from hanse.node.backups.make import backup

    root = state(ctx).root
    settings = settings_of(root)
    phrase = passphrase(passphrase_file, confirm=True)
    done = backup(homes_of(root, settings.homes), settings.stores, folder, phrase, clock)
    if state(ctx).json:
        render.document(
            {
                "schema": "hanse.backup-made/1",
                "domains": list(done.domains),
                "files": done.files,
                "bytes": done.size,
                "new_files": done.new_files,
                "new_bytes": done.new_size,
            }
        )
        return
    click.echo(f"Backed up {', '.join(done.domains)}: {render.counted(done.files, 'file')}, {render.size(done.size)}")
    click.echo(f"copied now: {render.counted(done.new_files, 'file')}, {render.size(done.new_size)}")
    render.talk(f"\nNext: hanse backup {folder} --verify")


def homes_of(root: Path, listed: tuple[Path, ...]) -> dict[str, Path]:
    """The homes of the project by domain: those that its settings list, else all of it."""
    from hanse.node.node import domain_of

    own = sorted((root / ".hanse" / "homes").glob("*"))
    return {domain_of(home): home for home in listed or own if (home / "key").is_file()}


def passphrase(file: Path | None, *, confirm: bool) -> str:
    """The passphrase of `file`, or as typed at the terminal."""
    from hanse.node.backups.sealed import of_file

    if file is not None:
        return of_file(file)
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for the passphrase: name --passphrase-file FILE")
    typed: str = click.prompt("Passphrase of the keys", hide_input=True, confirmation_prompt=confirm, err=True)
    return typed
