"""Answers in every format say the same."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from hanse.engine.answer import Answer, whole
from hanse.protocols.http.errors import NotAcceptable
from hanse.protocols.http.formats import FORMATS, TooManyRows, chosen, json_document, streamed

TABLE = pa.table(
    {
        "text": ["a,b", 'say "x"', None],
        "whole": pa.array([1, None, 3], pa.int32()),
        "large": pa.array([2**60, -(2**60), 7], pa.int64()),
        "exact": pa.array([Decimal("1.10"), None, Decimal("-3.00")], pa.decimal128(9, 2)),
        "float": [1.5, float("nan"), float("inf")],
        "day": [date(2026, 1, 2), None, date(1, 1, 1)],
        "moment": pa.array([datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
        "raw": pa.array([b"\x00\xff", None, b""], pa.binary()),
        "list": [[1, 2], [], None],
        "object": [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}],
    }
)
FLAT = TABLE.select(["text", "whole", "large", "exact", "float", "day"])


def _bytes(answer: Answer, name: str) -> bytes:
    format = next(one for one in FORMATS if one.name == name)

    async def read() -> bytes:
        return b"".join([piece async for piece in streamed(answer, format)])

    return asyncio.run(read())


def _json(table: pa.Table) -> dict[str, object]:
    value: dict[str, object] = json.loads(asyncio.run(json_document(whole(table))))
    return value


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        (None, "json"),
        ("*/*", "json"),
        ("text/*", "csv"),
        ("application/x-ndjson, application/json;q=0.5", "ndjson"),
        ("application/json;q=0, */*", "ndjson"),
        ("application/vnd.apache.arrow.stream", "arrow"),
        ("text/html, application/vnd.apache.parquet;q=0.1", "parquet"),
    ],
)
def test_accept_chooses(accept: str | None, name: str) -> None:
    assert chosen(accept).name == name


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "nonsense", "text/csv;q=x"])
def test_what_is_not_offered_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        chosen(accept)


def test_json_loses_no_digit_and_knows_no_nan() -> None:
    rows = _json(TABLE)["rows"]
    assert rows[0] == [  # type: ignore[index]
        "a,b", 1, str(2**60), "1.10", 1.5, "2026-01-02", "2026-01-02T03:04:05Z", "AP8=", [1, 2], {"a": 1, "b": "x"},
    ]  # fmt: skip
    assert rows[1][4] == "nan"  # type: ignore[index]


def test_json_of_no_columns_and_no_rows() -> None:
    assert _json(TABLE.slice(0, 0))["rows"] == []


def test_arrow_and_parquet_give_the_table_back() -> None:
    assert pa.ipc.open_stream(_bytes(whole(TABLE), "arrow")).read_all().drop(["float"]).equals(TABLE.drop(["float"]))
    again = parquet.read_table(io.BytesIO(_bytes(whole(TABLE), "parquet")))
    assert again.drop(["float"]).to_pylist() == TABLE.drop(["float"]).to_pylist()


def test_parquet_of_no_rows_is_a_file() -> None:
    empty = TABLE.slice(0, 0)
    assert parquet.read_table(io.BytesIO(_bytes(whole(empty), "parquet"))).schema.names == empty.schema.names


@pytest.mark.parametrize("table", [TABLE, FLAT], ids=["nested", "flat"])
def test_csv_quotes_what_needs_it(table: pa.Table) -> None:
    rows = list(csv.DictReader(io.StringIO(_bytes(whole(table), "csv").decode())))
    assert [row["text"] for row in rows] == ["a,b", 'say "x"', ""]
    assert [row["exact"] for row in rows] == ["1.10", "", "-3.00"]
    assert [row["day"] for row in rows] == ["2026-01-02", "", "0001-01-01"]


def test_ndjson_is_a_document_a_line() -> None:
    lines = [json.loads(line) for line in _bytes(whole(TABLE), "ndjson").splitlines()]
    assert [line["text"] for line in lines] == ["a,b", 'say "x"', None]


def test_a_json_document_is_never_cut_short() -> None:
    with pytest.raises(TooManyRows, match="10000 rows"):
        _json(pa.table({"a": range(10_001)}))
    assert len(_json(pa.table({"a": range(10_000)}))["rows"]) == 10_000  # type: ignore[arg-type]
