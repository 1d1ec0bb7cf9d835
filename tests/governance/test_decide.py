"""Decisions: who may read, what of each column, which rows, and why."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from hanse.governance.decide import decide, discoverable, fingerprint, permits
from hanse.governance.decision import (
    Action,
    Clear,
    ColumnFacts,
    Constant,
    Decision,
    HashMask,
    Hidden,
    Last,
    Masked,
    Null,
    Principal,
    PrincipalKind,
    Truncate,
)
from hanse.names import ProductId, TableId

from .world import ADA, BOB, DAY, GRANT, NOON, ORDERS, OWNER, ask, person, policies, product

PLAIN = policies()


def view(decision: Decision, *path: str) -> object:
    found = decision.columns[path]
    return found.mask if isinstance(found, Masked) else type(found)


def test_nobody_reads_a_product_on_request_without_a_grant() -> None:
    decision = decide(ask(BOB), ORDERS, [GRANT], PLAIN)
    assert (decision.allowed, decision.code) == (False, "access.no-grant")
    assert decision.discoverable
    assert decision.columns == {}
    assert "hanse access request sales/orders" in decision.mend


def test_everybody_reads_an_open_product_up_to_internal() -> None:
    decision = decide(ask(BOB), replace(ORDERS, access="open"), [], PLAIN)
    assert decision.allowed
    assert view(decision, "id") is Clear
    assert view(decision, "region") is Clear
    assert view(decision, "email") == Null()
    assert view(decision, "note") == Null()


def test_a_grant_ends_when_it_says() -> None:
    at_the_end = decide(ask(at=NOON), ORDERS, [replace(GRANT, until=NOON)], PLAIN)
    assert not at_the_end.allowed
    assert at_the_end.code == "access.ended"
    assert "2026-11-25" in at_the_end.because
    assert at_the_end.mend == "hanse access renew g-1"
    assert decide(ask(at=NOON), ORDERS, [replace(GRANT, since=NOON)], PLAIN).allowed


def test_a_revoked_grant_is_ended_and_says_when() -> None:
    decision = decide(ask(), ORDERS, [replace(GRANT, revoked_at=NOON)], PLAIN)
    assert decision.code == "access.ended"
    assert "revoked on 2026-11-25" in decision.because
    assert decide(ask(), ORDERS, [replace(GRANT, revoked_at=NOON + DAY / 2)], PLAIN).allowed


def test_a_grant_that_has_not_begun_is_no_grant_yet() -> None:
    decision = decide(ask(), ORDERS, [replace(GRANT, since=NOON + DAY / 2)], PLAIN)
    assert decision.code == "access.no-grant"
    assert "begins on" in decision.because


def test_a_grant_of_another_product_helps_nobody() -> None:
    other = replace(GRANT, product=ProductId("sales", "returns"))
    assert decide(ask(), ORDERS, [other], PLAIN).code == "access.no-grant"


def test_a_stated_purpose_must_be_one_of_the_grants() -> None:
    grant = replace(GRANT, purposes=frozenset({"reporting", "planning"}))
    assert decide(ask(purpose="reporting"), ORDERS, [grant], PLAIN).allowed
    wrong = decide(ask(purpose="marketing"), ORDERS, [grant], PLAIN)
    assert wrong.code == "access.purpose"
    assert "planning, reporting" in wrong.because
    assert decide(ask(), ORDERS, [grant], PLAIN).code == "access.purpose"


def test_an_unstated_purpose_is_the_grants_own_and_reaches_the_policies() -> None:
    grant = replace(GRANT, purposes=frozenset({"reporting"}))
    rule = 'forbid (principal, action, resource) when { context has purpose && context.purpose == "reporting" };'
    assert decide(ask(), ORDERS, [grant], PLAIN).allowed
    refused = decide(ask(), ORDERS, [grant], policies({"access/no.cedar": f'@id("no-reports") {rule}'}))
    assert refused.code == "access.forbidden"
    assert "no-reports (policies/access/no.cedar:1)" in refused.because


def test_forbid_wins_over_grants_owners_and_local_permits() -> None:
    federation = {"access/a.cedar": '@id("stop")\nforbid (principal, action == Action::"read", resource);'}
    local = {"access/b.cedar": 'permit (principal, action == Action::"read", resource);'}
    for principal in (ADA, BOB, OWNER):
        decision = decide(ask(principal), ORDERS, [GRANT], policies(federation, local))
        assert decision.code == "access.forbidden"
        assert "policies/access/a.cedar:1" in decision.because


def test_the_owner_team_and_sibling_products_read_without_a_grant() -> None:
    assert decide(ask(OWNER), ORDERS, [], PLAIN).allowed
    assert decide(ask(product("sales/board", "other")), ORDERS, [], PLAIN).allowed
    assert not decide(ask(product("growth/basket", "growth")), ORDERS, [], PLAIN).allowed


def test_what_a_team_was_granted_is_not_its_products() -> None:
    assert not decide(ask(product("growth/basket", "growth")), ORDERS, [GRANT], PLAIN).allowed
    own = replace(GRANT, to="product:growth/basket")
    assert decide(ask(product("growth/basket", "growth")), ORDERS, [own], PLAIN).allowed


def test_a_grant_of_all_columns_reaches_its_ceiling_and_no_further() -> None:
    decision = decide(ask(), ORDERS, [GRANT], PLAIN)
    assert view(decision, "region") is Clear
    assert view(decision, "email") == Null()
    raised = decide(ask(), ORDERS, [replace(GRANT, ceiling="restricted")], PLAIN)
    assert view(raised, "email") is Clear
    assert raised.columns["email",].because == "granted by g-1"  # type: ignore[union-attr]
    assert raised.grants == {"g-1"}


def test_columns_that_no_grant_covers_are_masked() -> None:
    decision = decide(ask(), ORDERS, [replace(GRANT, columns=frozenset({"email"}), ceiling=None)], PLAIN)
    assert view(decision, "email") is Clear
    assert view(decision, "id") == Null()


def test_a_column_without_classification_counts_as_the_strictest() -> None:
    assert view(decide(ask(OWNER), ORDERS, [], PLAIN), "note") == Null()


def test_owners_see_higher_classes_only_by_a_permit_of_their_own() -> None:
    assert view(decide(ask(OWNER), ORDERS, [], PLAIN), "email") == Null()
    local = {
        "access/own.cedar": 'permit (principal in Team::"kontor", action == Action::"unmask", resource)\n'
        'when { resource.classification == "restricted" };'
    }
    assert view(decide(ask(OWNER), ORDERS, [], policies(local=local)), "email") is Clear


MASKS = """
- {name: by-hash, classification: restricted, mask: hash}
- {name: pii-end, tag: pii, mask: {last: 4}}
"""


def test_the_strictest_rule_that_matches_masks_and_is_named_with_its_place() -> None:
    decision = decide(ask(), ORDERS, [GRANT], policies({"masks.yaml": MASKS}))
    assert decision.columns["email",] == Masked(HashMask(), "by-hash (policies/masks.yaml:2)")


def test_a_local_mask_only_tightens() -> None:
    softer = {"masks.yaml": "- {name: soft, classification: restricted, mask: {last: 4}}"}
    harder = {"masks.yaml": "- {name: hard, column: sales.orders.orders.email, mask: hide}"}
    federation = {"masks.yaml": MASKS}
    assert view(decide(ask(), ORDERS, [GRANT], policies(federation, softer)), "email") == HashMask()
    hidden = decide(ask(), ORDERS, [GRANT], policies(federation, harder))
    assert hidden.columns["email",] == Hidden("hard (sales/policies/masks.yaml:1)")


def test_a_column_or_tag_that_is_singled_out_is_masked_for_all_whom_no_grant_names_it() -> None:
    held = policies({"masks.yaml": "- {name: one, column: sales.orders.orders.region, mask: {constant: '***'}}"})
    star = [replace(GRANT, ceiling="restricted")]
    assert view(decide(ask(), ORDERS, star, held), "region") == Constant("***")
    assert view(decide(ask(OWNER), ORDERS, star, held), "region") == Constant("***")
    named = [replace(GRANT, columns=frozenset({"region"}))]
    assert view(decide(ask(), ORDERS, named, held), "region") is Clear
    tagged = policies({"masks.yaml": "- {name: tag, tag: pii, mask: hash}"})
    assert view(decide(ask(), ORDERS, star, tagged), "email") == HashMask()
    assert view(decide(ask(), ORDERS, star, tagged), "born") is Clear


def test_a_rule_for_a_pinned_product_is_about_that_major_only() -> None:
    held = policies({"masks.yaml": "- {name: one, column: sales.orders_v2.orders.region, mask: hash}"})
    assert view(decide(ask(), ORDERS, [GRANT], held), "region") is Clear
    second = replace(ORDERS, id=TableId(ORDERS.product, 2, "orders"))
    assert view(decide(ask(), second, [GRANT], held), "region") == HashMask()


def test_a_mask_that_does_not_fit_the_type_shows_nothing() -> None:
    rules = "- {name: year, classification: restricted, mask: {truncate: year}}"
    decision = decide(ask(), ORDERS, [GRANT], policies({"masks.yaml": rules}))
    assert view(decision, "born") == Truncate("year")
    assert view(decision, "email") == Null()


def test_a_nested_field_is_masked_by_its_path_and_its_parent_stays() -> None:
    rules = "- {name: ip, column: sales.orders.orders.attrs.ip, mask: {constant: 0.0.0.0}}"
    decision = decide(ask(), ORDERS, [GRANT], policies({"masks.yaml": rules}))
    assert view(decision, "attrs") is Clear
    assert view(decision, "attrs", "channel") is Clear
    assert view(decision, "attrs", "ip") == Constant("0.0.0.0")


def test_a_grant_of_a_nested_field_shows_it_alone_in_its_object() -> None:
    decision = decide(ask(), ORDERS, [replace(GRANT, columns=frozenset({"attrs.ip"}))], PLAIN)
    assert view(decision, "attrs") is Clear
    assert view(decision, "attrs", "ip") is Clear
    assert view(decision, "attrs", "channel") == Null()


def test_a_grant_of_an_object_covers_its_parts() -> None:
    decision = decide(ask(), ORDERS, [replace(GRANT, columns=frozenset({"attrs"}))], PLAIN)
    assert view(decision, "attrs", "ip") is Clear


def test_a_dotted_grant_means_the_column_of_that_name_where_there_is_one() -> None:
    table = replace(ORDERS, columns=(*ORDERS.columns, ColumnFacts(("attrs.ip",), ORDERS.columns[1].type, "internal")))
    decision = decide(ask(), table, [replace(GRANT, columns=frozenset({"attrs.ip"}))], PLAIN)
    assert view(decision, "attrs.ip") is Clear
    assert view(decision, "attrs", "ip") == Null()


def test_hiding_an_object_hides_its_parts_and_hiding_all_parts_hides_it() -> None:
    whole = policies({"masks.yaml": "- {name: h, column: sales.orders.orders.attrs, mask: hide}"})
    parts = policies(
        {
            "masks.yaml": "- {name: a, column: sales.orders.orders.attrs.ip, mask: hide}\n"
            "- {name: b, column: sales.orders.orders.attrs.channel, mask: hide}\n"
        }
    )
    for held in (whole, parts):
        decision = decide(ask(), ORDERS, [GRANT], held)
        assert view(decision, "attrs") is Hidden
        assert view(decision, "attrs", "channel") is Hidden
        assert view(decision, "attrs", "ip") is Hidden


def test_a_map_with_a_masked_part_is_null_as_a_whole() -> None:
    decision = decide(ask(), ORDERS, [GRANT], PLAIN)
    assert view(decision, "labels") == Null()
    assert view(decision, "labels", "{key}") == Null()


def test_an_object_without_a_class_is_as_mild_as_its_parts() -> None:
    decision = decide(ask(), ORDERS, [GRANT], PLAIN)
    assert view(decision, "items") is Clear
    assert view(decision, "items", "[]", "price") is Clear
    named = decide(ask(), ORDERS, [replace(GRANT, columns=frozenset({"items.price"}))], PLAIN)
    assert view(named, "items", "[]", "price") is Clear


ROWS = "-- table: sales.orders.orders\n-- to: team:growth\nregion = principal.region\n"


def test_a_row_policy_binds_those_it_names_with_their_attributes_as_literals() -> None:
    held = policies({"rows/region.sql": ROWS})
    emea = decide(ask(person("eve", "growth", region="EM'EA")), ORDERS, [GRANT], held)
    assert [rule.predicate for rule in emea.rows] == ["region = 'EM''EA'"]
    assert emea.rows[0].name == "region (policies/rows/region.sql:3)"
    assert decide(ask(OWNER), ORDERS, [], held).rows == ()


def test_a_missing_attribute_gives_no_rows() -> None:
    decision = decide(ask(), ORDERS, [GRANT], policies({"rows/region.sql": ROWS}))
    assert decision.allowed
    assert [rule.predicate for rule in decision.rows] == ["FALSE"]
    assert not decision.is_clear


def test_row_policies_of_federation_and_domain_both_hold() -> None:
    held = policies({"rows/a.sql": "-- tag: money\nid > 0"}, {"rows/b.sql": "-- table: sales.orders.orders\nid < 9"})
    assert [rule.predicate for rule in decide(ask(), ORDERS, [GRANT], held).rows] == ["id > 0", "id < 9"]
    assert decide(ask(), replace(ORDERS, tags=frozenset()), [GRANT], held).rows[0].predicate == "id < 9"


def test_on_behalf_of_both_must_be_allowed_and_the_stricter_view_holds() -> None:
    held = policies({"masks.yaml": MASKS, "rows/region.sql": ROWS})
    boss = person("zoe", "heads")
    own = replace(GRANT, id="g-2", to="person:zoe", columns=frozenset({"id", "email"}))
    both = decide(ask(boss, on_behalf_of=ADA), ORDERS, [GRANT, own], held)
    assert both.allowed
    assert view(both, "id") is Clear
    assert view(both, "email") == HashMask()
    assert view(both, "region") == Null()
    assert both.grants == {"g-1", "g-2"}
    assert [rule.predicate for rule in both.rows] == ["FALSE"]
    refused = decide(ask(ADA, on_behalf_of=BOB), ORDERS, [GRANT], held)
    assert refused.code == "access.no-grant"


def test_a_token_without_the_scope_read_reads_nothing() -> None:
    builder = replace(OWNER, scopes=frozenset({"build"}))
    assert decide(ask(builder), ORDERS, [], PLAIN).code == "access.scope"


def test_a_closed_product_is_found_by_its_owners_and_grantees_only() -> None:
    closed = replace(ORDERS, access="closed")
    assert not decide(ask(BOB), closed, [GRANT], PLAIN).discoverable
    assert decide(ask(OWNER), closed, [], PLAIN).discoverable
    assert decide(ask(), closed, [GRANT], PLAIN).discoverable
    other_purpose = [replace(GRANT, purposes=frozenset({"reporting"}))]
    assert decide(ask(purpose="x"), closed, other_purpose, PLAIN).discoverable
    assert not decide(ask(), closed, [replace(GRANT, until=NOON)], PLAIN).discoverable


def test_discovery_agrees_with_decisions_whatever_the_policies_can_tell_apart() -> None:
    local = {
        "access/d.cedar": 'forbid (principal, action == Action::"discover", resource)\n'
        'when { resource.product == "p3" && !(principal in Team::"growth") };\n'
        'forbid (principal, action == Action::"discover", resource) when { resource.tags.contains("t2") };'
    }
    for held in (PLAIN, policies(local=local)):
        tables = [
            replace(
                ORDERS,
                id=TableId(ProductId("sales", f"p{i}"), 1, f"p{i}"),
                access=("open", "request", "closed")[i % 3],
                owner_team=("kontor", "growth")[i % 2],
                tags=frozenset({f"t{i % 5}"}),
            )
            for i in range(30)
        ]
        for principal in (ADA, BOB, OWNER):
            request = ask(principal)
            alone = {table.id for table in tables if decide(request, table, [], held).discoverable}
            assert discoverable(request, tables, held) == alone
    assert discoverable(ask(BOB), [replace(ORDERS, access="closed")], PLAIN, {ORDERS.product}) == {ORDERS.id}


def test_an_answer_is_not_remembered_across_what_a_policy_can_tell_apart() -> None:
    held = policies(
        {
            "access/x.cedar": 'forbid (principal == Person::"ada", action, resource);\n'
            'forbid (principal, action, resource) when { principal.hasTag("left") &&'
            ' principal.getTag("left").contains("true") };\n'
            'forbid (principal, action, resource) when { context.protocol == "mcp" };\n'
            'forbid (principal, action, resource) when { context.at >= datetime("2026-11-26") };\n'
        }
    )
    assert decide(ask(person("eve", "growth")), ORDERS, [GRANT], held).allowed
    assert not decide(ask(), ORDERS, [GRANT], held).allowed
    assert not decide(ask(person("eve", "growth", left=True)), ORDERS, [GRANT], held).allowed
    assert not decide(ask(person("eve", "growth"), protocol="mcp"), ORDERS, [GRANT], held).allowed
    later = ask(person("eve", "growth"), at=NOON + DAY / 2)
    assert not decide(later, ORDERS, [GRANT], held).allowed
    assert decide(ask(person("eve", "growth")), replace(ORDERS, access="open"), [], held).columns != {}


def test_facts_that_change_are_decided_anew() -> None:
    assert decide(ask(BOB), ORDERS, [], PLAIN).code == "access.no-grant"
    assert decide(ask(BOB), replace(ORDERS, access="open"), [], PLAIN).allowed
    raised = tuple(replace(column, classification="restricted") for column in ORDERS.columns)
    decision = decide(ask(BOB), replace(ORDERS, access="open", columns=raised), [], PLAIN)
    assert view(decision, "id") == Null()


def test_a_policy_set_with_a_fault_refuses_everything() -> None:
    from hanse.governance.policies import load

    for files in (
        {"access/x.cedar": "permit (principal, resource);"},
        {"masks.yaml": "- {name: x, tag: t, mask: blur}"},
        {"rows/x.sql": "-- table: sales.orders.orders\nselect 1"},
    ):
        held, found = load(files, "sales", {}, ("public", "internal", "restricted"))
        assert found
        assert decide(ask(OWNER), ORDERS, [], held).code == "access.forbidden"


@pytest.mark.parametrize(
    ("action", "roles", "team", "expected"),
    [
        (Action.APPROVE, ["owner"], "x", True),
        (Action.APPROVE, ["steward"], "x", True),
        (Action.APPROVE, ["builder"], "kontor", False),
        (Action.PUBLISH, ["builder"], "x", True),
        (Action.PUBLISH, [], "kontor", True),
        (Action.PUBLISH, ["steward"], "x", False),
        (Action.ADMINISTER, ["owner"], "x", True),
        (Action.ADMINISTER, ["steward"], "kontor", False),
        (Action.AUDIT, ["auditor"], "x", True),
        (Action.AUDIT, [], "x", False),
        (Action.REQUEST, [], "x", True),
    ],
)
def test_roles_and_teams_permit_acts(action: Action, roles: list[str], team: str, expected: bool) -> None:
    principal = replace(person("p", team), scopes=frozenset({"read", "build", "administer"}))
    allowed, because = permits(
        principal, action, domain="sales", product="orders", owner_team="kontor", access="request",
        roles=roles, policies=PLAIN, at=NOON,
    )  # fmt: skip
    assert allowed is expected
    assert because


def test_an_act_needs_its_scope_and_a_product_never_approves() -> None:
    def may(principal: Principal) -> tuple[bool, str]:
        return permits(
            principal, Action.APPROVE, domain="sales", product="orders", owner_team="kontor", access="request",
            roles=["owner"], policies=PLAIN, at=NOON,
        )  # fmt: skip

    assert may(OWNER) == (False, "the token lacks the scope administer")
    assert may(replace(OWNER, scopes=frozenset({"administer"})))[0]
    own_product = Principal(
        PrincipalKind.PRODUCT, "sales/orders", frozenset({"kontor"}), MappingProxyType({}),
        frozenset({"administer"}), "sales",
    )  # fmt: skip
    assert not may(own_product)[0]


def test_a_fingerprint_tells_what_is_shown_and_not_to_whom_or_why() -> None:
    held = policies({"masks.yaml": MASKS, "rows/region.sql": ROWS})
    emea = decide(ask(person("a", "growth", region="EMEA")), ORDERS, [GRANT], held)
    same = decide(ask(person("b", "growth", region="EMEA")), ORDERS, [replace(GRANT, id="g-7")], held)
    other = decide(ask(person("c", "growth", region="APAC")), ORDERS, [GRANT], held)
    refused = decide(ask(BOB), ORDERS, [], held)
    assert fingerprint(emea) == fingerprint(same)
    assert len({fingerprint(d) for d in (emea, other, refused)}) == 3
    assert fingerprint(emea) != fingerprint(emea, b"salt")
    masked = replace(emea, columns={("email",): Masked(Last(3), "r")})
    assert fingerprint(masked) != fingerprint(replace(masked, columns={("email",): Masked(Last(4), "r")}))
    one, true = (replace(emea, columns={("x",): Masked(Constant(value), "r")}) for value in (1, True))
    assert fingerprint(one) != fingerprint(true)
