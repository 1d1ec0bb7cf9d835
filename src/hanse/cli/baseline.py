"""`hanse test --baseline`: write what a team accepts for a while into baseline.yaml beside the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click

from hanse.cli.edits import difference, write
from hanse.cli.transport import read_bundle
from hanse.node.contract_tests.accepted import measure
from hanse.spec import document
from hanse.spec.baseline import FILE
from hanse.spec.pointer import pointer


def accepted(root: Path, results: Sequence[Mapping[str, Any]], why: str, until: str, *, quiet: bool) -> int:
    """Accept every failing rule of `results` that measures something, until a day; exit code 1 when one cannot be."""
    day = _day(until)
    failing = [one for one in results if one["status"] in ("fail", "error")]
    counted = [one for one in failing if one["status"] == "fail" and measure(one) is not None]
    before = read_bundle(root)
    after = dict(before)
    for one in counted:
        file = f"{one['place']['file'].rpartition('/')[0]}/{FILE}"
        entry = {"rule": one["id"], "count": measure(one), "why": why, "until": day.isoformat()}
        after[file] = _with(after.get(file), file, entry)
    click.echo(difference(before, after), err=quiet)
    write(root, before, after)
    for one in failing:
        if one not in counted:
            click.echo(f"not accepted  {one['id']}  it measures nothing: {one['found'] or one['message']}", err=True)
    accepted_of = f"{len(counted)} of {len(failing)} failing rules" if failing else "Nothing fails, so nothing"
    click.echo(f"{accepted_of} accepted until {day}. Next: hanse test", err=True)
    return 0 if len(counted) == len(failing) else 1


def _with(text: str | None, file: str, entry: Mapping[str, Any]) -> str:
    """The file with `entry` in it, in place of an earlier one of the same rule."""
    loaded = document.load(text, file)[0] if text is not None else None
    listed = loaded.tree.get("accepted") if loaded is not None and isinstance(loaded.tree, dict) else None
    if loaded is None or not isinstance(listed, list) or not listed:
        import yaml

        told = "# failing rules that are accepted for a while, at most as bad as they are: hanse test --baseline\n"
        return told + yaml.safe_dump({"accepted": [dict(entry)]}, sort_keys=False, allow_unicode=True, width=120)
    rules = [one.get("rule") if isinstance(one, dict) else None for one in listed]
    at = str(rules.index(entry["rule"])) if entry["rule"] in rules else "-"
    return document.edit(loaded, {pointer("accepted", at): dict(entry)}).text


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text[:40]!r} is no day; write 2027-01-31", param_hint="--until") from None
