"""The flights mesh says the truth about its data, and each person sees what they may."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from hanse.node.project_files import read
from hanse.spec.project import project
from tests.demo import Demo

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
QUESTION = (
    "select carrier, count(*) as flights, count(distinct tailnum) as aircraft, min(tailnum) as first_tail "
    "from operations.flights group by carrier order by flights desc limit 1"
)
# the data's own defects, as examples/flights/data/README.md counts them
DEFECTS = {
    "operations/flights": {
        "repeated_day_keys": 24,
        "faster_than_600_mph": 4,
        "one_flight_to_lga": 1,
        "departure_at_2400": 29,
        "arrival_at_2400": 150,
        "delay_lost_after_departure": 1175,
        "missing_registration": 2512,
        "registration_form": 4,
        "arrived_without_air_time": 717,
        "tailnum": 50094,
        "dest": 7602,
    },
    "operations/carriers": {},
    "weather/observations": {"missing_hours": 165, "repeated_local_hours": 3, "impossible_wind": 1, "freshness": None},
    "fleet/aircraft": {"unknown_year": 70, "makers_under_several_names": 517},
    "fleet/utilisation": {},
    "network/airports": {"repeated_names": 18, "east_of_greenwich": 4, "time_zone_of_asia": 2, "no_time_zone": 3},
    "network/routes": {"unnamed_destinations": 7},
    "experience/delay_causes": {"flights_without_weather": 1556},
    "experience/punctuality": {},
}


def test_the_example_has_nothing_to_mend() -> None:
    _, findings = project(read(EXAMPLE))
    assert findings == []


def test_the_example_holds_to_the_whole_starter_pack() -> None:
    pack = files("hanse.governance") / "policies" / "publish"
    own = EXAMPLE / "policies" / "publish"
    assert {one.name: one.read_text() for one in pack.iterdir()} == {one.name: one.read_text() for one in own.iterdir()}


@pytest.mark.parametrize("product", DEFECTS)
def test_the_rules_find_exactly_the_defects_of_the_data(product: str, demo: Demo) -> None:
    done = demo.hanse("test", product, "--json", person=f"owner_{product.partition('/')[0]}")
    assert done.returncode == 0, done.stderr
    found = {r["name"]: r["measure"].get("value") for r in json.loads(done.stdout)["results"] if r["status"] != "pass"}
    assert set(found) == set(DEFECTS[product])
    for name, count in DEFECTS[product].items():
        assert count is None or found[name] == count


def _rows(demo: Demo, person: str, sql: str) -> list[dict[str, Any]]:
    done = demo.hanse("query", sql, "--as", "json", person=person)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return [dict(zip((column["name"] for column in answer["columns"]), row, strict=True)) for row in answer["rows"]]


def test_four_persons_ask_the_same_and_each_sees_what_they_may(demo: Demo) -> None:
    (clear,), (masked,), (filtered,) = (_rows(demo, p, QUESTION) for p in ("owner_fleet", "consumer", "analyst_aa"))
    assert clear == {"carrier": "UA", "flights": 58665, "aircraft": 620, "first_tail": "N11206"}
    assert {**masked, "first_tail": ""} == {**clear, "first_tail": ""}
    assert len(masked["first_tail"]) == 24
    assert int(masked["first_tail"], 16) >= 0
    assert (filtered["carrier"], filtered["flights"]) == ("AA", 32729)
    refused = demo.hanse("query", "select count(*) from fleet.aircraft", person="stranger")
    assert refused.returncode == 3
    assert "access.no-grant" in refused.stderr


def test_masked_registrations_still_join_within_operations(demo: Demo) -> None:
    sql = (
        "select count(*) as n from operations.flights a join operations.flights b "
        "on a.tailnum = b.tailnum and a.time_hour = b.time_hour and a.flight <> b.flight"
    )
    assert _rows(demo, "consumer", sql) == _rows(demo, "owner_fleet", sql)


def test_one_request_waits_for_the_owner_of_fleet(demo: Demo) -> None:
    done = demo.hanse("access", "list", "--json", person="owner_fleet")
    waiting = [one for one in json.loads(done.stdout)["requests"] if one["state"] == "waiting"]
    assert [(one["product"], one["to"]) for one in waiting] == [("fleet/utilisation", "person:analyst_aa")]


def test_the_audit_tells_every_read_with_its_purpose_and_every_refusal(demo: Demo) -> None:
    _rows(demo, "analyst_aa", "select count(*) from operations.flights")
    assert demo.hanse("query", "select 1 from operations.flights", person="steward").returncode == 3
    done = demo.hanse("audit", "--product", "operations/flights", "--json", person="owner_operations")
    told = [(one["principal"], one["outcome"], one["purpose"]) for one in json.loads(done.stdout)["entries"]]
    assert told[:2] == [("person:steward", "refused", None), ("person:analyst_aa", "answered", "reporting")]
