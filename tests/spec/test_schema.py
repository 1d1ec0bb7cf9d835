"""The schemas are those that the standards publish, the stated corrections apart."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from hanse.spec.document import load
from hanse.spec.schema import odcs, odps
from hanse.spec.schema.edits import differ

KINDS = {"odcs": odcs, "odps": odps}
CASES = [(kind, version) for kind, module in KINDS.items() for version in module.VERSIONS]


def _published(standards: Path, kind: str, version: str) -> dict[str, Any]:
    path = standards / kind / "schema" / f"{kind}-json-schema-{version}.json"
    schema: dict[str, Any] = json.loads(path.read_text())
    return differ(schema, odcs.CORRECTIONS) if (kind, version) == ("odcs", odcs.NEWEST) else schema


def _documents(standards: Path, kind: str) -> list[Any]:
    trees = []
    for path in sorted((standards / kind).rglob("*.y*ml")):
        document, findings = load(path.read_bytes(), path.name)
        assert document is not None, findings
        trees.append(document.tree)
    return trees


def _spots(tree: Any) -> Iterator[tuple[Any, Any]]:
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        yield tree, key
        yield from _spots(value)


def _words(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        yield from (word for word in schema.get("enum", ()) if isinstance(word, str))
        for part in schema.values():
            yield from _words(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _words(part)


def _mutate(tree: Any, words: list[str], dice: random.Random) -> Any:
    """`tree` with one to three members removed, added, renamed, or given another value."""
    mutated = copy.deepcopy(tree)
    for _ in range(dice.randint(1, 3)):
        spots = list(_spots(mutated))
        if not spots:
            return mutated
        parent, key = dice.choice(spots)
        value = dice.choice(
            [None, True, 0, -1, 1.5, "", "x", dice.choice(words), [], {}, ["a"], ["a", "a"], [1, 2], [{}],
             {"id": "a b"},             {"value": 1}, {"key": {}, "value": {}},
             [{"property": "p", "value": 1}], [{"name": "n"}], "2020-01-01"]
        )  # fmt: skip
        move = dice.random()
        if move < 0.25:
            del parent[key]
        elif move < 0.6 and isinstance(parent, dict):
            parent[dice.choice(words)] = value
        elif move < 0.7 and isinstance(parent, dict):
            parent[dice.choice(words)] = parent.pop(key)
        else:
            parent[key] = value
    return mutated


@pytest.mark.parametrize(("kind", "version"), CASES)
def test_every_example_and_random_mutations_get_the_published_verdict(standards: Path, kind: str, version: str) -> None:
    published = _published(standards, kind, version)
    ours = jsonschema_rs.Draft201909Validator(KINDS[kind].schema(version))
    theirs = jsonschema_rs.Draft201909Validator(published)
    words = sorted(set(_words(published)))
    dice = random.Random(f"{kind} {version}")
    verdicts = {True: 0, False: 0}
    for tree in _documents(standards, kind):
        # most documents declare another version; as this version they say more about this schema
        tree = {**tree, "apiVersion": version} if isinstance(tree, dict) else tree
        for candidate in (tree, *(_mutate(tree, words, dice) for _ in range(400 if kind == "odps" else 40))):
            verdict = theirs.is_valid(candidate)
            verdicts[verdict] += 1
            assert ours.is_valid(candidate) == verdict, json.dumps(candidate)
    assert min(verdicts.values()) > 20, verdicts


def test_the_package_ships_the_published_schema(standards: Path) -> None:
    assert odcs.published() == json.loads((standards / "odcs/schema/odcs-json-schema-v3.2.0.json").read_text())


def test_the_correction_of_map_is_still_needed() -> None:
    # when this fails, upstream has mended the schema: drop CORRECTIONS
    branches = odcs.published()["$defs"]["SchemaBaseProperty"]["allOf"]
    conditions = [json.dumps(branch["if"]) for branch in branches if "if" in branch]
    asking = [c for c in conditions if '"const": "map"' in c or '"const": "vector"' in c]
    assert len(asking) == 2
    assert not any("required" in condition for condition in asking)


CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: a
version: 1.0.0
schema: [{name: t, properties: [{name: c, %s}]}]
"""


def test_a_column_without_logical_type_needs_no_map() -> None:
    tree = yaml.safe_load(CONTRACT % "physicalType: VARCHAR")
    assert jsonschema_rs.Draft201909Validator(odcs.schema("v3.2.0")).is_valid(tree)
    assert not jsonschema_rs.Draft201909Validator(odcs.published()).is_valid(tree)


def test_a_map_still_needs_its_map() -> None:
    ours = jsonschema_rs.Draft201909Validator(odcs.schema("v3.2.0"))
    assert not ours.is_valid(yaml.safe_load(CONTRACT % "logicalType: map"))
    assert ours.is_valid(yaml.safe_load(CONTRACT % "logicalType: map, map: {key: {}, value: {}}"))


def test_a_newer_schema_does_not_change_when_an_older_one_is_derived() -> None:
    before = json.dumps(odps.schema("v1.1.0"))
    odps.schema("v0.9.0")
    assert json.dumps(odps.schema("v1.1.0")) == before
