"""What has one right answer, written for people: ports from transforms, versions from contracts, keys by the standard.

Each fix changes only the lines of its own value; comments stay. What could be meant in two ways is left as a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hanse.names import ProductId
from hanse.spec import document
from hanse.spec.document import Document, EditFailed
from hanse.spec.lineage import product_reads, table_of
from hanse.spec.model import Contract, ProductFiles, Project
from hanse.spec.pointer import parts_of, pointer
from hanse.spec.project import project as read_project
from hanse.spec.schema.causes import UNKNOWN_KEY

_ROUNDS = 5  # a fix may let more of a file be read, and so be fixed


@dataclass(frozen=True, slots=True)
class Fix:
    """One change: the value at `pointer` of `file` becomes `value`; a rename of its key when `key` is given."""

    file: str
    pointer: str
    what: str
    value: Any = None
    key: str | None = None


def fixed(files: Mapping[str, str]) -> tuple[dict[str, str], list[Fix]]:
    """The texts of a project with everything fixed that can be, and what was done."""
    texts, done = dict(files), list[Fix]()
    for _ in range(_ROUNDS):
        made = [fix for fix in _wanted(texts) if _apply(texts, fix)]
        done += made
        if not made:
            break
    return texts, done


def _apply(texts: dict[str, str], fix: Fix) -> bool:
    loaded, _ = document.load(texts[fix.file], fix.file)
    if loaded is None:
        return False
    try:
        changed = _renamed(loaded, fix) if fix.key else document.edit(loaded, {fix.pointer: fix.value}).text
    except EditFailed:
        return False
    if changed is None or changed == texts[fix.file]:
        return False
    texts[fix.file] = changed
    return True


def _renamed(loaded: Document, fix: Fix) -> str | None:
    """The text with another key; None when the new one is there already or the key is no plain word."""
    *above, name = parts_of(fix.pointer)
    node = loaded.root
    for part in above:
        found = node.child(part)
        if found is None:
            return None
        node = found[1]
    pair = node.child(name)
    if pair is None or pair[0] is None or node.child(fix.key or "") is not None:
        return None
    key = pair[0]
    if loaded.text[key.start : key.stop] != name:
        return None
    return f"{loaded.text[: key.start]}{fix.key}{loaded.text[key.stop :]}"


def _wanted(texts: Mapping[str, str]) -> Iterator[Fix]:
    project, findings = read_project(texts)
    for finding in findings:
        if finding.code == UNKNOWN_KEY and finding.mend.startswith("write ") and finding.file in texts:
            key = finding.mend.removeprefix("write ")
            yield Fix(finding.file, finding.pointer, f"{parts_of(finding.pointer)[-1]} is called {key}", key=key)
    contracts = {one.id: one for files in project.products.values() for one in files.contracts.values()}
    for id in sorted(project.products):
        yield from _of_product(project, id, contracts)


def _of_product(project: Project, id: ProductId, contracts: Mapping[str, Contract]) -> Iterator[Fix]:
    files = project.products[id]
    loaded, _ = document.load(files.product.text, files.product.place.file)
    if loaded is None or not isinstance(loaded.tree, dict):
        return
    yield from _versions(loaded, files, contracts)
    reads = _reads(project, id)
    if reads is None:
        return
    yield from _inputs(loaded, files, reads, contracts)
    yield from _input_contracts(loaded, files, reads, contracts)


def _versions(loaded: Document, files: ProductFiles, contracts: Mapping[str, Contract]) -> Iterator[Fix]:
    """A port has the version of its contract, as long as that is of the same major: another line is another promise."""
    own = {one.id for one in files.contracts.values()}
    for i, port in enumerate(_list(loaded, "outputPorts")):
        contract = contracts.get(str(port.get("contractId")))
        if contract is None or contract.id not in own or contract.version is None:
            continue
        said = str(port.get("version"))
        if said != contract.version_text and said.partition(".")[0] == str(contract.version.major):
            at = pointer("outputPorts", str(i), "version")
            what = f"output port {port.get('name')} has version {contract.version_text}, as its contract"
            yield Fix(loaded.file, at, what, contract.version_text)


def _reads(project: Project, id: ProductId) -> dict[int, set[str]] | None:
    """The ids of the contracts that the tables of each major are made from; None when it cannot be told of one."""
    by_major: dict[int, set[str]] = {}
    for table, reads in product_reads(project, id).items():
        if not reads.readable:
            return None
        used = by_major.setdefault(table.major, set())
        for address in reads.tables:
            if len(address) < 2 or "_v" not in address[1]:
                continue
            source = table_of(project, address)
            if source is None or source.product == id:
                continue
            used |= {
                contract.id
                for line, contract in project.products[source.product].contracts.items()
                if line.major == source.major and contract.table(source.table) is not None
            }
    return by_major


def _inputs(
    loaded: Document, files: ProductFiles, reads: Mapping[int, set[str]], contracts: Mapping[str, Contract]
) -> Iterator[Fix]:
    """An input port for each contract that a transform reads."""
    declared = {port.contract_id for port in files.product.inputs}
    missing = sorted(set().union(*reads.values()) - declared) if reads else []
    names = {port.name for port in files.product.inputs}
    ports = []
    for id in missing:
        contract = contracts[id]
        name = id.split(".")[1] if id.count(".") == 2 else id
        name = name if name not in names else id
        names.add(name)
        ports.append({"name": name, "version": contract.version_text, "contractId": id})
    what = f"input port {', '.join(str(port['contractId']) for port in ports)} is read"
    if not ports:
        return
    if not isinstance(loaded.tree.get("inputPorts"), list) or not loaded.tree["inputPorts"]:
        yield Fix(loaded.file, "/inputPorts", what, ports)
    else:
        for port in ports:
            yield Fix(loaded.file, "/inputPorts/-", f"input port {port['contractId']} is read", port)


def _input_contracts(
    loaded: Document, files: ProductFiles, reads: Mapping[int, set[str]], contracts: Mapping[str, Contract]
) -> Iterator[Fix]:
    """What an output port is made from, as its transforms read it."""
    majors = {contract.id: line.major for line, contract in files.contracts.items()}
    for i, port in enumerate(_list(loaded, "outputPorts")):
        major = majors.get(str(port.get("contractId")))
        if major is None:
            continue
        made = [{"id": id, "version": contracts[id].version_text} for id in sorted(reads.get(major, ()))]
        said = port.get("inputContracts") or []
        known = {(str(one.get("id")), str(one.get("version"))) for one in said if isinstance(one, dict)}
        if known != {(one["id"], one["version"]) for one in made}:
            at = pointer("outputPorts", str(i), "inputContracts")
            yield Fix(loaded.file, at, f"output port {port.get('name')} is made from {_listed(made)}", made)


def _listed(made: list[dict[str, str]]) -> str:
    return ", ".join(one["id"] for one in made) or "no other contract"


def _list(loaded: Document, member: str) -> list[dict[str, Any]]:
    found = loaded.tree.get(member)
    return [one if isinstance(one, dict) else {} for one in found] if isinstance(found, list) else []
