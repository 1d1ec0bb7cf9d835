"""`hanse init`: the first files of a mesh project, or of one more domain in it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import click

from hanse.cli import render
from hanse.cli.files import created
from hanse.cli.state import state
from hanse.names import RESERVED_DOMAINS, is_name

_POLICIES = ("columns_classified", "owner_and_support", "primary_key_stated", "purpose_described", "sensitive_masked")


@click.command("init")
@click.argument("domain", required=False)
@click.option("--support", default="", metavar="URL", help="Where readers of its products get help.")
@click.pass_context
def command(ctx: click.Context, domain: str | None, support: str) -> None:
    """Write the first files of a mesh with DOMAIN (default: the folder's name) into this folder.

    In a mesh it adds DOMAIN. A file that is there stays as it is. You become the owner, by your login of the
    operating system.
    """
    from hanse.spec.checks.identity import slug

    root = (state(ctx).dir or Path.cwd()).resolve()
    above = state(ctx).find_root()
    if above not in (None, root):
        raise _usage(ctx, f"this folder belongs to the project in {above}", f"cd {above}, then hanse init DOMAIN")
    if above is not None and domain is None:
        _told(ctx, "", [], "This folder has a mesh already; nothing was written. Next: hanse init DOMAIN adds a domain")
        return
    name = domain or slug(root.name)
    if not is_name(name) or name in RESERVED_DOMAINS:
        near = slug(name) if slug(name) not in RESERVED_DOMAINS else f"{slug(name)}_data"
        raise _usage(ctx, f"{name[:63]!r} cannot be the name of a domain", f"hanse init {near}")
    texts = _first(name, support) if above is None else _added(ctx, root, name, support)
    wrote = [path for path, text in texts.items() if created(root / path, text)]
    team = f"add the team {name} to people.yaml, then " if above is not None else ""
    said = f"Next: {team}hanse new product NAME --from FILE, a folder or a table"
    _told(ctx, name, wrote, said if wrote else "Every file is there; nothing was written.")


def _first(domain: str, support: str) -> dict[str, str]:
    from hanse.spec.checks.identity import slug
    from hanse.spec.scaffold import first_files

    starter = files("hanse.governance") / "policies" / "publish"
    policies = {f"policies/publish/{one}.sql": (starter / f"{one}.sql").read_text("utf-8") for one in _POLICIES}
    return policies | first_files(domain, slug(_login()), _login(), support)


def _added(ctx: click.Context, root: Path, domain: str, support: str) -> Mapping[str, str]:
    from hanse.cli.local import person_of_login
    from hanse.spec.scaffold import domain_files

    if (root / domain / "domain.yaml").exists():
        return {}
    person = person_of_login(root, _login())
    if person is None:
        mend = f"add `login: {_login()}` to your person in people.yaml"
        raise _usage(ctx, f"no person in people.yaml has the login {_login()!r}", mend)
    return domain_files(domain, person, support)


def _login() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _usage(ctx: click.Context, text: str, mend: str) -> click.UsageError:
    error = click.UsageError(text, ctx)
    error.mend = mend  # type: ignore[attr-defined]
    return error


def _told(ctx: click.Context, domain: str, wrote: list[str], text: str) -> None:
    if state(ctx).json:
        render.document({"schema": "hanse.init/1", "domain": domain, "files": wrote})
        return
    for path in wrote:
        click.echo(f"wrote  {path}")
    click.echo(f"\n{text}" if wrote else text)
