"""The example mesh's own policies: four persons, one table, what each of them sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hanse.governance.columns import column_facts
from hanse.governance.decide import decide
from hanse.governance.decision import Clear, ColumnView, Decision, Grant, HashMask, Masked, Principal, TableFacts
from hanse.governance.policies import Policies, load
from hanse.names import ProductId, TableId
from hanse.spec.document import load as read
from hanse.spec.read import contract

from .world import CLASSES, DAY, NOON, ask, person

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
FLIGHTS = ProductId("operations", "flights")


def texts(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def held() -> Policies:
    read_policies, findings = load(
        texts(EXAMPLE / "policies"), "operations", texts(EXAMPLE / "operations" / "policies"), CLASSES
    )
    assert findings == []
    return read_policies


@pytest.fixture(scope="module")
def table() -> TableFacts:
    path = EXAMPLE / "operations" / "flights" / "flights.v1.odcs.yaml"
    document, _ = read(path.read_text(), path.name)
    assert document is not None
    promised, findings = contract(document)
    assert promised is not None, findings
    found = promised.table("flights")
    assert found is not None
    return TableFacts(TableId(FLIGHTS, 1, "flights"), column_facts(found), "request", "active", "operations")


def granted(team: str) -> Grant:
    return Grant(f"g-{team}", FLIGHTS, f"team:{team}", None, "restricted", frozenset(), NOON - DAY, NOON + DAY)


def asked(held: Policies, table: TableFacts, who: Principal, **changes: str) -> Decision:
    grants = [granted(team) for team in ("fleet", "experience", "analysts")]
    return decide(ask(who, **changes), table, grants, held)


def registration(decision: Decision) -> ColumnView:
    return decision.columns["tailnum",]


def test_fleet_sees_registrations(held: Policies, table: TableFacts) -> None:
    decision = asked(held, table, person("owner_fleet", "fleet"))
    assert isinstance(registration(decision), Clear)
    assert decision.is_clear


def test_a_tagged_registration_is_a_hash_to_consumers_and_the_owner(held: Policies, table: TableFacts) -> None:
    # masks.yaml singles registrations out by this tag; `*` up to restricted would show a column without it
    columns = tuple(
        replace(facts, tags=facts.tags | {"registration"}) if facts.path == ("tailnum",) else facts
        for facts in table.columns
    )
    table = replace(table, columns=columns)
    for who in (person("consumer", "experience"), person("owner_operations", "operations")):
        view = registration(asked(held, table, who))
        assert isinstance(view, Masked)
        assert view.mask == HashMask()
        assert "policies/masks.yaml:" in view.rule


def test_an_analyst_sees_only_the_rows_of_the_own_carrier(held: Policies, table: TableFacts) -> None:
    (rule,) = asked(held, table, person("analyst_aa", "analysts", carrier="AA")).rows
    assert rule.predicate == "carrier = 'AA'"


def test_a_stranger_finds_the_product_and_is_told_how_to_ask(held: Policies, table: TableFacts) -> None:
    decision = asked(held, table, person("stranger"))
    assert (decision.allowed, decision.discoverable, decision.code) == (False, True, "access.no-grant")
    assert decision.mend.startswith("hanse access request operations/flights")


def test_no_agent_sees_a_registration_whatever_the_domain_permits(held: Policies, table: TableFacts) -> None:
    assert isinstance(registration(asked(held, table, person("owner_fleet", "fleet"), protocol="mcp")), Masked)
