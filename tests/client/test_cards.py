"""How things print."""

from __future__ import annotations

from hanse.client.cards import Card, Grid, said


def test_null_and_the_empty_text_look_different() -> None:
    assert said(None) != said("")


def test_what_a_stranger_wrote_cannot_move_the_cursor_or_write_markup() -> None:
    grid = Grid(("a<b",), (("\x1b[2J<script>alert(1)</script>",),))
    assert "\x1b" not in grid.text()
    html = grid.html()
    assert "<script" not in html
    assert "\x1b" not in html


def test_numbers_stand_to_the_right() -> None:
    lines = Grid(("name", "count"), (("a", 1), ("bb", 1000))).text().splitlines()
    assert lines[2].endswith("    1")
    assert lines[3].endswith(" 1000")


def test_a_masked_column_is_marked() -> None:
    assert "background" in Grid(("m",), (("x",),), masked=frozenset({"m"})).html()
    assert "background" not in Grid(("m",), (("x",),)).html()


def test_a_card_is_whole_without_rows() -> None:
    card = Card("Orders", "sales/orders", "1.0.0", "active", "", {}, Grid(("column",), ()))
    assert card.text().splitlines()[0] == "Orders  sales/orders 1.0.0  active"
    assert "no rows" in card.html()
