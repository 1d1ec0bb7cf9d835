"""keep: what it says, over what the domain says, and what it cannot say."""

from __future__ import annotations

from typing import Any

import pytest

from hanse.spec.keep import Keep, keep


def test_what_a_product_leaves_out_its_domain_says() -> None:
    domain = keep({"days": 90, "at_least": 3, "audit": "1 y"})
    assert domain == Keep(90, 3)
    assert keep({"days": 7}, domain) == Keep(7, 3)
    assert keep(None, domain) == domain


def test_without_days_everything_is_kept() -> None:
    assert keep(None).days is None
    assert keep({"at_least": 5}) == Keep(None, 5)


@pytest.mark.parametrize(
    "tree", [3, {"days": -1}, {"days": "90 d"}, {"days": True}, {"at_least": 0}, {"at_least": 1.5}, {"days": 10**9}]
)
def test_a_value_that_is_none_is_told_and_forgets_nothing_more(tree: Any) -> None:
    told: list[str] = []
    made = keep(tree, Keep(30, 2), lambda key, message, mend: told.append(f"{key}: {message}; {mend}"))
    assert len(told) == 1
    assert made == Keep(30, 2)
