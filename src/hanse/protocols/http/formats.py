"""Answers in the formats that `Accept` may name; all but JSON stream in bounded memory."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from hanse.errors import HanseError, Kind, code
from hanse.protocols.http.errors import NotAcceptable
from hanse.protocols.http.types import MAX_LIMIT

if TYPE_CHECKING:
    from hanse.engine.answer import Answer

JSON_BYTES = 64 * 1024 * 1024
_ROW_GROUP = 122_880  # rows; DuckDB's own row group, so that readers can work in parallel
_EXACT = 2**53  # beyond it JSON readers that use doubles lose digits


class TooManyRows(HanseError):
    kind = Kind.INVALID
    code = code(
        "query.too-many-rows",
        Kind.INVALID,
        "The answer has too many rows for one JSON document",
        "A JSON document is held whole by the node and its reader; other formats stream without a cap on rows.",
        "State a limit, or ask for text/csv, application/x-ndjson, Parquet or Arrow.",
    )

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the answer exceeds {what}, the limit of a JSON document",
            mend="state a limit of at most 10000 (--limit), or ask for CSV, NDJSON, Parquet or Arrow",
        )


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its short name, media type, and whether it is made batch by batch."""

    name: str
    media: str
    streams: bool


FORMATS = (
    Format("json", "application/json", False),
    Format("ndjson", "application/x-ndjson", True),
    Format("csv", "text/csv", True),
    Format("parquet", "application/vnd.apache.parquet", True),
    Format("arrow", "application/vnd.apache.arrow.stream", True),
)


@lru_cache(256)
def chosen(accept: str | None) -> Format:
    """The format that `accept` prefers (RFC 9110 §12.5.1); JSON when it does not care."""
    media = negotiated(accept, tuple(one.media for one in FORMATS))
    return next(one for one in FORMATS if one.media == media)


@lru_cache(256)
def negotiated(accept: str | None, offered: tuple[str, ...]) -> str:
    """The media type of `offered` that `accept` prefers, the first offered among equals; raise `NotAcceptable`."""
    if not accept or len(accept) > 1024:
        return offered[0]
    best: tuple[float, int] | None = None
    for place, media in enumerate(offered):
        quality = _quality(accept, media)
        if quality > 0 and (best is None or (quality, -place) > best):
            best = (quality, -place)
    if best is None:
        raise NotAcceptable(f"none of the asked formats is offered: {accept[:80]}", mend="one of " + ", ".join(offered))
    return offered[-best[1]]


def _quality(accept: str, media: str) -> float:
    found, exactness = 0.0, -1
    for part in accept.split(","):
        name, *parameters = (word.strip() for word in part.split(";"))
        if name == media:
            rank = 2
        elif name == f"{media.split('/', maxsplit=1)[0]}/*":
            rank = 1
        elif name == "*/*":
            rank = 0
        else:
            continue
        if rank > exactness:
            exactness, found = rank, 1.0
            for parameter in parameters:
                if parameter.startswith("q="):
                    try:
                        found = max(0.0, min(1.0, float(parameter[2:])))
                    except ValueError:
                        found = 0.0
    return found


async def json_document(answer: Answer, after: Callable[[Answer], Mapping[str, Any]] | None = None) -> bytes:
    """The whole answer as one JSON document; raise `TooManyRows` beyond 10 000 rows or 64 MiB."""
    rows: list[Sequence[Any]] = []
    size = 0
    try:
        async for batch in answer.batches():
            size += batch.nbytes
            if len(rows) + batch.num_rows > MAX_LIMIT:
                raise TooManyRows(f"{MAX_LIMIT} rows")
            if size > JSON_BYTES:
                raise TooManyRows("64 MiB")
            rows.extend(rows_of(batch))
    except TooManyRows:
        await answer.cancel()
        raise
    head = {"schema": "hanse.answer/1", **answer.facts, **(after(answer) if after else {})}
    head["columns"] = columns_of(answer.schema)
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":"), default=str)
    body = json.dumps(rows, ensure_ascii=False, separators=(",", ":"), default=str)
    return f'{text[:-1]},"rows":{body}}}'.encode()


def columns_of(schema: Any) -> list[dict[str, str]]:
    """Names and types of the columns, as a JSON document tells them."""
    return [{"name": field.name, "type": str(field.type)} for field in schema]


def rows_of(batch: Any) -> list[tuple[Any, ...]]:
    """The rows of a record batch as JSON values, in the order of its columns."""
    columns = []
    for column in batch.columns:
        values = column.to_pylist()
        plain = _plain_of(column.type)
        columns.append(values if plain is None else [None if value is None else plain(value) for value in values])
    return list(zip(*columns, strict=True)) if columns else [()] * batch.num_rows


def _plain_of(type_: Any) -> Callable[[Any], Any] | None:
    """How values of an Arrow type become JSON values; None when they are already."""
    import pyarrow as pa

    types = pa.types
    if types.is_boolean(type_) or types.is_string(type_) or types.is_large_string(type_) or types.is_null(type_):
        return None
    if types.is_integer(type_):
        return None if type_.bit_width < 64 else plain
    return plain


def plain(value: Any) -> Any:
    """One value as JSON can hold it without loss: exact numbers and moments as text, bytes as base64."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if -_EXACT <= value <= _EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        # a map arrives as pairs
        return [[plain(key), plain(item)] for key, item in value] if _pairs(value) else [plain(item) for item in value]
    isoformat = getattr(value, "isoformat", None)
    return isoformat() if isoformat is not None else str(value)


def _pairs(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(item, tuple) and len(item) == 2 for item in value)


async def streamed(answer: Answer, format: Format) -> AsyncIterator[bytes]:
    """The bytes of `answer` in a format that streams."""
    match format.name:
        case "arrow":
            async for body in answer.ipc():
                yield bytes(body)
        case "ndjson":
            names = [field.name for field in answer.schema]
            async for batch in answer.batches():
                lines = (dict(zip(names, row, strict=True)) for row in rows_of(batch))
                text = "".join(
                    json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str) + "\n" for line in lines
                )
                yield text.encode()
        case "csv":
            async for piece in _csv(answer):
                yield piece
        case "parquet":
            async for piece in _parquet(answer):
                yield piece


async def _csv(answer: Answer) -> AsyncIterator[bytes]:
    schema = answer.schema
    nested = any(_is_nested(field.type) for field in schema)
    head = io.StringIO()
    csv.writer(head, lineterminator="\n").writerow([field.name for field in schema])
    yield head.getvalue().encode()
    if nested or any(_needs_text(field.type) for field in schema):
        async for batch in answer.batches():
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            for row in rows_of(batch):
                writer.writerow(
                    [json.dumps(v, ensure_ascii=False, default=str) if isinstance(v, list | dict) else v for v in row]
                )
            yield text.getvalue().encode()
        return
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed")
    async for batch in answer.batches():
        sink = pa.BufferOutputStream()
        arrow_csv.write_csv(batch, sink, options)
        yield sink.getvalue().to_pybytes()


def _is_nested(type_: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_nested(type_))


def _needs_text(type_: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return not (
        types.is_integer(type_)
        or types.is_floating(type_)
        or types.is_string(type_)
        or types.is_boolean(type_)
        or types.is_date(type_)
        or types.is_decimal(type_)
    )


class _Sink:
    """A file for Parquet's writer, whose bytes are taken away as they are written."""

    def __init__(self) -> None:
        self.closed = False
        self._held: list[bytes] = []
        self._written = 0

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._held.append(piece)
        self._written += len(piece)
        return len(piece)

    def take(self) -> bytes:
        held, self._held = self._held, []
        return b"".join(held)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """Nothing waits: what was written is taken."""

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


async def _parquet(answer: Answer) -> AsyncIterator[bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    sink = _Sink()
    schema = answer.schema
    writer = parquet.ParquetWriter(pa.PythonFile(cast(io.IOBase, sink), mode="w"), schema, compression="zstd")
    held: list[Any] = []
    rows = 0
    async for batch in answer.batches():
        held.append(batch)
        rows += batch.num_rows
        if rows >= _ROW_GROUP:
            writer.write_table(pa.Table.from_batches(held, schema))
            held, rows = [], 0
            if piece := sink.take():
                yield piece
    if held:
        writer.write_table(pa.Table.from_batches(held, schema))
    writer.close()
    yield sink.take()
