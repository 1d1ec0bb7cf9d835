"""Every item of the corpus of hostile descriptors gets its stated verdict, at its place, at no cost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hanse.spec.validate import file_findings
from tests.spec.descriptor_corpus import bases, generated, items

ITEMS = items()
Results = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def results() -> Results:
    """What a process of its own found, with what it touched meanwhile."""
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.spec.descriptor_corpus"],
        cwd=root, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found: Results = json.loads(ran.stdout)
    return found


@pytest.fixture(params=ITEMS, ids=[item["id"] for item in ITEMS])
def item(request: pytest.FixtureRequest) -> dict[str, Any]:
    given: dict[str, Any] = request.param
    return given


def errors(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for finding in result["findings"] if finding["severity"] == "error"]


def test_the_verdict_is_the_stated_one(item: dict[str, Any], results: Results) -> None:
    found = errors(results[item["id"]])
    assert bool(found) == (item["expect"]["verdict"] == "reject"), found


def test_the_stated_code_is_told_at_the_stated_place(item: dict[str, Any], results: Results) -> None:
    told = [f for f in results[item["id"]]["findings"] if f["code"] == item["expect"]["code"]]
    assert told, [f["code"] for f in results[item["id"]]["findings"]]
    if "at" in item["expect"]:
        assert item["expect"]["at"] in [f["pointer"] for f in told]


def test_the_finding_mentions_the_stated_words(item: dict[str, Any], results: Results) -> None:
    told = [f for f in results[item["id"]]["findings"] if f["code"] == item["expect"]["code"]]
    said = " ".join(f"{f['message']} {f['why']} {f['mend']} {f['pointer']} line {f['line']}" for f in told)
    assert [word for word in item["expect"].get("mention", []) if word not in said] == []


def test_a_rejection_says_where_and_how_to_mend_it(item: dict[str, Any], results: Results) -> None:
    for finding in errors(results[item["id"]]):
        assert finding["file"]
        assert finding["line"] > 0
        assert finding["mend"]
        assert "Traceback" not in finding["message"]


def test_what_is_asserted_of_the_item_holds(item: dict[str, Any], results: Results) -> None:
    result = results[item["id"]]
    for claim in item["expect"].get("asserts", []):
        match claim:
            case "parse under 1 s":
                assert result["seconds"] < 1
            case "parser memory growth under 64 MiB":
                assert result["mebibytes"] < 64
            case "no file opened" | "no connection made" | "canary listener saw no request":
                assert result["touched"] == []
            case "message shows the offending characters escaped":
                told = [f["message"] for f in errors(result) if f["code"] == item["expect"]["code"]]
                written = item["input"]["patch"][0]["value"]
                assert all(message.isascii() and ascii(written) in message for message in told)
                assert told
            case _:
                pytest.fail(f"no test knows the assertion {claim!r}")


def test_no_item_touches_a_file_or_a_socket_or_takes_a_second(item: dict[str, Any], results: Results) -> None:
    result = results[item["id"]]
    assert result["touched"] == []
    assert result["seconds"] < 1
    assert result["mebibytes"] < 64


@pytest.mark.parametrize(
    ("recipe", "codes"),
    [
        ({"gen": "alias_bomb", "levels": 9, "fan": 9}, {"yaml.alias-bomb"}),
        ({"gen": "merge_chain", "n": 60}, None),
        ({"gen": "merge_chain", "n": 2000}, None),
        ({"gen": "nested_lists", "n": 10_000}, {"yaml.depth"}),
        ({"gen": "nested_maps", "n": 10_000}, {"yaml.depth"}),
        ({"gen": "scalar_bytes", "n": 300}, {"id.syntax"}),
        ({"gen": "scalar_bytes", "n": 1 << 21}, {"yaml.size"}),
        ({"gen": "encode", "codec": "utf-16"}, {"yaml.encoding"}),
        ({"gen": "encode", "codec": "utf-8-sig"}, set()),
        ({"gen": "bytes_hex", "hex": "fffe00ff"}, {"yaml.encoding"}),
        ({"gen": "contract_properties", "n": 5000}, set()),
        ({"gen": "contract_name_len", "n": 255}, set()),
        ({"gen": "contract_name_len", "n": 256}, {"name.syntax"}),
        ({"gen": "contract_name_len", "n": 100_000}, {"name.syntax"}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_what_the_recipes_make_is_judged_in_time(recipe: dict[str, Any], codes: set[str] | None) -> None:
    text = generated(recipe, bases()["contract"])
    before = time.process_time()
    found = {f.code for f in file_findings(text, "x.yaml") if f.severity == "error"}
    assert time.process_time() - before < 2.5
    assert found >= codes if codes else codes is None or not found
    assert len(found) < 100


@pytest.mark.parametrize("n", [1, 2, 3, 50])
def test_a_cycle_of_any_length_is_one_finding(n: int) -> None:
    from hanse.spec.project import project

    files = generated({"gen": "product_cycle", "n": n}, {})
    told = [f for f in project(files)[1] if f.code == "ref.cycle"]
    assert len(told) == 1
    assert "cycle" in told[0].message
