"""What search, show and lineage print, and the catalogue over HTTP, of the demo mesh."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.demo import Demo

DELAYS = "experience/delay_causes"


def test_search_prints_a_line_each_and_the_matching_columns_below(demo: Demo) -> None:
    done = demo.hanse("search", "delay", person="consumer")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["product", "title", "age", "state", "access", "purpose"]
    flights = next(number for number, line in enumerate(lines) if line.startswith("operations/flights"))
    assert lines[flights + 1] == "  columns  dep_delay, arr_delay"
    assert "3 products." in done.stderr
    assert "Next: hanse" in done.stderr


def test_a_mistyped_word_gets_the_nearest_spelling(demo: Demo) -> None:
    done = demo.hanse("search", "carier", person="consumer")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Nothing found; nearest spelling: carrier, carriers.\n\nmend: hanse search carrier\n"


def test_people_and_policies_are_told_below(demo: Demo) -> None:
    people = demo.hanse("search", "owner", "fleet", person="consumer").stdout
    assert "person  owner_fleet  Owner of fleet   fleet, owner" in people
    assert "policy  restricted-by-hash   federation, mask" in demo.hanse("search", "hash", person="consumer").stdout


def test_search_tells_one_document(demo: Demo) -> None:
    told = json.loads(demo.hanse("search", "--owner", "weather", "--json", person="consumer").stdout)
    assert (told["schema"], told["total"]) == ("hanse.products/1", 1)
    assert told["products"][0]["state"] == "warn"
    assert "older than promised" in told["products"][0]["because"]


def test_show_tells_people_promises_links_and_addresses(demo: Demo) -> None:
    shown = demo.hanse("show", "weather/observations", "--protocols", person="consumer").stdout
    for text in (
        "people    owner_weather (Owner of weather) owner",
        "promises  freshness 1 d   missed, newest 2013-12-30",
        "versions  observations 1.0.0 active",
        f"used by   {DELAYS} 1.0.0  warn",
        f"http  observations  {demo.url}/api/v1/products/weather/observations/tables/observations/rows?major=1",
    ):
        assert text in shown


def test_lineage_is_a_tree(demo: Demo) -> None:
    up = demo.hanse("lineage", DELAYS, "--up", person="consumer").stdout.splitlines()
    assert [line.split()[:2] for line in up] == [
        [DELAYS, "1.0.0"],
        ["|-", "network/airports"],
        ["|-", "operations/flights"],
        ["`-", "weather/observations"],
    ]
    both = demo.hanse("lineage", "network/routes", person="consumer").stdout.splitlines()
    assert [line.split()[0] for line in both] == ["network/routes", "made", "|-", "`-"]
    nothing = demo.hanse("lineage", "operations/nothing", person="consumer")
    assert nothing.returncode == 2


def test_lineage_of_columns_names_each(demo: Demo) -> None:
    told = demo.hanse("lineage", DELAYS, "--up", "--columns", person="consumer").stdout
    assert "minutes      operations.flights_v1.flights.dep_delay" in told
    assert "flights      no column of a product" in told


@pytest.mark.parametrize("asked", ["up=-1", "up=x", "down=1.5"])
def test_a_number_of_steps_is_a_number(demo: Demo, asked: str) -> None:
    headers = {"authorization": f"Bearer {demo.token('consumer')}"}
    refused = httpx.get(f"{demo.url}/api/v1/lineage/{DELAYS}?{asked}", headers=headers)
    assert refused.status_code == 400


def test_the_catalogue_is_read_by_rows_and_pages(demo: Demo) -> None:
    headers = {"authorization": f"Bearer {demo.token('consumer')}"}
    path = f"{demo.url}/api/v1/products/mesh/catalog"
    with httpx.Client(headers=headers) as client:
        assert client.get(path).json()["title"] == "Catalogue of the mesh"
        first = client.get(f"{path}/tables/products/rows", params={"select": "product", "limit": 5}).json()
        params = {"select": "product", "limit": 5, "cursor": first["next"]}
        second = client.get(f"{path}/tables/products/rows", params=params).json()
        assert len(first["rows"]) == 5
        assert len(second["rows"]) == 4
        assert client.get(f"{demo.url}/api/v1/lineage/mesh/catalog").json()["links"] == []
        assert client.get(f"{path}/tables/nothing/rows").status_code == 404
