"""`hanse serve`: run a node for the project's domains."""

from __future__ import annotations

from pathlib import Path

import click

from hanse.cli.state import state


@click.command("serve")
@click.argument("homes", nargs=-1, type=click.Path(file_okay=False, path_type=Path), metavar="[HOME…]")
@click.option("--host", help="Default: 127.0.0.1, or what .hanse/node.yaml says. Elsewhere than loopback needs TLS.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: 8470, or what .hanse/node.yaml says.")
@click.pass_context
def command(ctx: click.Context, homes: tuple[Path, ...], host: str | None, port: int | None) -> int:
    """Open HOMEs, or all of the project, and answer until Ctrl C or SIGTERM; what was begun is finished first."""
    from hanse.app import serve

    def ready(address: str, domains: list[str]) -> None:
        click.echo(f"Serving {', '.join(domains) or 'no domain yet'} at {address}     stop: Ctrl C", err=True)

    root = state(ctx).root
    homes = tuple(_home(root, home) for home in homes)
    serve(root, homes=homes, host=host, port=port, ready=ready)
    return 0


def _home(root: Path, named: Path) -> Path:
    """The home that `named` means: a folder, or a domain of the project by its name."""
    own = root / ".hanse" / "homes" / named.name
    if len(named.parts) == 1 and own.is_dir():
        return own
    if named.is_dir() and any(named.iterdir()) and not (named / "store.db").is_file():
        raise click.UsageError(f"{named} is a folder of other files, not a home; homes lie in {own.parent}")
    return named
