"""The surface of HTTP: formats, pages, limits, headers, runs and events, asked of the demo."""

from __future__ import annotations

import asyncio
import io
import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyarrow as pa
import pytest
import yaml
from pyarrow import csv, parquet

from hanse.governance.identity import LEEWAY, LONGEST_LIFETIME, issue
from hanse.node.layout import mesh_of
from hanse.node.people import ISSUER, audience, issuer_key
from hanse.protocols.http.streams import OF_ONE, Streams
from tests.demo import Demo
from tests.protocols.conftest import Caller

QUERY = "/api/v1/query"
FLIGHTS = "/api/v1/products/operations/flights"
ROWS = f"{FLIGHTS}/tables/flights/rows"
SQL = "select carrier, count(*) as flights from operations.flights group by 1 order by 1"
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"


def test_every_format_gives_the_same_answer(caller: Caller) -> None:
    client = caller("consumer")

    def asked(accept: str) -> bytes:
        answer = client.post(QUERY, json={"sql": SQL}, headers={"accept": accept})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(accept)
        return answer.content

    rows = json.loads(asked("application/json"))["rows"]
    assert len(rows) == 16
    assert [list(json.loads(line).values()) for line in asked("application/x-ndjson").splitlines()] == rows
    tables = [
        csv.read_csv(io.BytesIO(asked("text/csv"))),
        parquet.read_table(io.BytesIO(asked(PARQUET))),
        pa.ipc.open_stream(asked(ARROW)).read_all(),
    ]
    for table in tables:
        assert [list(row.values()) for row in table.to_pylist()] == rows


def test_an_answer_tells_what_shaped_it(caller: Caller) -> None:
    answer = caller("analyst_aa").post(QUERY, json={"sql": "select tailnum from operations.flights limit 1"})
    assert json.loads(answer.headers["hanse-publications"]) == {"operations.flights_v1.flights": 1}
    rules = json.loads(answer.headers["hanse-policies"])["operations.flights_v1.flights"]
    assert [rule.split(" ")[0] for rule in rules] == ["own_carrier", "restricted-by-hash"]
    told = answer.json()
    assert told["masked"] == ["tailnum"]
    assert told["id"] == answer.headers["hanse-query-id"]


def test_a_large_answer_streams_but_not_as_one_json_document(caller: Caller) -> None:
    client = caller("consumer")
    sql = {"sql": "select * from operations.flights"}
    refused = client.post(QUERY, json=sql)
    assert (refused.status_code, refused.json()["code"]) == (400, "query.too-many-rows")
    assert "10000" in refused.json()["detail"]
    with client.stream("POST", QUERY, json=sql, headers={"accept": ARROW}) as answer:
        reader = pa.ipc.open_stream(b"".join(answer.iter_bytes()))
        assert reader.read_all().num_rows == 336_776


def test_a_stated_limit_is_no_error(caller: Caller) -> None:
    answer = caller("consumer").post(QUERY, json={"sql": "select * from operations.flights", "limit": 10})
    assert len(answer.json()["rows"]) == 10


def test_parameters_are_values_and_never_text(caller: Caller) -> None:
    sql = "select count(*) from operations.flights where carrier = $1"
    client = caller("consumer")
    assert client.post(QUERY, json={"sql": sql, "parameters": ["AA"]}).json()["rows"] == [[32729]]
    assert client.post(QUERY, json={"sql": sql, "parameters": ["AA' or true --"]}).json()["rows"] == [[0]]


def test_who_leaves_ends_the_question(caller: Caller) -> None:
    client = caller("consumer")
    with client.stream("POST", QUERY, json={"sql": "select * from operations.flights"}, headers={"accept": ARROW}) as a:
        next(a.iter_bytes(1000))
    for _ in range(200):
        entries = caller("owner_operations").get("/api/v1/audit", params={"principal": "consumer", "limit": 5}).json()
        if entries["entries"][0]["outcome"] == "cancelled":
            return
        time.sleep(0.1)
    raise AssertionError(f"the question still runs: {entries['entries'][0]}")


def test_an_unknown_format_is_refused_with_those_there_are(caller: Caller) -> None:
    answer = caller("consumer").post(QUERY, json={"sql": "select 1"}, headers={"accept": "text/html"})
    assert answer.status_code == 406
    assert "text/csv" in answer.json()["mend"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"sql": ""}, 400),
        ({"sql": 1}, 400),
        ({"sql": "select 1", "limt": 3}, 400),
        ({"sql": "x" * 300_000}, 400),
        ({"sql": "select 1; select 2"}, 403),
        ({"sql": "select nope from operations.flights"}, 400),
        ({"sql": "select * from nowhere.nothing"}, 404),
    ],
)
def test_a_bad_question_is_told_so(body: dict[str, object], status: int, caller: Caller) -> None:
    answer = caller("consumer").post(QUERY, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["code"]


def test_a_body_must_be_json(caller: Caller) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = caller("consumer").post(QUERY, content="sql=select 1", headers=headers)
    assert answer.status_code == 415


def test_pages_tell_every_row_once(caller: Caller) -> None:
    client = caller("consumer")
    params = {"select": "flight,carrier", "where": "dest = 'ANC'", "order": "-flight,carrier", "limit": "3"}
    seen, pages = [], 0
    while True:
        told = client.get(ROWS, params=params).json()
        seen += told["rows"]
        pages += 1
        if told["next"] is None:
            break
        params["cursor"] = told["next"]
    whole = client.post(
        QUERY, json={"sql": "select flight, carrier from operations.flights where dest = 'ANC' order by 1 desc, 2"}
    ).json()["rows"]
    assert seen == whole
    assert pages == len(whole) // 3 + 1
    stolen = caller("owner_fleet").get(ROWS, params=params)
    assert (stolen.status_code, "cursor" in stolen.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    "where",
    [
        "true) union select 1 --",
        "1=1; drop table x",
        "tailnum in (select name from people)",
        "exists(from duckdb_settings())",
    ],
)
def test_a_predicate_gets_nothing_that_a_question_would_not(where: str, caller: Caller) -> None:
    answer = caller("consumer").get(ROWS, params={"where": where, "limit": "1"})
    assert answer.status_code in (400, 403, 404)


def test_a_product_is_read_as_json_or_as_its_documents(caller: Caller) -> None:
    client = caller("consumer")
    told = client.get(FLIGHTS).json()
    assert (told["product"], told["major"], told["sequence"]) == ("operations/flights", 1, 1)
    columns = {column["name"]: column["view"] for column in told["tables"][0]["columns"]}
    assert columns["carrier"] == "clear"
    assert "hash" in columns["tailnum"]
    odcs = yaml.safe_load(client.get(FLIGHTS, headers={"accept": "application/vnd.bitol.odcs+yaml"}).text)
    assert odcs["kind"] == "DataContract"
    assert [server["type"] for server in odcs["servers"]] == ["api"]
    odps = yaml.safe_load(client.get(FLIGHTS, headers={"accept": "application/vnd.bitol.odps+yaml"}).text)
    assert odps["kind"] == "DataProduct"


def test_search_pages_by_a_cursor_bound_to_the_words(caller: Caller) -> None:
    client = caller("consumer")
    first = client.get("/api/v1/products", params={"limit": 4}).json()
    second = client.get("/api/v1/products", params={"limit": 4, "cursor": first["next"]}).json()
    names = [one["product"] for one in first["products"] + second["products"]]
    assert len(set(names)) == 8
    other = client.get("/api/v1/products", params={"q": "delay", "cursor": first["next"]})
    assert other.status_code == 400


def test_lineage_goes_both_ways(caller: Caller) -> None:
    told = caller("consumer").get("/api/v1/lineage/operations/flights").json()
    assert "experience/delay_causes" in told["to"]
    assert "fleet/aircraft" in told["from"] or told["from"] == []


def test_a_run_is_its_starters_alone(caller: Caller) -> None:
    run = caller("owner_weather").post("/api/v1/publish", json={"plan": "0" * 12}).json()["run"]
    assert caller("owner_fleet").get(f"/api/v1/runs/{run}").status_code == 404
    for _ in range(100):
        told = caller("owner_weather").get(f"/api/v1/runs/{run}", params={"wait": 5}).json()
        if told["state"] != "running":
            break
    assert told["state"] == "failed"
    assert told["problem"]["kind"] in ("not-found", "conflict")


def test_events_are_told_in_full_to_a_domain_s_own_people_only(caller: Caller) -> None:
    def told(who: str, **params: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = caller(who).get("/api/v1/events", params=params).json()["events"]
        return events

    own = told("owner_weather", domain="weather")
    assert {"plan.accepted", "product.published", "product.new-version"} <= {event["name"] for event in own}
    assert any("by" in event["data"] for event in own)
    others = [event for event in told("stranger", domain="weather") if not event["name"].startswith("access.")]
    assert {event["name"] for event in others} <= {"product.published", "product.new-version", "run.failed"}
    assert not any({"by", "rows", "plan"} & set(event["data"]) for event in others)
    assert told("stranger", domain="nowhere") == []


def test_events_stream_from_a_cursor_on(caller: Caller) -> None:
    client = caller("owner_weather")
    first, *more = client.get("/api/v1/events", params={"domain": "weather"}).json()["events"]
    headers = {"accept": "text/event-stream", "last-event-id": first["cursor"]}
    with client.stream("GET", "/api/v1/events", params={"domain": "weather"}, headers=headers) as stream:
        said = next(stream.iter_text())
    assert said.startswith(f"id: {more[0]['cursor']}\nevent: {more[0]['name']}\n")
    refused = client.get("/api/v1/events", params={"after": "7"})
    assert (refused.status_code, refused.json()["code"]) == (400, "events.bad-cursor")


STREAM = {"accept": "text/event-stream"}


def test_a_caller_has_some_streams_and_no_more_until_one_ends(caller: Caller) -> None:
    client = caller("steward")
    with ExitStack() as opened:
        for _ in range(OF_ONE):
            assert opened.enter_context(client.stream("GET", "/api/v1/events", headers=STREAM)).status_code == 200
        with client.stream("GET", "/api/v1/events", headers=STREAM) as refused:
            assert refused.status_code == 503
            assert json.loads(refused.read())["code"] == "events.too-many-streams"
            assert "retry-after" in refused.headers
        with caller("stranger").stream("GET", "/api/v1/events", headers=STREAM) as other:
            assert other.status_code == 200
    for _ in range(50):  # the node notices within a moment that they ended
        with client.stream("GET", "/api/v1/events", headers=STREAM) as again:
            if again.status_code == 200:
                return
        time.sleep(0.1)
    pytest.fail("no stream was let go")


def test_a_stream_ends_with_its_token(demo: Demo) -> None:
    begun = datetime.now(UTC) - LONGEST_LIFETIME - LEEWAY + timedelta(seconds=3)
    old = issue(
        issuer_key(demo.folder / ".hanse" / "issuer"),
        issuer=ISSUER,
        subject="steward",
        audience=audience(mesh_of(demo.folder)),
        scopes=["read"],
        now=begun,
        lifetime=LONGEST_LIFETIME,
    )
    headers = {**STREAM, "authorization": f"Bearer {old}"}
    with httpx.stream("GET", f"{demo.url}/api/v1/events", headers=headers, timeout=30, trust_env=False) as stream:
        assert stream.status_code == 200
        told = "".join(stream.iter_text())  # to its end
    assert "event: product.published" in told
    assert httpx.get(f"{demo.url}/api/v1/events", headers=headers, trust_env=False).status_code == 401


def test_streams_share_one_look_at_the_homes() -> None:
    looks = 0

    async def look() -> tuple[str | None, ...]:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.01)
        return (str(looks),)

    async def all_at_once() -> set[tuple[str | None, ...]]:
        streams = Streams()
        return set(await asyncio.gather(*(streams.marks(look) for _ in range(500))))

    assert asyncio.run(all_at_once()) == {("1",)}


def test_metrics_name_no_person_and_no_product(caller: Caller) -> None:
    text = caller("steward").get("/metrics").text
    assert 'hanse_http_requests_total{method="POST",route="/api/v1/query",status="200"}' in text
    assert "consumer" not in text
    assert "operations" not in text


def test_the_node_tells_its_keys_and_addresses_to_anybody(caller: Caller) -> None:
    told = caller().get("/.well-known/hanse").json()
    assert told["domains"] == ["experience", "fleet", "network", "operations", "weather"]
    assert told["protocols"]["http"].endswith("/api/v1")
    assert all(set(key) == {"kty", "crv", "x", "kid", "use", "alg"} for key in told["keys"].values())
