"""The corpus of hostile descriptors as inputs, and a program that judges each under watch.

Run as a program it reads nothing but the corpus, then watches itself by an audit hook, and prints for each item what
was found, how long it took, how memory grew, and which files and sockets were touched.
"""

from __future__ import annotations

import copy
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parents[1] / "attacks" / "descriptors.json"
_WATCHED = ("open", "os.", "socket.", "subprocess.", "shutil.", "ftplib.", "http.", "urllib.", "ctypes.")
_FREE = ("os.getenv", "os.fspath")


def items() -> list[dict[str, Any]]:
    return list(json.loads(CORPUS.read_text())["items"])


def bases() -> dict[str, dict[str, Any]]:
    return dict(json.loads(CORPUS.read_text())["meta"]["bases"])


def patched(tree: Any, operations: list[dict[str, Any]]) -> Any:
    """`tree` after JSON Patch operations add, replace and remove."""
    tree = copy.deepcopy(tree)
    for operation in operations:
        *parents, last = [p.replace("~1", "/").replace("~0", "~") for p in operation["path"].split("/")[1:]]
        at: Any = tree
        for part in parents:
            at = at[int(part)] if isinstance(at, list) else at[part]
        if isinstance(at, list):
            index = len(at) if last == "-" else int(last)
            match operation["op"]:
                case "add":
                    at.insert(index, operation["value"])
                case "replace":
                    at[index] = operation["value"]
                case _:
                    del at[index]
        elif operation["op"] == "remove":
            del at[last]
        else:
            at[last] = operation["value"]
    return tree


def generated(spec: dict[str, Any], base: dict[str, Any]) -> Any:
    """What a `raw_gen` recipe makes: a text, bytes, or for `product_cycle` the files of a project."""
    n = int(spec.get("n", 0))
    match spec["gen"]:
        case "alias_bomb":
            text = "l0: &l0 [" + ", ".join(["x"] * spec["fan"]) + "]\n"
            for i in range(1, spec["levels"]):
                text += f"l{i}: &l{i} [" + ", ".join([f"*l{i - 1}"] * spec["fan"]) + "]\n"
            return text
        case "merge_chain":
            return "m0: &m0 {a: 1}\n" + "".join(f"m{i}: &m{i}\n  <<: *m{i - 1}\n  k{i}: {i}\n" for i in range(1, n))
        case "nested_lists":
            return "a: " + "[" * n + "]" * n + "\n"
        case "nested_maps":
            return "a: " + "{a: " * n + "1" + "}" * n + "\n"
        case "scalar_bytes":
            return "kind: DataContract\nid: " + "x" * n + "\n"
        case "encode":
            return json.dumps(base, ensure_ascii=False).encode(spec.get("codec") or spec["encoding"])
        case "bytes_hex":
            return bytes.fromhex(spec.get("hex") or spec["bytes"])
        case "contract_properties":
            tree = copy.deepcopy(base)
            tree["schema"][0]["properties"] += [{"name": f"c{i}", "logicalType": "string"} for i in range(n)]
            return json.dumps(tree, indent=1)
        case "contract_name_len":
            return json.dumps({**base, "name": "n" * n})
        case "product_cycle":
            return cycle(n)
    raise ValueError(spec["gen"])


def cycle(n: int) -> dict[str, str]:
    """`n` products of one domain, each reading the contract of the next, the last that of the first."""
    files = {"mesh.yaml": "name: ringmesh\n", "ring/domain.yaml": "team: ring\n"}
    for i in range(n):
        name, following = f"p{i}", f"p{(i + 1) % n}"
        folder = f"ring/{name}"
        port = {"name": name, "version": "1.0.0", "contractId": f"ring.{name}.v1"}
        product = {
            "apiVersion": "v1.0.0", "kind": "DataProduct", "id": f"ring.{name}", "domain": "ring", "status": "draft",
            "inputPorts": [{"name": following, "version": "1.0.0", "contractId": f"ring.{following}.v1"}],
            "outputPorts": [port],
        }  # fmt: skip
        contract = {
            "apiVersion": "v3.1.0", "kind": "DataContract", "id": f"ring.{name}.v1", "version": "1.0.0",
            "status": "draft",
            "schema": [{"name": name, "logicalType": "object", "properties": [{"name": "a", "logicalType": "string"}]}],
        }  # fmt: skip
        files |= {
            f"{folder}/{name}.odps.yaml": json.dumps(product),
            f"{folder}/{name}.v1.odcs.yaml": json.dumps(contract),
        }
    return files


def given(item: dict[str, Any]) -> Any:
    """The input of an item: text, bytes, or the files of a project."""
    base = bases().get(item["target"], bases()["contract"])
    source = item["input"]
    if "raw" in source:
        return source["raw"]
    if "raw_gen" in source:
        return generated(source["raw_gen"], base)
    # 9 is the port that throws everything away; a request to it would be seen as a socket
    text = json.dumps(patched(base, source["patch"]), indent=1, ensure_ascii=False)
    return text.replace("<<loop_port>>", "9")


def judged(item: dict[str, Any], text: Any, before: str) -> list[Any]:
    """All findings of an item: of the file, of the project, or of the step that its context names."""
    from hanse.errors import Severity
    from hanse.spec import document, read
    from hanse.spec.checks.project import input_findings
    from hanse.spec.compat import changes, version_findings
    from hanse.spec.project import project
    from hanse.spec.validate import file_findings

    if item["target"] == "bundle":
        return project(text)[1]
    findings = list(file_findings(text, "orders.yaml"))
    context = item.get("context", {})
    if context.get("step") != "plan" or any(f.severity is Severity.ERROR for f in findings):
        return findings
    loaded, _ = document.load(text, "orders.yaml")
    assert loaded is not None
    if item["target"] == "product":
        product, _ = read.product(loaded)
        assert product is not None
        known = dict.fromkeys(context.get("known_contracts", []))
        return findings + input_findings(product, known, outside=Severity.ERROR)
    former, _ = document.load(before, "orders.yaml")
    assert former is not None
    old, new = read.contract(former)[0], read.contract(loaded)[0]
    assert old is not None
    assert new is not None
    found = changes(old, new, ("public", "internal", "restricted"))
    return findings + version_findings(old, new, found)


def main() -> None:
    base = json.dumps(bases()["contract"], indent=1)
    work = [(item, given(item)) for item in items()]
    product = {"id": "warm", "target": "product", "context": {"step": "plan", "known_contracts": []}, "input": {}}
    # all modules and schemas are read before the watch begins: they are hanse's own
    judged({**product, "target": "bundle"}, cycle(2), base)
    judged(product, json.dumps(bases()["product"]), base)
    judged({**product, "target": "contract"}, base, base)
    rule = {"type": "sql", "query": "SELECT count(*) FROM {table}", "mustBe": 0}
    warm = {**bases()["contract"], "version": 1, "schema": [{"name": "t", "properties": [], "quality": [rule]}]}
    for tree in (warm, {**warm, "version": "1.0.0"}):
        judged({**product, "target": "contract"}, json.dumps(tree), base)
    touched: list[str] = []

    def watch(event: str, arguments: Any) -> None:
        if event.startswith(_WATCHED) and event not in _FREE:
            touched.append(f"{event} {arguments!r}"[:200])

    sys.addaudithook(watch)
    results = {}
    for item, text in work:
        touched.clear()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.process_time()
        findings = judged(item, text, base)
        results[item["id"]] = {
            "seconds": time.process_time() - began,
            "mebibytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024,
            "touched": list(touched),
            "findings": [
                {
                    "code": f.code, "severity": str(f.severity), "pointer": f.pointer, "message": f.message,
                    "why": f.why, "mend": f.mend, "file": f.file, "line": f.line,
                }
                for f in findings
            ],
        }  # fmt: skip
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
