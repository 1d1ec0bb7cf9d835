"""Ids that a person types: one word, which goes into the path of a call as it is."""

from __future__ import annotations

import click


def one_id(text: str, verb: str) -> str:
    """`text` when it can be an id of what `verb` lists. Raises `click.BadParameter`."""
    if not text.replace("-", "").replace("_", "").isalnum():
        raise click.BadParameter(f"{text[:40]!r} is no id; hanse {verb} shows them")
    return text
