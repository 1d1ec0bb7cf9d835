"""Loading within limits, marks, and edits that touch only their own lines."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.spec.document import Document, EditFailed, dump, edit, load
from hanse.spec.pointer import pointer

TEXT = """\
# who we are
apiVersion: v3.2.0
id: a.b   # stays
tags: [one, "two"]
schema:
  - name: orders   # the only one
    properties:
      - name: id
        required: true

      # money
      - name: "amount"
        logicalTypeOptions: {minimum: 0}
price: {}
empty:
until: 2027-01-31
"""


def document(text: str = TEXT) -> Document:
    loaded, findings = load(text, "x.yaml")
    assert loaded is not None, findings
    return loaded


def codes(text: str | bytes) -> list[str]:
    loaded, findings = load(text, "x.yaml")
    assert (loaded is None) == bool(findings)
    return [finding.code for finding in findings]


def test_dates_stay_text_and_scalars_follow_yaml_1_2() -> None:
    tree = document(
        "a: 2013-01-01\nb: 12\nc: 1.50\nd: null\ne: True\nf: '12'\ng: 0x1F\nh: 1:20 x\ni: 1e3\n2013: y\n"
    ).tree
    assert tree == {
        "a": "2013-01-01", "b": 12, "c": 1.5, "d": None, "e": True, "f": "12", "g": 31, "h": "1:20 x", "i": 1000.0,
        "2013": "y",
    }  # fmt: skip


def test_json_is_read_as_yaml() -> None:
    assert document('{"a": [1, null, {"b": "c"}]}').tree == {"a": [1, None, {"b": "c"}]}


def test_places_are_those_of_values_and_keys() -> None:
    doc = document()
    assert str(doc.place("/schema/0/properties/1/name")) == "x.yaml:12:15"
    assert str(doc.place("/schema/0/properties/1/name", key=True)) == "x.yaml:12:9"
    assert str(doc.place("/schema/0/properties/0/absent")) == "x.yaml:8:9"
    assert doc.place("/a~1b/c").pointer == "/a~1b/c"
    assert pointer("a/b", 0, "c~d") == "/a~1b/0/c~0d"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: 1\na: 2\n", "yaml.duplicate-key"),
        ("a: {b: 1, 'b': 2}\n", "yaml.duplicate-key"),
        ("a: !!python/object:os.system x\n", "yaml.unsafe-tag"),
        ("a: !custom x\n", "yaml.unsafe-tag"),
        ("a: !!timestamp 2013-01-01\n", "yaml.unsafe-tag"),
        ("a: !!set {b}\n", "yaml.unsafe-tag"),
        ("[" * 65 + "]" * 65, "yaml.depth"),
        ("[" * 5000 + "]" * 5000, "yaml.depth"),
        ("a: [1, 2\n", "yaml.syntax"),
        ("a: *b\n", "yaml.syntax"),
        ("a: &a [*a]\n", "yaml.alias-bomb"),
        ("a: 1\n--- \nb: 2\n", "yaml.documents"),
        ("", "yaml.documents"),
        ("# only a comment\n", "yaml.documents"),
        ("? [a, b]\n: c\n", "yaml.key"),
        (b"\xff\xfea\x00", "yaml.encoding"),
        ("a: b".encode("utf-16"), "yaml.encoding"),
        ("a: caf\xe9".encode("latin-1"), "yaml.encoding"),
        ("a: \x00b", "yaml.encoding"),
        ("a: \x1b[31mred", "yaml.encoding"),
        ('a: "\\0"', "yaml.encoding"),
        ("a: " + "x" * (1 << 20), "yaml.size"),
        ("version: 1:20\n", "yaml.implicit-type"),
        ("version: 010\n", "yaml.implicit-type"),
        ("version: 1_000\n", "yaml.implicit-type"),
        ("country: NO\n", "yaml.implicit-type"),
        ("flag: off\n", "yaml.implicit-type"),
        ("most: .inf\n", "yaml.implicit-type"),
        ("most: 1e999\n", "yaml.implicit-type"),
        ("most: " + "9" * 5000 + "\n", "yaml.implicit-type"),
    ],
)
def test_what_is_not_plain_yaml_is_refused(text: str | bytes, code: str) -> None:
    assert codes(text) == [code]


def test_at_most_64_levels_and_64_aliases_are_read() -> None:
    assert codes("[" * 64 + "]" * 64) == []
    assert codes("a: &a x\nb: [" + "*a, " * 64 + "]") == []
    assert codes("a: &a x\nb: [" + "*a, " * 65 + "]") == ["yaml.alias-bomb"]


def test_every_duplicate_key_and_every_doubtful_value_is_told_at_once() -> None:
    assert codes("a: 1\na: 2\nb: 1:20\nc: {d: 1, d: yes}\n") == [
        "yaml.duplicate-key", "yaml.implicit-type", "yaml.duplicate-key", "yaml.implicit-type",
    ]  # fmt: skip


def test_a_doubtful_value_names_its_key() -> None:
    _, findings = load("a:\n  version: 1:20\n", "x.yaml")
    assert "'version'" in findings[0].message
    assert (findings[0].line, findings[0].column, findings[0].pointer) == (2, 12, "/a/version")


def test_merge_keys_are_read_and_bounded() -> None:
    assert document("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n").tree["b"] == {"y": 3, "x": 1}
    chain = "m0: &m0 {k0: 1}\n" + "".join(f"m{i}: &m{i}\n  <<: *m{i - 1}\n  k{i}: 1\n" for i in range(1, 200))
    assert codes(chain) == ["yaml.alias-bomb"]


@pytest.mark.parametrize("fan", [7, 10, 60])
def test_an_alias_bomb_ends_fast_and_small(fan: int) -> None:
    text = "l0: &l0 [" + ", ".join(["x"] * fan) + "]\n"
    for i in range(1, 9):
        text += f"l{i}: &l{i} [" + ", ".join([f"*l{i - 1}"] * fan) + "]\n"
    tracemalloc.start()
    began = time.perf_counter()
    assert codes(text) == ["yaml.alias-bomb"]
    assert time.perf_counter() - began < 1
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_dump_gives_the_bytes_that_were_read() -> None:
    for text in (TEXT, "\ufeff" + TEXT, TEXT.replace("\n", "\r\n"), TEXT.rstrip("\n")):
        loaded, _ = load(text.encode(), "x.yaml")
        assert loaded is not None
        assert dump(loaded).encode() == text.encode()
        assert loaded.tree["until"] == "2027-01-31"


def test_every_readable_example_comes_back_byte_for_byte(standards: Path) -> None:
    files = [path for kind in ("odcs", "odps") for path in (standards / kind).rglob("*.y*ml")]
    assert len(files) > 60
    for path in files:
        loaded, findings = load(path.read_bytes(), path.name)
        assert loaded is not None, findings
        assert dump(loaded).encode() == path.read_bytes()


@pytest.mark.parametrize(
    ("target", "value", "old", "new"),
    [
        ("/id", "c.d", "id: a.b   # stays", "id: c.d   # stays"),
        ("/id", "2013-01-01", "id: a.b   # stays", 'id: "2013-01-01"   # stays'),
        ("/id", "yes", "id: a.b   # stays", 'id: "yes"   # stays'),
        ("/tags/1", "three", '[one, "two"]', "[one, three]"),
        ("/tags/-", "three", '[one, "two"]', '[one, "two", three]'),
        ("/schema/0/properties/0/required", False, "required: true", "required: false"),
        ("/schema/0/properties/1/logicalTypeOptions/minimum", 1.5, "{minimum: 0}", "{minimum: 1.5}"),
        ("/schema/0/properties/1/logicalTypeOptions/maximum", 9, "{minimum: 0}", "{minimum: 0, maximum: 9}"),
        ("/schema/0/properties/0/unique", True, "required: true\n", "required: true\n        unique: true\n"),
        ("/schema/0/properties/-", {"name": "x"}, "{minimum: 0}\n", "{minimum: 0}\n      - name: x\n"),
        ("/price/priceAmount", 3, "price: {}", "price: {priceAmount: 3}"),
        ("/empty", "full", "empty:\n", "empty: full\n"),
        ("/tenant", "t", "until: 2027-01-31\n", "until: 2027-01-31\ntenant: t\n"),
        ("/tags", ["a"], 'tags: [one, "two"]', "tags: [a]"),
        ("/empty", {"a": [1]}, "empty:\n", "empty:\n  a:\n  - 1\n"),
    ],
)
def test_an_edit_changes_only_its_own_lines(target: str, value: Any, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert edit(document(), {target: value}).text == TEXT.replace(old, new)


def test_an_edit_keeps_the_line_ends_of_the_file() -> None:
    doc = document(TEXT.replace("\n", "\r\n"))
    edited = edit(doc, {"/tenant": "t", "/schema/0/properties/0/unique": True})
    assert edited.text.count("\n") == edited.text.count("\r\n") == TEXT.count("\n") + 2


def test_an_edit_without_a_place_is_refused() -> None:
    for target in ("", "/schema/7/name", "/nowhere/at/all", "/schema/0/properties/9"):
        with pytest.raises(EditFailed):
            edit(document(), {target: 1})


def test_an_edit_inside_an_alias_is_refused() -> None:
    with pytest.raises(EditFailed):
        edit(document("a: &a {x: 1}\nb: *a\n"), {"/b/x": 2})


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("ab:#-\n'\" {}[]yesno~0é", max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:- #", max_size=5), inner, max_size=3),
    max_leaves=6,
)
_TARGETS = st.sampled_from(
    [
        "/id",
        "/tags",
        "/tags/0",
        "/tags/-",
        "/schema/0/name",
        "/schema/0/properties/1",
        "/schema/0/new",
        "/price/x",
        "/empty",
    ]
)


@settings(max_examples=200, deadline=None)
@given(_TARGETS, _VALUES)
def test_an_edited_document_reads_as_the_edited_tree_and_keeps_its_comments(target: str, value: Any) -> None:
    edited = edit(document(), {target: value})
    at: Any = edited.tree
    for part in target.split("/")[1:]:
        at = at[-1] if part == "-" else at[int(part)] if isinstance(at, list) else at[part]
    assert at == value
    for comment in ("# who we are", "# stays", "# the only one"):
        assert comment in edited.text
    assert load(dump(edited), "x.yaml")[0] == edited


@settings(max_examples=150, deadline=None)
@given(st.text("ab:#-&*!|>'\"%@`{}[], \n\t?0~<", max_size=60))
def test_any_text_gives_a_document_or_findings(text: str) -> None:
    loaded, findings = load(text, "x.yaml")
    assert (loaded is None) == bool(findings)
    if loaded is not None:
        assert dump(loaded) == text


def test_reading_opens_no_file_and_no_socket() -> None:
    # the second reading is watched: the first one imports
    program = (
        "import sys\nfrom hanse.spec.validate import file_findings\n"
        "text = open(sys.argv[1]).read()\nfile_findings(text, 'x')\nseen = []\n"
        "sys.addaudithook(lambda e, a: seen.append((e, a)) if e[:4] in ('open', 'sock', 'subp') else 0)\n"
        "file_findings(text, 'x')\nfile_findings(text.replace('SELECT', 'DROP'), 'x')\nassert not seen, seen\n"
    )
    example = Path(__file__).parents[2] / "examples/flights/operations/flights/flights.v1.odcs.yaml"
    done = subprocess.run([sys.executable, "-c", program, str(example)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
