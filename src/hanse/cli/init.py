"""`hanse init`: the first files of a mesh project."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from hanse.cli import render
from hanse.cli.state import state
from hanse.names import RESERVED_DOMAINS, is_name


@click.command("init")
@click.argument("domain", required=False)
@click.pass_context
def command(ctx: click.Context, domain: str | None) -> None:
    """Write the first files of a mesh with DOMAIN (default: the folder's name) into this folder.

    A file that is there stays as it is. You become the first owner, by your login of the operating system.
    """
    from hanse.spec.checks.identity import slug
    from hanse.spec.scaffold import first_files

    root = Path.cwd()
    name = domain or slug(root.name)
    if not is_name(name) or name in RESERVED_DOMAINS:
        error = click.UsageError(f"{name[:63]!r} cannot be the name of a domain", ctx)
        error.mend = "hanse init NAME, of lower case, digits and single underscores"  # type: ignore[attr-defined]
        raise error
    if (root / "mesh.yaml").exists() and not (root / name / "domain.yaml").exists():
        error = click.UsageError("this folder has a mesh already", ctx)
        error.mend = f"add {name}/domain.yaml with name, team and members"  # type: ignore[attr-defined]
        raise error
    login = getpass.getuser()
    wrote = [path for path, text in first_files(name, slug(login), login).items() if _created(root / path, text)]
    if state(ctx).json:
        render.document({"schema": "hanse.init/1", "domain": name, "files": wrote})
        return
    for path in wrote:
        click.echo(f"wrote  {path}")
    click.echo("\nNext: hanse validate" if wrote else "Every file is there already; nothing was written.")


def _created(path: Path, text: str) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
