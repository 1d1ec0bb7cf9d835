"""`hanse restore`: make homes from a backup, in a project that has none of them."""

from __future__ import annotations

from pathlib import Path

import click

from hanse.cli import render
from hanse.cli.backup import FOLDER, passphrase
from hanse.cli.state import state


@click.command("restore")
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File (mode 600) whose first line opens the keys; default: ask.",
)
@click.pass_context
def command(ctx: click.Context, folder: Path, passphrase_file: Path | None) -> None:
    """Make the homes of the backup in DIR below the project's .hanse/homes, all or none; never over one."""
    from hanse.app import settings_of
    from hanse.node.backups.restore import restore

    root = state(ctx).root
    homes = root / ".hanse" / "homes"
    done = restore(folder, homes, settings_of(root).stores, passphrase(passphrase_file, confirm=False))
    if state(ctx).json:
        told = {"schema": "hanse.restored/1", "at": done.at, "domains": list(done.domains)}
        render.document({**told, "files": done.files, "bytes": done.size})
        return
    click.echo(f"Restored {', '.join(done.domains)} as of {done.at}: {render.counted(done.files, 'file')}")
    render.talk("\nNext: hanse audit verify; hanse status")
