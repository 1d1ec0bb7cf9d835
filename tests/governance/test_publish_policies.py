"""Publish policies: their header, and the starter pack."""

from __future__ import annotations

import pytest

from hanse.governance.publish_policies import parse, starter_pack, starter_policies

from .world import findings

GOOD = "-- policy: owner-named\n-- severity: warn\n-- says: Every product names\n--   its owner.\n\nselect 1\nfrom x\n"


def test_a_policy_is_read_with_its_header() -> None:
    policy, found = parse("policies/publish/o.sql", GOOD)
    assert found == []
    assert policy is not None
    assert (policy.name, policy.severity, policy.line) == ("owner-named", "warn", 6)
    assert policy.description == "Every product names its owner."
    assert policy.sql == "select 1\nfrom x"


def test_a_policy_blocks_unless_it_says_otherwise() -> None:
    policy, _ = parse("x.sql", GOOD.replace("-- severity: warn\n", ""))
    assert policy is not None
    assert policy.severity == "block"
    assert policy.hash != parse("x.sql", GOOD)[0].hash  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (GOOD.replace("owner-named", "Owner Named"), 1, "no policy's name"),
        (GOOD.replace("-- policy: owner-named\n", ""), 1, "no name"),
        (GOOD.replace("warn", "wran"), 1, "severity 'wran'"),
        (GOOD.replace("-- severity", "-- severty"), 2, "no word"),
        (GOOD.replace("select 1\nfrom x\n", ""), 5, "no SELECT"),
        ("-- policy: a\nselect 1", 1, "what it wants"),
        ("-- policy: a\n-- policy: b\n-- says: x\nselect 1", 2, "twice"),
    ],
)
def test_a_header_with_a_fault_is_told(text: str, line: int, message: str) -> None:
    policy, found = parse("policies/publish/o.sql", text)
    assert policy is None
    assert [(f.code, f.line) for f in found] == [("policy.bad-publish-policy", line)]
    assert message in found[0].message


def test_two_policies_of_one_name_are_told() -> None:
    (found,) = findings({"publish/a.sql": GOOD}, {"publish/b.sql": GOOD})
    assert (found.code, found.file) == ("policy.bad-publish-policy", "sales/policies/publish/b.sql")


def test_a_fault_in_a_publish_policy_does_not_close_the_data() -> None:
    from hanse.governance.policies import load

    held, found = load({"publish/a.sql": "select 1"}, "sales", {}, ("public", "restricted"))
    assert found
    assert all(statement.id != "hanse.bad-policy" for statement in held.access.statements)


def test_the_starter_pack_holds_at_least_eight_policies_that_can_be_loaded() -> None:
    assert len(starter_pack()) == len(starter_policies()) >= 8
    assert findings({f"publish/{name}": text for name, text in starter_pack().items()}) == []
    assert len({policy.name for policy in starter_policies()}) == len(starter_policies())
