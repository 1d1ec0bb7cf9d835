"""What a publication tells followers: another version, a breaking change, a deprecation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hanse.names import PortLine
from hanse.node.facts import ending
from hanse.node.home.values import LineRecord, Published
from hanse.spec.model import Contract

News = tuple[str, Mapping[str, Any]]  # the event's name and its body


def of_publication(
    before: Published | None,
    records: Sequence[LineRecord],
    contracts: Mapping[PortLine, Contract],
    status: str,
    *,
    breaking: bool,
) -> Iterator[News]:
    """The news of what is to be published after `before`; a refresh of the same versions is none."""
    was = {} if before is None else before.lines
    versions = {
        _named(one.line): one.version
        for one in records
        if one.line not in was or was[one.line].contract.version_text != one.version
    }
    if versions:
        yield "product.new-version", {"versions": versions}
    if breaking:
        yield "product.breaking-change", {"versions": versions}
    ends = {}
    for line, contract in sorted(contracts.items()):
        said = ending(status, contract)
        known = None if before is None or line not in was else ending(before.status, was[line].contract)
        if said is not None and said != known:
            ends[_named(line)] = {word: value for word, value in said.items() if word != "status"}
    if ends:
        yield "product.deprecated", {"lines": ends}


def _named(line: PortLine) -> str:
    return f"{line.port}@{line.major}"
