"""A question and its answer: nothing is read until a form is asked for."""

from __future__ import annotations

import io
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .cards import Grid
from .errors import HanseError
from .http import Client

if TYPE_CHECKING:
    import duckdb
    import pandas
    import polars
    import pyarrow as pa

ARROW = "application/vnd.apache.arrow.stream"
SHOWN_ROWS = 10  # of an answer that is printed


@dataclass(frozen=True)
class Step:
    """What happened to one table of a question: which state of it was read, and what shaped it."""

    table: str
    product: str
    version: str
    publication: int
    relation: str
    rows: str
    columns: str
    masks: str
    because: str


class Answer:
    """What a node answers to a question in SQL, read when it is asked for; each form asks anew.

    `policies` are the rules that shaped it by table, `plan` tells for each table where it came from.
    """

    def __init__(self, client: Client, sql: str, body: Mapping[str, Any]) -> None:
        self._client = client
        self.sql = sql
        self._body = {"sql": sql, **{name: value for name, value in body.items() if value is not None}}
        self._facts: Mapping[str, Any] | None = None

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """The rows in Arrow record batches as they come, in bounded memory."""
        with self._reader() as reader:
            yield from reader

    def arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        with self._reader() as reader:
            return reader.read_all()

    def pandas(self) -> pandas.DataFrame:
        """All rows as a pandas frame."""
        _need("pandas")
        return self.arrow().to_pandas()

    def polars(self) -> polars.DataFrame:
        """All rows as a polars frame."""
        return _need("polars").from_arrow(self.arrow())

    def duckdb(self) -> duckdb.DuckDBPyRelation:
        """All rows as a relation of DuckDB's default connection in this process."""
        return relation(self.arrow())

    @property
    def policies(self) -> Mapping[str, Sequence[str]]:
        """The row policies and masks that shape the answer, by table; empty when all is clear."""
        return dict(self._told().get("policies") or {})

    @property
    def publications(self) -> Mapping[str, int]:
        """The publication of each table that was read."""
        return dict(self._told().get("publications") or {})

    @property
    def deprecations(self) -> Mapping[str, Any]:
        """What is said of tables that end, by table."""
        return dict(self._told().get("deprecations") or {})

    @property
    def id(self) -> str:
        """The id of the last reading in the owners' audit."""
        return str(self._told().get("id", ""))

    @cached_property
    def plan(self) -> tuple[Step, ...]:
        """Each table of the question: its version, publication, and what the reader gets of it. Reads no row."""
        told = self._client.post("/query", {**self._body, "explain": True})
        names = [column["name"] for column in told["columns"]]
        return tuple(Step(**dict(zip(names, row, strict=True))) for row in told["rows"])

    def _told(self) -> Mapping[str, Any]:
        """What the node said of the answer; when nothing was read yet, a reading without rows says it."""
        if self._facts is None:
            with self._reader(limit=1) as reader:
                reader.read_all()
        assert self._facts is not None
        return self._facts

    @contextmanager
    def _reader(self, limit: int | None = None) -> Iterator[pa.RecordBatchStreamReader]:
        ipc = _need("pyarrow.ipc")
        body = self._body if limit is None else {**self._body, "limit": min(limit, self._body.get("limit", limit))}
        with self._client.stream("POST", "/query", body, accept=ARROW) as reply:
            self._facts = _facts(reply.headers)
            with ipc.open_stream(io.BufferedReader(_Chunks(reply.chunks()), 1 << 20)) as reader:
                yield reader

    def _grid(self) -> Grid:
        with self._reader(limit=SHOWN_ROWS + 1) as reader:
            table = reader.read_all()
        shown = table.slice(0, SHOWN_ROWS)
        rows = list(zip(*(column.to_pylist() for column in shown.columns), strict=True)) if shown.num_columns else []
        more = f"more than {SHOWN_ROWS} rows: .arrow() reads all" if table.num_rows > SHOWN_ROWS else ""
        notes = [f"shaped by {', '.join(rules)} on {name}" for name, rules in self.policies.items()]
        return Grid(tuple(table.column_names), tuple(rows), tuple(filter(None, (more, *notes))))

    def __repr__(self) -> str:
        return self._grid().text()

    def _repr_html_(self) -> str:
        return self._grid().html()


def relation(table: pa.Table) -> duckdb.DuckDBPyRelation:
    """`table` as a relation of DuckDB's default connection in this process."""
    return _need("duckdb").from_arrow(table)


class _Chunks(io.RawIOBase):
    """The pieces of a body as a file that is read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            piece = next(self._chunks, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _facts(headers: Mapping[str, str]) -> Mapping[str, Any]:
    facts: dict[str, Any] = {"id": headers.get("hanse-query-id", "")}
    for name in ("publications", "policies", "deprecations"):
        if text := headers.get(f"hanse-{name}"):
            facts[name] = json.loads(text)
    return facts


def _need(module: str) -> Any:
    """An optional library; without it an error that names the extra."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise HanseError(
            {
                "kind": "invalid",
                "code": "client.library-missing",
                "detail": f"{library} is not installed in this Python",
                "mend": f'pip install "hanse-client[{library}]"',
            }
        ) from error
