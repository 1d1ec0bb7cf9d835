"""The inner loop: whenever a file of the project is saved, build, and show the first rows of what was made."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from hanse.cli import render
from hanse.cli.state import State
from hanse.cli.transport import read_bundle

if TYPE_CHECKING:
    from hanse.client import Client

_LOOK_SECONDS = 0.1
_ROWS = 10


def watched(root: Path, client: Client, body: Mapping[str, Any]) -> NoReturn:
    """Build what `body` asks for now and after every change below `root`, until Ctrl C."""
    known: dict[str, str] | None = None
    while True:
        files = _read(root)
        if files is not None and files != known:
            known = files
            _round(client, {**body, "files": files})
            click.echo(f"Watching {root}; Ctrl C stops.", err=True)
        time.sleep(_LOOK_SECONDS)


def _read(root: Path) -> dict[str, str] | None:
    """The project's texts; None while somebody is writing them."""
    from hanse.errors import HanseError

    try:
        return read_bundle(root)
    except (HanseError, OSError):
        return None


def _round(client: Client, body: Mapping[str, Any]) -> None:
    from hanse.cli.build import print_report
    from hanse.cli.failures import tell
    from hanse.client import HanseError as NodeError

    since = time.perf_counter()
    try:
        result = client.run("/build", body)
        print_report(result)
        for table in result["tables"]:
            if table["state"] == "built":
                _rows(client, table)
    except NodeError as error:
        tell(error, ["build"], State())
    click.echo(f"{render.took(time.perf_counter() - since)}", err=True)


def _rows(client: Client, table: Mapping[str, Any]) -> None:
    sql = f"SELECT * FROM {table['table']}"
    with client.stream("POST", "/query", {"sql": sql, "staged": True, "limit": _ROWS}) as reply:
        answer = json.loads(reply.text())
    names = [column["name"] for column in answer["columns"]]
    lines = render.table(names, answer["rows"], masked=answer.get("masked", ()), width=render.columns_of_terminal())
    click.echo("\n".join(["", *lines]))
