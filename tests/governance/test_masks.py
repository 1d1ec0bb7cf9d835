"""Masks: their order, the types they fit, and how masks.yaml is read."""

from __future__ import annotations

import itertools

import pytest

from hanse.governance.decision import Bucket, Clear, Constant, HashMask, Hidden, Last, Mask, Masked, Null, Truncate
from hanse.governance.masks import fitted, spellings, strictest, strictness
from hanse.governance.view_words import mask_words, view_words
from hanse.spec.types import ListOf, Scalar

from .world import DATE, TEXT, WHOLE, findings, policies


def masked(mask: Mask) -> Masked:
    return Masked(mask, "r")


ORDER = [
    Clear(), masked(Last(8)), masked(Last(4)), masked(HashMask()), masked(Truncate("day")), masked(Truncate("month")),
    masked(Truncate("year")), masked(Constant("x")), masked(Null()), Hidden("r"),
]  # fmt: skip


def test_masks_are_ordered_from_clear_to_hidden() -> None:
    assert sorted([*ORDER[5:], *ORDER[:5]], key=strictness) == ORDER
    assert strictness(masked(Bucket(10))) == strictness(masked(Truncate(10)))
    for first, second in itertools.combinations(ORDER, 2):
        assert strictest([first, second]) == strictest([second, first]) == second


def test_of_equally_strict_rules_the_first_gives_the_reason() -> None:
    assert strictest([Masked(HashMask(), "a"), Masked(HashMask(), "b")]) == Masked(HashMask(), "a")


@pytest.mark.parametrize(
    ("mask", "type_", "fits"),
    [
        (Last(4), TEXT, True),
        (Last(4), WHOLE, False),
        (Truncate("year"), DATE, True),
        (Truncate("year"), TEXT, False),
        (Truncate(10), WHOLE, True),
        (Truncate(10), DATE, False),
        (Bucket(5), Scalar("decimal", 10, 2), True),
        (Bucket(5), TEXT, False),
        (Constant("x"), TEXT, True),
        (Constant(1), TEXT, False),
        (Constant(True), WHOLE, False),
        (Constant(2**31), Scalar("int32"), False),
        (Constant(1.5), Scalar("float64"), True),
        (Constant("2000-01-01"), DATE, True),
        (Constant("never"), DATE, False),
        (HashMask(), WHOLE, True),
        (HashMask(), ListOf(TEXT), False),
    ],
)
def test_a_mask_that_does_not_fit_becomes_null(mask: Mask, type_: Scalar, fits: bool) -> None:
    assert fitted(mask, type_) == (mask if fits else Null())


@pytest.mark.parametrize(
    ("written", "view"),
    [
        ("null", masked(Null())),
        ("hash", masked(HashMask())),
        ("hide", Hidden("r")),
        ("{constant: '***'}", masked(Constant("***"))),
        ("{constant: 0}", masked(Constant(0))),
        ("{last: 4}", masked(Last(4))),
        ("{bucket: 10}", masked(Bucket(10))),
        ("{truncate: month}", masked(Truncate("month"))),
        ("{truncate: 0.5}", masked(Truncate(0.5))),
    ],
)
def test_every_mask_can_be_written(written: str, view: object) -> None:
    (rule,) = policies({"masks.yaml": f"- {{name: n, tag: t, mask: {written}}}"}).masks
    shown = Masked(rule.view.mask, "r") if isinstance(rule.view, Masked) else Hidden("r")
    assert shown == view


@pytest.mark.parametrize(
    ("text", "place", "message", "mend"),
    [
        ("name: x", "1:1", "no list", "dash"),
        ("- {nmae: x, tag: t, mask: hash}", "1:10", "'nmae'", "name"),
        ("- {tag: t, mask: hash}", "1:3", "no name", "name:"),
        ("- {name: x, tag: t, classification: public, mask: hash}", "1:3", "exactly one", ""),
        ("- name: x\n  classification: restricetd\n  mask: hash", "2:19", "no classification", "restricted"),
        ("- name: x\n  tag: t\n  mask: hsah", "3:9", "no mask", "hash"),
        ("- name: x\n  tag: t\n  mask: {last: -1}", "3:9", "no mask", "{last: 4}"),
        ("- name: x\n  tag: t\n  mask: {truncate: 0}", "3:9", "no mask", "year"),
        ("- name: x\n  tag: t", "1:3", "no mask", "null"),
        ("- name: x\n  column: sales.orders\n  mask: hash", "2:11", "no column", "domain.product"),
        ("- {name: x, tag: t, mask: hash}\n- {name: x, tag: u, mask: hash}", "2:3", "two rules", "rename"),
        ("- 7", "1:3", "mapping", "name"),
    ],
)
def test_a_rule_that_cannot_be_read_is_told_with_its_place(text: str, place: str, message: str, mend: str) -> None:
    (found,) = findings({"masks.yaml": text})
    assert found.code == "policy.bad-mask"
    assert (f"policies/masks.yaml:{place}", True) == (str(found.place), message in found.message)
    assert mend in found.mend


def test_a_local_rule_about_another_domain_is_refused() -> None:
    (found,) = findings(local={"masks.yaml": "- {name: x, column: hr.people.people.pay, mask: hash}"})
    assert (found.code, found.file) == ("policy.foreign-table", "sales/policies/masks.yaml")


def test_all_findings_are_told_at_once() -> None:
    assert len(findings({"masks.yaml": "- {name: a, tag: t}\n- {name: b, tag: t, mask: blur}"})) == 2
    assert findings({"masks.yaml": "[]"}) == []


def test_paths_are_spelled_with_and_without_marks() -> None:
    assert spellings(("items", "[]", "price")) == ("items.[].price", "items.price")
    assert spellings(("a.b",)) == ("a.b",)


def test_masks_are_told_in_words() -> None:
    for mask in (Null(), Constant("x"), Bucket(5), Truncate("year"), Truncate(10), HashMask(), Last(4), Last(0)):
        assert mask_words(mask)
    assert view_words(Hidden("rule")) == "hidden: rule"
    assert view_words(Clear("granted by g-1")) == "clear: granted by g-1"
