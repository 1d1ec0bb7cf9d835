"""A port line's next version, written into its contract and its port; a new major gets a contract of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hanse.errors import HanseError, Kind, code
from hanse.names import PortLine, ProductId, Version
from hanse.spec import document
from hanse.spec.compat import Step
from hanse.spec.model import Contract, ProductFiles
from hanse.spec.pointer import pointer
from hanse.spec.project import project as read_project


class CannotBump(HanseError):
    kind = Kind.INVALID
    code = code(
        "version.cannot-bump",
        Kind.INVALID,
        "The version cannot be moved here",
        "A version is moved in the contract of one port line and in the output port that names it.",
        "hanse validate tells what is wrong with the files; with several port lines name one: hanse bump ID:PORT.",
    )


def stepped(version: Version, step: Step) -> Version:
    """The version that follows by `step`."""
    if step is Step.MAJOR:
        return Version(version.major + 1, 0, 0)
    if step is Step.MINOR:
        return Version(version.major, version.minor + 1, 0)
    return Version(version.major, version.minor, version.patch + 1)


def bumped(
    files: Mapping[str, str], product: ProductId, step: Step, *, port: str | None = None, since: Version | None = None
) -> tuple[dict[str, str], PortLine, Version]:
    """The texts with the next version of the newest port line of `product` (of `port`), counted from `since`.

    Raises `CannotBump` and `EditFailed`.
    """
    project, _ = read_project(files)
    found = project.products.get(product)
    if found is None:
        raise CannotBump(f"{product} is not in the project, or cannot be read", mend="hanse validate")
    line, contract = _line(found, port)
    assert contract.version is not None
    version = stepped(since or contract.version, step)
    texts = dict(files)
    if step is Step.MAJOR:
        _new_major(texts, found, line, contract, version)
    else:
        _edit(texts, contract.place.file, {"/version": str(version)})
        _edit(texts, found.product.place.file, {f"{_port(found, contract)}/version": str(version)})
    return texts, PortLine(product, line.port, version.major), version


def _line(files: ProductFiles, port: str | None) -> tuple[PortLine, Contract]:
    lines = {line: one for line, one in files.contracts.items() if port in (None, line.port) and one.version}
    ports = sorted({line.port for line in lines})
    if len(ports) != 1:
        named = " or ".join(f"hanse bump {files.product.id}:{one}" for one in ports)
        why = "has several output ports" if ports else "has no such output port with a version"
        raise CannotBump(f"{files.product.id} {why}", mend=named or "hanse validate")
    newest = max(lines, key=lambda line: line.major)
    return newest, lines[newest]


def _port(files: ProductFiles, contract: Contract) -> str:
    """The pointer of the output port that names `contract`."""
    loaded, _ = document.load(files.product.text, files.product.place.file)
    listed = loaded.tree.get("outputPorts") if loaded is not None and isinstance(loaded.tree, dict) else None
    for i, one in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(one, dict) and one.get("contractId") == contract.id:
            return pointer("outputPorts", str(i))
    raise CannotBump(f"no output port of {files.product.id} names {contract.id}", mend="hanse validate")


def _new_major(texts: dict[str, str], files: ProductFiles, line: PortLine, old: Contract, version: Version) -> None:
    """A contract beside the former one, a port for it, and its tables made like those of before."""
    folder, _, name = old.place.file.rpartition("/")
    file = f"{folder}/{re.sub(rf'[.]v{line.major}[.]', f'.v{version.major}.', name)}"
    if file in texts or file == old.place.file:
        raise CannotBump(f"{file} is there already", mend=f"write {version} into it by hand")
    id = re.sub(rf"v{line.major}\Z", f"v{version.major}", old.id)
    id = id if id != old.id else f"{old.id}.v{version.major}"
    texts[file] = texts[old.place.file]
    _edit(texts, file, {"/version": str(version), "/id": id})
    at = _port(files, old)
    loaded, _ = document.load(files.product.text, files.product.place.file)
    assert loaded is not None
    port: dict[str, Any] = dict(loaded.tree["outputPorts"][int(at.rpartition("/")[2])])
    _edit(texts, files.product.place.file, {"/outputPorts/-": {**port, "version": str(version), "contractId": id}})
    build = f"{folder}/build.yaml"
    if build in texts:
        _tables(texts, build, old, line.major, version.major)


def _tables(texts: dict[str, str], build: str, contract: Contract, old: int, new: int) -> None:
    """Each table of build.yaml for both majors: `orders` becomes `orders@1`, and `orders@2` is made alike."""
    loaded, _ = document.load(texts[build], build)
    tables = loaded.tree.get("tables") if loaded is not None and isinstance(loaded.tree, dict) else None
    if loaded is None or not isinstance(tables, dict):
        return
    text = texts[build]
    for table in contract.tables:
        key, how = next(((k, tables[k]) for k in (table.name, f"{table.name}@{old}") if k in tables), (None, None))
        if key is None:
            continue
        if key == table.name:
            node = loaded.root.child("tables")
            pair = node[1].child(key) if node else None
            if pair is None or pair[0] is None:
                continue
            start, stop = pair[0].start, pair[0].stop
            text = f"{text[:start]}{table.name}@{old}{text[stop:]}"
            loaded, _ = document.load(text, build)
            assert loaded is not None
        loaded = document.edit(loaded, {pointer("tables", f"{table.name}@{new}"): how})
        text = loaded.text
    texts[build] = text


def _edit(texts: dict[str, str], file: str, changes: Mapping[str, Any]) -> None:
    loaded, _ = document.load(texts[file], file)
    assert loaded is not None, "it was read before"
    texts[file] = document.edit(loaded, changes).text
