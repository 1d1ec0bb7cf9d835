"""ECMA patterns and Java date formats mean the same in the engine, or are refused."""

from __future__ import annotations

import duckdb
import pytest

from hanse.engine.rules.formats import strptime
from hanse.engine.rules.patterns import CannotTranslate, re2


def matches(pattern: str, text: str) -> bool:
    found = duckdb.execute("SELECT regexp_matches(?, ?)", [text, re2(pattern)]).fetchone()
    assert found is not None
    return bool(found[0])


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a.c", "abc", True),
        ("a.c", "a\nc", False),
        ("a.c", "a\u2028c", False),
        ("[^]", "\n", True),
        ("[]", "a", False),
        (r"^\d{3}$", "123", True),
        (r"^\d$", "٣", False),
        (r"\u00e9", "é", True),
        (r"\x41\cJ", "A\n", True),
        (r"^\s$", "\u00a0", True),
        (r"^\S$", "\u00a0", False),
        (r"^[\s]$", "\u3000", True),
        (r"^(?<year>\d+)$", "2024", True),
        (r"a\/b", "a/b", True),
        (r"^[[a]+$", "[a", True),
        (r"\bword\b", "a word.", True),
        (r"[\b]", "\b", True),
        ("colou?r", "the color", True),
        ("a$", "a\n", False),
    ],
)
def test_a_pattern_keeps_its_meaning(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@pytest.mark.parametrize("pattern", ["(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", r"(a)\1", r"(?<n>a)\k<n>", "a\\", r"[\S]"])
def test_what_the_engine_does_not_have_is_refused(pattern: str) -> None:
    with pytest.raises(CannotTranslate):
        re2(pattern)


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("yyyy-MM-dd", "2024-02-29"),
        ("dd.MM.yyyy HH:mm:ss", "29.02.2024 23:59:58"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSS", "2024-02-29T23:59:58.123"),
        ("yyyyMMdd", "20240229"),
        ("d MMM uuuu", "9 Feb 2024"),
        ("hh:mm a", "11:30 PM"),
    ],
)
def test_a_java_date_format_reads_and_writes_its_dates(format: str, text: str) -> None:
    notation = strptime(format)
    row = duckdb.execute("SELECT strftime(strptime(?, ?), ?)", [text, notation, notation]).fetchone()
    assert row == (text,)


@pytest.mark.parametrize("format", ["yyyy[-MM]", "QQQ yyyy", "yyyy-MM-dd'T"])
def test_a_format_without_counterpart_is_told(format: str) -> None:
    assert strptime(format) is None
