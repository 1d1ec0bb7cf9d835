"""`hanse doctor`: find and explain what is wrong."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from hanse.cli import render
from hanse.cli.failures import FINDINGS
from hanse.cli.state import State, state

_PARTS = ("duckdb", "pyarrow", "pyiceberg", "sqlalchemy", "cedarpy", "fastapi", "uvicorn")
_PORTS = (8470, 8471, 8472)
_LEAST_FREE = 1024**3


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing looked at."""

    state: str  # ok | warn | fail
    text: str
    mend: str = ""


@click.command("doctor")
@click.pass_context
def command(ctx: click.Context) -> int:
    """Look at this machine, the project and its homes, and say what is wrong and how to mend it."""
    flags = state(ctx)
    signs = [*_signs(flags), *_audits(ctx)]
    if flags.json:
        render.document({"schema": "hanse.doctor/1", "signs": [asdict(sign) for sign in signs]})
    else:
        for sign in signs:
            click.echo(f"  {sign.state:<5} {sign.text}")
            if sign.mend:
                click.echo(f"        mend: {sign.mend}")
    return FINDINGS if any(sign.state == "fail" for sign in signs) else 0


def _signs(flags: State) -> Iterator[Sign]:
    yield Sign("ok", f"Python {sys.version.split()[0]}")
    missing = [name for name in _PARTS if importlib.util.find_spec(name) is None]
    if missing:
        yield Sign("fail", f"missing: {', '.join(missing)}", "pip install --force-reinstall hanse")
    else:
        yield Sign("ok", ", ".join(_PARTS))
    root = flags.find_root()
    if root is None:
        yield Sign("warn", "no project here", "cd to a folder with mesh.yaml or domain.yaml, or add --dir")
        return
    yield Sign("ok", f"project {root}")
    free = shutil.disk_usage(root).free
    if free < _LEAST_FREE:
        yield Sign("fail", f"{free / 1e9:.1f} GB free on its disk", "make room: builds and copies need it")
    else:
        yield Sign("ok", f"{free / 1e9:.0f} GB free on its disk")
    yield from _homes(root)
    yield from _addresses(root)


def _homes(root: Path) -> Iterator[Sign]:
    homes = sorted((root / ".hanse" / "homes").glob("*/"))
    if not homes:
        yield Sign("warn", "no home yet", "hanse plan makes them")
    for home in homes:
        key = home / "key"
        if not key.is_file():
            yield Sign("fail", f"home {home.name} has no key", "put back the home from its backup")
        elif key.stat().st_mode & 0o077:
            yield Sign("fail", f"the key of home {home.name} may be read by others", f"chmod 600 {key}")
        else:
            yield Sign("ok", f"home {home.name}")


def _audits(ctx: click.Context) -> Iterator[Sign]:
    """The audit of each home that the caller may read, checked; nothing where they may read none."""
    from hanse.cli.transport import connect
    from hanse.client import HanseError as Told
    from hanse.errors import HanseError

    root = state(ctx).find_root()
    if root is None or not any((root / ".hanse" / "homes").glob("*/key")):
        return
    try:
        told = connect(ctx).get("/audit/verify")
    except (Told, HanseError) as error:
        yield Sign("warn", f"the audits were not checked: {error.message}", error.mend or "hanse audit verify")
        return
    for home in told["homes"]:
        if home["ok"]:
            yield Sign("ok", f"audit of {home['domain']}: {render.amount(home['entries'])} entries")
        for fault in home["faults"]:
            yield Sign("fail", f"audit of {home['domain']}: {fault}", "hanse audit verify; compare with a backup")


def _addresses(root: Path) -> Iterator[Sign]:
    from hanse.cli.local import holder
    from hanse.client import Client, HanseError

    address = holder(root)
    if address is not None:
        try:
            Client(address, None, timeout=5).get("/ready")
            yield Sign("ok", f"the node at {address} is ready")
        except HanseError as error:
            yield Sign("fail", f"the node at {address} holds the homes and is not ready: {error.message}", "restart it")
        return
    from hanse.protocols.http.listen import is_free

    taken = [port for port in _PORTS if not is_free("127.0.0.1", port)]
    if taken:
        yield Sign("warn", f"port {taken[0]} is taken by another program", "hanse serve --port P")
    else:
        yield Sign("ok", "addresses 8470-8472 free")
