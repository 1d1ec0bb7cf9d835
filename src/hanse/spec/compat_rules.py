"""What each kind of change to a contract means for those who read by it: one row a kind.

The question is always the consumer's. A promise that gets weaker (a value may come that could not come before, a column
is gone, less is visible) breaks what was built on it: major. A promise that gets stronger, or something new beside it,
breaks nothing that was promised: minor. Words that no program reads: patch. Where weaker and stronger cannot be told
apart, the change counts as major, except for quality rules, whose SQL is the owner's to word: those are minor.

So an enum, bound or length that *grows* is major, and one that shrinks is minor. The one exception is a type that
widens as Iceberg widens it (int to long, float to double, more decimal digits before the point at equal scale; the
length of a VARCHAR(n) is a part of its type too): every engine reads the wider type in place of the narrower, so it is
minor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum


class Step(IntEnum):
    """How far a version must move for a change."""

    PATCH = 0
    MINOR = 1
    MAJOR = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of change: its stable name, its step, and why, with what differs in braces."""

    name: str
    step: Step
    reason: str


def _table(step: Step, rows: Iterable[tuple[str, str]]) -> dict[str, Rule]:
    return {name: Rule(name, step, reason) for name, reason in rows}


RULES: Mapping[str, Rule] = {
    **_table(
        Step.MAJOR,
        (
            ("id-changed", "input ports name the contract by {old}; they would find nothing"),
            ("table-removed", "who reads the table finds nothing"),
            ("table-renamed", "who reads {old} finds nothing; it is called {new} now"),
            ("main-table-changed", "the product's own address meant {old} and would mean {new}"),
            ("column-removed", "who reads the column finds nothing"),
            ("column-renamed", "who reads {old} finds nothing; it is called {new} now"),
            ("type-narrowed", "{old} becomes {new}: values that were promised do not fit"),
            ("type-changed", "{old} becomes {new}: other values, other functions"),
            ("required-dropped", "it may be missing, which readers need not expect today"),
            ("unique-dropped", "a value may come twice, so joins may multiply rows"),
            ("primary-key-removed", "rows have no key any more; it was {old}"),
            ("primary-key-changed", "rows were known by {old} and would be known by {new}"),
            ("enum-grown", "values come that readers do not know: {new}"),
            ("enum-removed", "any value may come where only {old} could"),
            ("unit-changed", "the numbers mean {new} instead of {old}"),
            ("unit-removed", "nothing says any more that the numbers mean {old}"),
            ("format-changed", "texts are written as {new} instead of {old}"),
            ("format-removed", "nothing says any more that texts are written as {old}"),
            ("bound-loosened", "values come that could not come before: {new} instead of {old}"),
            ("bound-removed", "values come that could not come before: {old} no longer holds"),
            ("pattern-changed", "texts may come that do not match {old}"),
            ("pattern-removed", "texts come that do not match {old}"),
            ("classification-raised", "{new} instead of {old}: readers without that class see it masked or not at all"),
            ("rule-removed", "the data are no longer held to it"),
            ("rule-relaxed", "the data are held to less: {new} instead of {old}"),
            ("service-level-removed", "{old} is no longer promised"),
            ("service-level-worse", "{new} is promised instead of {old}"),
            ("relationship-removed", "joins over it may lose rows"),
        ),
    ),
    **_table(
        Step.MINOR,
        (
            ("table-added", "nobody reads it yet"),
            ("column-added", "nobody reads it yet"),
            ("type-widened", "{old} becomes {new}, which every engine reads in its place"),
            ("required-added", "it is never missing now"),
            ("unique-added", "no value comes twice now"),
            ("primary-key-added", "rows are known by {new} now"),
            ("enum-shrunk", "values no longer come: {old}"),
            ("enum-added", "only {new} can come now"),
            ("unit-added", "the numbers are said to mean {new}"),
            ("format-added", "texts are written as {new} now"),
            ("bound-tightened", "{new} holds instead of {old}, so less can come"),
            ("bound-added", "{new} holds now"),
            ("pattern-added", "texts match {new} now"),
            ("classification-lowered", "{new} instead of {old}: more readers see it"),
            ("rule-added", "the data are held to more"),
            ("rule-tightened", "the data are held to more: {new} instead of {old}"),
            ("rule-changed", "it asks something else; whether that is less, only its owner can tell"),
            ("warning-changed", "a rule that blocks nothing was {old} and is {new}"),
            ("service-level-added", "{new} is promised now"),
            ("service-level-better", "{new} is promised instead of {old}"),
            ("service-level-changed", "{new} is promised instead of {old}; which is better cannot be told"),
            ("relationship-added", "every row finds its partner now"),
        ),
    ),
    **_table(
        Step.PATCH,
        (
            ("physical-changed", "it is stored as {new} instead of {old}; the type stays"),
            ("column-moved", "columns are known by name, their order is not promised"),
            ("description-changed", "only words change"),
            ("tags-changed", "tags find and govern, they promise nothing"),
            ("servers-changed", "where the data lie is not what readers are promised"),
            ("status-changed", "{new} instead of {old}"),
            ("other-changed", "something changes that readers are not promised"),
        ),
    ),
}
