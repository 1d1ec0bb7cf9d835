"""The Python side against a serving node."""

from __future__ import annotations

import asyncio
import pickle
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import hanse
import hanse.aio
from hanse.client import DeniedError, InvalidError, NotFoundError, UnavailableError
from tests.client.conftest import Reader
from tests.demo import Demo, free_port

COUNT = "select carrier, count(*) as flights from operations.flights group by carrier order by carrier"


def test_a_search_is_a_list_that_prints_as_a_table(demo: Demo, reader: Reader) -> None:
    found = reader("consumer").search("delay")
    assert found[0]["product"] == "experience/delay_causes"
    assert len(found) == found.total
    assert repr(found).splitlines()[0].split() == ["product", "title", "status", "access", "columns"]
    assert "<script" not in found._repr_html_()


def test_a_search_that_finds_nothing_names_the_nearest_spelling(demo: Demo, reader: Reader) -> None:
    found = reader("consumer").search("carrierz")
    assert not found
    assert "no product found" in repr(found)
    assert found.nearest


def test_a_product_tells_what_is_promised_and_how_it_is_seen(demo: Demo, reader: Reader) -> None:
    flights = reader("owner_operations").product("operations/flights")
    assert flights.columns["tailnum"].classification == "restricted"
    assert flights.columns["tailnum"].is_masked
    assert flights.columns["carrier"].view == "clear"
    assert flights.table == "flights"
    card = repr(flights)
    assert "operations/flights" in card
    assert "tailnum" in card


def test_the_forms_of_an_answer_hold_the_same_rows(demo: Demo, reader: Reader) -> None:
    answer = reader("consumer").sql(COUNT)
    table = answer.arrow()
    assert table.num_rows == 16
    assert answer.polars().to_dict(as_series=False) == table.to_pydict()
    assert answer.pandas()["flights"].tolist() == table["flights"].to_pylist()
    assert answer.duckdb().fetchall() == list(zip(*table.to_pydict().values(), strict=True))
    assert sum(batch.num_rows for batch in answer.batches()) == table.num_rows


def test_a_product_is_read_in_batches_that_can_be_left_early(demo: Demo, reader: Reader) -> None:
    mesh = reader("owner_operations")
    batches = mesh.product("operations/flights").batches()
    assert next(batches).num_rows > 0
    batches.close()
    assert mesh.sql(COUNT).arrow().num_rows == 16


def test_columns_and_predicates_are_read_where_the_data_is(demo: Demo, reader: Reader) -> None:
    carriers = reader("stranger").product("operations/carriers")
    read = carriers.read(["carrier"], where="carrier in ('UA', 'AA')").arrow()
    assert sorted(read["carrier"].to_pylist()) == ["AA", "UA"]
    assert read.column_names == ["carrier"]


def test_an_answer_tells_its_policies_and_where_it_came_from(demo: Demo, reader: Reader) -> None:
    answer = reader("analyst_aa").sql(COUNT)
    [(table, rules)] = answer.policies.items()
    assert table == "operations.flights_v1.flights"
    assert rules
    [step] = answer.plan
    assert step.product == "operations/flights"
    assert step.relation == "policy applied"
    assert answer.publications == {table: step.publication}
    assert answer.id.startswith("q-")


def test_parameters_are_given_by_name_or_in_order(demo: Demo, reader: Reader) -> None:
    mesh = reader("stranger")
    sql = "select name from operations.carriers where carrier = "
    assert mesh.sql(sql + "$code", {"code": "UA"}).arrow().num_rows == 1
    assert mesh.sql(sql + "?", ["UA"]).arrow().num_rows == 1


def test_a_printed_answer_reads_ten_rows_and_says_so(demo: Demo, reader: Reader) -> None:
    text = repr(reader("stranger").product("operations/carriers").read())
    assert len(text.splitlines()) == 13
    assert "more than 10 rows" in text


def test_before_the_first_publication_there_was_nothing(demo: Demo, reader: Reader) -> None:
    mesh = reader("stranger")
    with mesh.as_of("2020-01-01"), pytest.raises(NotFoundError) as caught:
        mesh.product("operations/carriers").arrow()
    assert caught.value.code == "query.unknown-publication"
    with mesh.as_of(datetime.now(UTC)):
        assert mesh.product("operations/carriers").arrow().num_rows == 16


def test_an_error_has_the_words_of_the_command_line(demo: Demo, reader: Reader) -> None:
    sql = "select count(*) from weather.observations"
    answer = reader("stranger").sql(sql)
    with pytest.raises(DeniedError) as caught:
        answer.arrow()
    error = caught.value
    told = demo.hanse("query", sql, person="stranger")
    assert told.stderr.strip() == str(error)
    assert error.mend.startswith("hanse access request weather/observations")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, str(again)) == (DeniedError, error.code, str(error))


def test_a_wrong_name_is_told_before_anything_is_asked(demo: Demo, reader: Reader) -> None:
    with pytest.raises(InvalidError, match=r"domain/name"):
        reader("consumer").product("flights")
    with pytest.raises(NotFoundError) as caught:
        reader("consumer").product("operations/flighst")
    assert "operations/flights" in caught.value.mend
    with pytest.raises(NotFoundError, match="it has carriers"):
        reader("consumer").product("operations/carriers", table="nothing")


def test_access_is_asked_for_and_refused(demo: Demo, reader: Reader) -> None:
    asked = (
        reader("stranger")
        .product("weather/observations")
        .request_access(why="a look at the wind", until=date.today() + timedelta(days=30), purpose="reporting")
    )
    assert asked.id.startswith("r-weather-")
    refused = demo.hanse("access", "refuse", asked.id, "--why", "no need", person="owner_weather")
    assert refused.returncode == 0, refused.stderr


def test_what_is_followed_is_told(demo: Demo, reader: Reader) -> None:
    mesh = reader("stranger")
    carriers = mesh.product("operations/carriers")
    carriers.follow()
    assert {event["name"] for event in mesh.events(product="operations/carriers")} >= {"product.published"}
    news = mesh.events(following=True)
    assert {event["name"] for event in news} == {"product.new-version"}
    assert "operations/carriers is now served as carriers@1" in repr(news)
    assert "<table" in news._repr_html_()
    assert len(mesh.events(following=True, after=news.cursor)) == 0
    carriers.unfollow()
    assert len(mesh.events(following=True)) == 0

    async def later() -> int:
        async with await hanse.aio.connect(demo.url, token=demo.token("stranger")) as twin:
            await twin.follow("operations/carriers")
            told = await twin.events(following=True)
            await (await twin.product("operations/carriers")).unfollow()
            return len(told)

    assert asyncio.run(later()) == 1


def test_the_async_twin_answers_alike(demo: Demo, reader: Reader) -> None:
    async def ask() -> tuple[int, int, list[str]]:
        async with await hanse.aio.connect(demo.url, token=demo.token("stranger")) as mesh:
            carriers = await mesh.product("operations/carriers")
            counted = 0
            async for batch in carriers.batches():
                counted += batch.num_rows
            table, found = await asyncio.gather(carriers.arrow(), mesh.search("carriers"))
            return counted, table.num_rows, [one["product"] for one in found]

    counted, rows, found = asyncio.run(ask())
    assert counted == rows == 16
    assert "operations/carriers" in found


def test_connect_finds_the_node_of_the_project_and_who_one_is(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo.folder)
    monkeypatch.delenv("HANSE_NODE", raising=False)
    monkeypatch.setenv("HANSE_TOKEN", demo.token("stranger"))
    with hanse.connect() as mesh:
        assert mesh.address == demo.url


def test_connect_tells_where_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(UnavailableError) as caught:
        hanse.connect(nobody, token="t")
    assert nobody in str(caught.value)
    assert "hanse serve" in caught.value.mend


def test_connect_without_a_token_says_how_to_get_one(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HANSE_TOKEN", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(DeniedError) as caught:
        hanse.connect(demo.url)
    assert "hanse login" in caught.value.mend
