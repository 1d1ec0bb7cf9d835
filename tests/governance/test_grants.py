"""Grants: what they cover, and that what was agreed cannot be changed unseen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from hanse.governance.decision import Grant
from hanse.governance.grants import canonical, covers, is_live, sign, standing, verify
from hanse.governance.keys import new_key, public_pem

from .world import ADA, CLASSES, DAY, GRANT, NOON, ORDERS

KEY = new_key()


def test_all_columns_reach_the_ceiling() -> None:
    assert covers(GRANT, ("id",), "public", CLASSES)
    assert covers(GRANT, ("id",), "internal", CLASSES)
    assert not covers(GRANT, ("id",), "restricted", CLASSES)
    assert not covers(GRANT, ("id",), None, CLASSES)
    assert not covers(GRANT, ("id",), "secret", CLASSES)
    assert not covers(replace(GRANT, ceiling=None), ("id",), "public", CLASSES)
    assert not covers(replace(GRANT, ceiling="gone"), ("id",), "public", CLASSES)


def test_named_columns_are_covered_whatever_their_class_and_with_their_parts() -> None:
    grant = replace(GRANT, columns=frozenset({"attrs", "items.price"}))
    assert covers(grant, ("attrs",), None, CLASSES)
    assert covers(grant, ("attrs", "ip"), "restricted", CLASSES)
    assert covers(grant, ("items", "[]", "price"), None, CLASSES)
    assert not covers(grant, ("items",), "public", CLASSES)
    assert not covers(grant, ("attr",), "public", CLASSES)


def test_a_grant_covers_only_while_it_holds_and_for_its_purposes() -> None:
    grant = replace(GRANT, purposes=frozenset({"reporting"}))
    assert covers(grant, ("id",), "public", CLASSES, purpose="reporting", at=NOON)
    assert not covers(grant, ("id",), "public", CLASSES, purpose="planning", at=NOON)
    assert not covers(grant, ("id",), "public", CLASSES, purpose="reporting", at=grant.until)
    assert is_live(grant, grant.since)
    assert not is_live(replace(grant, revoked_at=NOON), NOON)


def test_an_unstated_purpose_is_that_of_all_grants_or_of_none() -> None:
    one = replace(GRANT, purposes=frozenset({"a"}))
    two = replace(GRANT, id="g-2", purposes=frozenset({"b"}))
    free = replace(GRANT, id="g-3")
    assert standing([one], ADA, ORDERS.product, None, NOON).purpose == "a"
    assert standing([one, two], ADA, ORDERS.product, None, NOON).code == "access.purpose"
    mixed = standing([one, two, free], ADA, ORDERS.product, None, NOON)
    assert (mixed.holding, mixed.purpose) == ((free,), None)


def test_of_ended_grants_the_last_is_told() -> None:
    ended = [replace(GRANT, id=f"g-{n}", until=NOON - n * timedelta(hours=1)) for n in (3, 1, 2)]
    assert standing(ended, ADA, ORDERS.product, None, NOON).mend == "hanse access renew g-1"


@pytest.mark.parametrize(
    "changed",
    [
        replace(GRANT, id="g-2"),
        replace(GRANT, to="team:fleet"),
        replace(GRANT, columns=frozenset({"id"})),
        replace(GRANT, ceiling="restricted"),
        replace(GRANT, purposes=frozenset({"x"})),
        replace(GRANT, until=GRANT.until + DAY),
        replace(GRANT, since=GRANT.since - DAY),
        replace(GRANT, by="person:eve"),
        replace(GRANT, why="because"),
    ],
)
def test_a_signature_holds_for_exactly_what_was_agreed(changed: Grant) -> None:
    signature = sign(GRANT, KEY)
    assert verify(GRANT, signature, public_pem(KEY))
    assert not verify(changed, signature, public_pem(KEY))


def test_a_revocation_leaves_the_agreement_signed() -> None:
    assert verify(replace(GRANT, revoked_at=NOON), sign(GRANT, KEY), public_pem(KEY))


def test_another_key_or_a_broken_signature_does_not_verify() -> None:
    assert not verify(GRANT, sign(GRANT, new_key()), public_pem(KEY))
    assert not verify(GRANT, "no signature", public_pem(KEY))


def test_the_same_moment_in_another_zone_is_the_same_agreement() -> None:
    east = timezone(timedelta(hours=5))
    moved = replace(GRANT, since=GRANT.since.astimezone(east), until=GRANT.until.astimezone(east))
    assert canonical(moved) == canonical(GRANT)
