"""Which status may follow which."""

from __future__ import annotations

import itertools

import pytest

from hanse.spec.lifecycle import MOVES, may_move


@pytest.mark.parametrize("status", MOVES)
def test_staying_is_always_allowed(status: str) -> None:
    assert may_move(status, status)


def test_the_walk_of_a_life_is_allowed_in_order() -> None:
    life = ["proposed", "draft", "active", "deprecated", "retired"]
    assert all(may_move(a, b) for a, b in itertools.pairwise(life))


def test_a_deprecated_product_may_return_and_a_retired_one_may_not() -> None:
    assert may_move("deprecated", "active")
    assert not any(may_move("retired", other) for other in MOVES if other != "retired")


def test_nobody_s_product_goes_without_a_warning() -> None:
    assert not may_move("active", "retired")
    assert not may_move("active", "draft")
    assert not may_move("deprecated", "proposed")


def test_every_move_leads_to_a_known_status() -> None:
    assert {to for moves in MOVES.values() for to in moves} <= set(MOVES)
    assert not may_move("gone", "active")
