"""Bodies, parameters and cursors: what is read, and what is refused with its place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse.protocols.http.errors import BadRequest, NoSuchPath
from hanse.protocols.http.types import Cursors, Members, instant, limit_of, product_of, read_json

CURSORS = Cursors(b"k" * 32)


def test_broken_json_is_refused_with_its_place() -> None:
    with pytest.raises(BadRequest, match="line 2 column 1"):
        read_json(b"{\n")


@pytest.mark.parametrize(
    "raw", [b"[]", b'"x"', b"null", b'{"a": 1, "a": 2}', b'{"a": NaN}', b'{"a": Infinity}', b"\xff{}", b"[" * 100_000]
)
def test_what_is_no_plain_object_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        read_json(raw)


def test_a_member_that_nobody_knows_is_refused() -> None:
    members = Members({"sql": "select 1", "limt": 10})
    members.needed("sql")
    members.whole("limit")
    with pytest.raises(BadRequest, match="limt"):
        members.end()


@pytest.mark.parametrize("value", [True, -1, 1.5, "10", [1]])
def test_a_limit_must_be_a_whole_number(value: object) -> None:
    with pytest.raises(BadRequest):
        Members({"limit": value}).whole("limit")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a\\b", "a\0b", ""])
def test_a_bundle_has_no_path_out_of_the_project(path: str) -> None:
    with pytest.raises(BadRequest):
        Members({"files": {path: "text"}}).files("files")


def test_a_day_means_its_end() -> None:
    assert instant("until", "2026-12-31") == datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_a_limit_beyond_the_most_is_clamped() -> None:
    assert limit_of("1000000", 100) == 10_000
    assert limit_of(None, 100) == 100
    with pytest.raises(BadRequest):
        limit_of("-1", 100)


@pytest.mark.parametrize("name", ["..", "Orders", "a__b", "x" * 64, "o%00", ""])
def test_what_cannot_be_a_name_is_not_there(name: str) -> None:
    with pytest.raises(NoSuchPath):
        product_of("sales", name)


@given(st.dictionaries(st.text(), st.integers()), st.text())
def test_a_cursor_opens_for_what_it_was_made_for(position: dict[str, int], binding: str) -> None:
    assert CURSORS.open(CURSORS.seal(position, binding), binding) == position


def test_a_cursor_is_worth_nothing_for_another_person() -> None:
    with pytest.raises(BadRequest):
        CURSORS.open(CURSORS.seal({"at": 10}, "person:eve"), "person:alice")


@given(st.text(max_size=200))
def test_garbage_is_no_cursor(text: str) -> None:
    with pytest.raises(BadRequest):
        CURSORS.open(text, "person:eve")


def test_a_changed_cursor_is_refused() -> None:
    good = CURSORS.seal({"at": 10}, "x")
    for i in range(len(good) - 1):
        changed = good[:i] + ("A" if good[i] != "A" else "B") + good[i + 1 :]
        with pytest.raises(BadRequest):
            CURSORS.open(changed, "x")
