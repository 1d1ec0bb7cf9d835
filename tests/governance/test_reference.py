"""Decisions against a reference model, written from the words of the design: no Cedar, no class, no memory."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hanse.governance.decide import decide
from hanse.governance.decision import (
    Clear,
    ColumnFacts,
    ColumnView,
    Constant,
    Grant,
    HashMask,
    Hidden,
    Last,
    Masked,
    Null,
    Principal,
    PrincipalKind,
    Request,
    TableFacts,
    Truncate,
)
from hanse.governance.policies import Policies, load
from hanse.names import ProductId, TableId
from hanse.spec.types import Field, Scalar, Struct

from .world import CLASSES, DATE, NOON, TEXT, WHOLE

HOURS = timedelta(hours=1)
SALES, OTHER = ProductId("sales", "orders"), ProductId("sales", "returns")
BOX = Struct((Field("a", TEXT), Field("b", WHOLE)))

FEDERATION_MASKS = """
- {name: by-hash, classification: restricted, mask: hash}
- {name: pii, tag: pii, mask: {last: 2}}
- {name: gone, tag: secret, mask: hide}
"""
LOCAL_MASKS = """
- {name: year, column: sales.orders.orders.born, mask: {truncate: year}}
- {name: star, column: sales.orders.orders.box.a, mask: {constant: '*'}}
"""
FEDERATION_ACCESS = """
forbid (principal, action == Action::"unmask", resource)
when { resource.classification == "restricted" && context.protocol == "mcp" };
forbid (principal, action == Action::"read", resource)
when { context has purpose && context.purpose == "marketing" };
forbid (principal == Person::"mallory", action, resource);
"""
LOCAL_ACCESS = """
permit (principal in Team::"fleet", action == Action::"unmask", resource)
when { resource.classification == "restricted" && resource.granted };
permit (principal, action == Action::"read", resource)
when { principal.hasTag("clearance") && principal.getTag("clearance").contains("high") };
forbid (principal, action == Action::"discover", resource) when { resource.status == "draft" };
forbid (principal, action == Action::"read", resource) when { resource.tags.contains("frozen") };
"""
ROWS = {
    "rows/a.sql": "-- table: sales.orders.orders\n-- to: team:fleet, person:bob\nregion = principal.region",
    "rows/b.sql": "-- tag: money\nid > 0",
}


@dataclass(frozen=True)
class Ruled:
    """A set of policies, and whether each of its parts is in it."""

    policies: Policies
    federation: bool
    local: bool


def ruled(federation: bool, local: bool) -> Ruled:
    shared = {"masks.yaml": FEDERATION_MASKS, "access/f.cedar": FEDERATION_ACCESS, "rows/b.sql": ROWS["rows/b.sql"]}
    own = {"masks.yaml": LOCAL_MASKS, "access/l.cedar": LOCAL_ACCESS, "rows/a.sql": ROWS["rows/a.sql"]}
    read, findings = load(shared if federation else {}, "sales", own if local else {}, CLASSES)
    assert findings == []
    return Ruled(read, federation, local)


@dataclass(frozen=True)
class Expected:
    allowed: bool
    discoverable: bool
    code: str
    rows: frozenset[str]
    columns: Mapping[tuple[str, ...], object]
    grants: frozenset[str]


def expected(request: Request, table: TableFacts, grants: Sequence[Grant], held: Ruled) -> Expected:
    """What the words say about `request`."""
    first = one(request, request.principal, table, grants, held)
    if request.on_behalf_of is None:
        return first
    second = one(request, request.on_behalf_of, table, grants, held)
    found = first.discoverable and second.discoverable
    if not (first.allowed and second.allowed):
        return Expected(False, found, first.code if not first.allowed else second.code, frozenset(), {}, frozenset())
    columns = {path: max(first.columns[path], second.columns[path], key=order) for path in first.columns}
    return Expected(True, found, "", first.rows | second.rows, columns, first.grants | second.grants)


def order(shown: Any) -> tuple[int, int]:
    """hidden > null > constant > truncate > hash > last > clear; the fewer characters are left the stricter."""
    kinds = ["clear", Last, HashMask, Truncate, Constant, Null, "hidden"]
    place = kinds.index(shown if isinstance(shown, str) else type(shown))
    return place, -shown.count if isinstance(shown, Last) else 0


def one(request: Request, who: Principal, table: TableFacts, grants: Sequence[Grant], held: Ruled) -> Expected:
    is_person = who.kind is PrincipalKind.PERSON
    mine = [
        g for g in grants
        if g.product == table.product
        and (g.to == who.id or (is_person and g.to in {f"team:{team}" for team in who.teams}))
    ]  # fmt: skip
    live = [g for g in mine if g.since <= request.at < g.until and not (g.revoked_at and g.revoked_at <= request.at)]
    purpose = request.purpose
    wanted = set().union(*(g.purposes for g in live)) if live else set()
    if purpose is None and len(wanted) == 1:
        purpose = wanted.pop()
    holding = [g for g in live if not g.purposes or purpose in g.purposes]
    owner = table.owner_team in who.teams
    at_home = owner or (not is_person and who.domain == "sales")
    banned = held.federation and is_person and who.name == "mallory"

    discoverable = table.access != "closed" or at_home or bool(live)
    if banned or (held.local and table.status == "draft"):
        discoverable = False

    cleared = held.local and "high" in who.attributes.get("clearance", ())
    readable = bool(holding) or at_home or table.access == "open" or cleared
    forbidden = banned or (held.federation and purpose == "marketing") or (held.local and "frozen" in table.tags)
    if forbidden or not readable:
        if forbidden:
            code = "access.forbidden"
        elif live:
            code = "access.purpose"
        elif any(min(g.until, g.revoked_at or g.until) <= request.at for g in mine):
            code = "access.ended"
        else:
            code = "access.no-grant"
        return Expected(False, discoverable, code, frozenset(), {}, frozenset())

    rows = set()
    if held.federation and "money" in table.tags:
        rows.add("id > 0")
    if held.local and (who.id == "person:bob" or "fleet" in who.teams):
        region = who.attributes.get("region")
        quoted = str(region).replace("'", "''")
        rows.add("FALSE" if region is None else f"region = '{quoted}'")
    columns: dict[tuple[str, ...], object] = {}
    for column in table.columns:
        own = shown(column, table, who, holding, at_home, request.protocol, held)
        whole = columns.get(column.path[:-1])
        if whole == "hidden":
            own = "hidden"
        elif whole not in (None, "clear") and own != "hidden":
            own = Null()
        columns[column.path] = own
    if all(columns[path] == "hidden" for path in columns if len(path) == 2):
        columns["box",] = "hidden"
    return Expected(True, discoverable, "", frozenset(rows), columns, frozenset(g.id for g in holding))


def shown(
    column: ColumnFacts, table: TableFacts, who: Principal, holding: Sequence[Grant], at_home: bool, protocol: str,
    held: Ruled,
) -> object:  # fmt: skip
    path, inner = column.path, [c for c in table.columns if c.path[:-1] == column.path]
    above = next((c for c in table.columns if c.path == path[:-1]), None)

    def rank(facts: ColumnFacts) -> int:
        return len(CLASSES) - 1 if facts.classification is None else CLASSES.index(facts.classification)

    if column.classification is None and above is not None and above.classification is not None:
        level = rank(above)
    elif column.classification is None and inner:
        level = min(rank(c) for c in inner)
    else:
        level = rank(column)
    tags = column.tags | (above.tags if above else frozenset())
    named = covered = False
    for grant in holding:
        if grant.columns is None:
            covered = covered or (grant.ceiling is not None and level <= CLASSES.index(grant.ceiling))
        else:
            words = {".".join(path), path[0], *(".".join(c.path) for c in inner)}
            named = named or bool(words & grant.columns)
    covered = covered or named

    masks: list[object] = []
    singled = False
    if held.federation:
        masks += [HashMask()] if level == 2 else []
        masks += [Last(2)] if "pii" in tags else []
        masks += ["hidden"] if "secret" in tags else []
        singled = bool(tags & {"pii", "secret"})
    if held.local:
        masks += [Truncate("year")] if path == ("born",) else []
        masks += [Constant("*")] if path == ("box", "a") else []
        singled = singled or path in (("born",), ("box", "a"))
    masks = [fit(mask, column) for mask in masks] or [Null()]

    may = covered and (named or not singled)
    may = may or ((at_home or table.access == "open") and level <= 1 and not singled)
    may = may or (held.local and "fleet" in who.teams and level == 2 and covered)
    if held.federation and ((level == 2 and protocol == "mcp") or who.id == "person:mallory"):
        may = False
    return "clear" if may else max(masks, key=order)


def fit(mask: object, column: ColumnFacts) -> object:
    if isinstance(mask, str | Null):
        return mask
    text = isinstance(column.type, Scalar) and column.type.name == "string"
    fits = {Last: text, Constant: text, Truncate: column.type == DATE, HashMask: isinstance(column.type, Scalar)}
    return mask if fits[type(mask)] else Null()


def plain(view: ColumnView) -> object:
    if isinstance(view, Clear):
        return "clear"
    return "hidden" if isinstance(view, Hidden) else view.mask if isinstance(view, Masked) else view


def some(dice: random.Random, *options: Any) -> frozenset[Any]:
    return frozenset(option for option in options if dice.random() < 0.3)


def a_principal(dice: random.Random) -> Principal:
    attributes: dict[str, Any] = {}
    if dice.random() < 0.5:
        attributes["region"] = dice.choice(["EMEA", "O'Hara", ""])
    if dice.random() < 0.2:
        attributes["clearance"] = dice.choice([["high"], ["low"], ["low", "high"]])
    teams = some(dice, "growth", "fleet", "kontor")
    if dice.random() < 0.3:
        name = dice.choice(["sales/board", "growth/basket"])
        return Principal(PrincipalKind.PRODUCT, name, teams, attributes, domain=name.partition("/")[0])
    return Principal(PrincipalKind.PERSON, dice.choice(["ada", "bob", "mallory", "eve"]), teams, attributes)


def a_table(dice: random.Random) -> TableFacts:
    def column(type_: Any, *path: str) -> ColumnFacts:
        return ColumnFacts(path, type_, dice.choice([*CLASSES, None]), some(dice, "pii", "secret", "other"))

    columns = (
        column(WHOLE, "id"), column(TEXT, "region"), column(TEXT, "email"), column(DATE, "born"),
        column(BOX, "box"), column(TEXT, "box", "a"), column(WHOLE, "box", "b"),
    )  # fmt: skip
    return TableFacts(
        TableId(SALES, 1, "orders"), columns, dice.choice(["open", "request", "closed"]),
        dice.choice(["active", "draft"]), "kontor", some(dice, "money", "frozen"),
    )  # fmt: skip


def a_grant(dice: random.Random, number: int) -> Grant:
    star = dice.random() < 0.5
    return Grant(
        f"g-{number}",
        dice.choice([SALES, SALES, SALES, OTHER]),
        dice.choice(["person:ada", "person:bob", "team:growth", "team:fleet", "product:growth/basket", "person:eve"]),
        None if star else some(dice, "id", "email", "born", "box", "box.a", "box.b"),
        dice.choice([*CLASSES, None]) if star else None,
        some(dice, "reporting", "marketing"),
        NOON + dice.choice([-5, -2, 0, 1]) * HOURS,
        NOON + dice.choice([-1, 0, 1, 4, 4]) * HOURS,
        dice.choice([None, None, None, NOON, NOON + HOURS]),
    )


def test_decisions_equal_the_reference_model_on_random_cases() -> None:
    dice = random.Random(20261125)
    sets = [ruled(federation, local) for federation in (False, True) for local in (False, True)]
    seen: dict[str, int] = {}
    for case in range(4_000):
        held, table = dice.choice(sets), a_table(dice)
        grants = [a_grant(dice, number) for number in range(dice.randrange(6))]
        request = Request(
            a_principal(dice), NOON + dice.choice([-1, 0, 0, 0, 1]) * HOURS, dice.choice(["http", "mcp"]),
            dice.choice([None, None, "reporting", "marketing"]),
            a_principal(dice) if dice.random() < 0.2 else None,
        )  # fmt: skip
        wanted = expected(request, table, grants, held)
        decision = decide(request, table, grants, held.policies)
        found = Expected(
            decision.allowed, decision.discoverable, decision.code,
            frozenset(rule.predicate for rule in decision.rows),
            {path: plain(view) for path, view in decision.columns.items()}, decision.grants,
        )  # fmt: skip
        assert found == wanted, (case, request, table, grants, held.federation, held.local)
        seen[decision.code] = seen.get(decision.code, 0) + 1
        for shown_as in map(str, found.columns.values()):
            seen[shown_as] = seen.get(shown_as, 0) + 1
    # the cases are worth something only if every outcome occurs among them, often
    outcomes = ["", "access.no-grant", "access.ended", "access.purpose", "access.forbidden", "clear", "hidden"]
    masks = [Null(), HashMask(), Last(2), Constant("*"), Truncate("year")]
    rare = {outcome: seen.get(outcome, 0) for outcome in [*outcomes, *map(str, masks)] if seen.get(outcome, 0) < 10}
    assert rare == {}


def test_asking_again_gives_the_same_answer() -> None:
    held = ruled(True, True)
    dice = random.Random(7)
    for _ in range(100):
        table, principal = a_table(dice), a_principal(dice)
        grants = [a_grant(dice, number) for number in range(4)]
        request = Request(principal, NOON)
        first = decide(request, table, grants, held.policies)
        assert decide(request, replace(table), list(reversed(grants)), held.policies) == first
