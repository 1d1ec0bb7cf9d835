"""What a worker does: open one engine over one set of relations, run questions on it, hand over Arrow."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from hanse.engine.parameters import unpacked
from hanse.engine.worker.confine import confine, cpu, cpu_used
from hanse.engine.worker.frames import Closed, Frame, message, receive, send
from hanse.names import literal, quote

_ROWS = 16 * 2048  # of one batch: the vector size of the engine, times 16
_BATCH_BYTES = 64 << 20


def query(sock: socket.socket, request: dict[str, Any], parent: int) -> None:
    """Serve one node over `sock` until it closes; after an error the process ends."""
    import duckdb

    limits = request["limits"]
    confine(parent, address_space=limits["address_space"], file_size=0, files=limits["files"])
    cpu(60)
    connection = duckdb.connect(":memory:", config=_config(limits))
    connection.execute("SET TimeZone = 'UTC'")
    sock.sendall(message(Frame.READY, {"pid": os.getpid()}))
    while True:
        try:
            kind, body = receive(sock)
        except Closed:
            return
        try:
            asked = json.loads(body)
            if kind is Frame.OPEN:
                cpu(asked["cpu_seconds"])
                _open(connection, asked)
            else:
                cpu(asked["cpu_seconds"])
                _run(connection, asked, sock)
        except (OSError, Closed):
            return
        except BaseException as error:
            name = error.name if isinstance(error, BrokeOff) else type(error).__name__
            sock.sendall(message(Frame.ERROR, {"class": name, "text": str(error)[:2000]}))
            return


def _config(limits: dict[str, Any]) -> dict[str, str]:
    return {
        "threads": str(limits["threads"]),
        "memory_limit": f"{limits['memory'] >> 20}MiB",
        "temp_directory": "",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "python_enable_replacements": "false",
        "allow_persistent_secrets": "false",
    }


def _open(connection: Any, asked: dict[str, Any]) -> None:
    """One database a domain, one schema a product, one view a table; then external access ends for good."""
    files = ", ".join(literal(path) for path in asked["files"])
    # a list of no paths would have no type
    connection.execute(f"SET allowed_paths = [{files}]::VARCHAR[]")
    connection.execute("SET enable_external_access = false")
    attached: set[str] = set()
    schemas: set[tuple[str, str]] = set()
    for relation in asked["relations"]:
        *path, table = relation["called"]
        if path and path[0] not in attached:
            connection.execute(f"ATTACH ':memory:' AS {quote(path[0])}")
            attached.add(path[0])
        if len(path) == 2 and (path[0], path[1]) not in schemas:
            connection.execute(f"CREATE SCHEMA {quote(path[0])}.{quote(path[1])}")
            schemas.add((path[0], path[1]))
        where = [path[0], "main"] if len(path) == 1 else path
        source = relation["sql"]
        if relation.get("stream"):
            source = _registered(connection, len(attached), relation["stream"])
        name = ".".join(quote(part) for part in (*where, table))
        connection.execute(f"CREATE VIEW {name} AS {source}")
    connection.execute("SET lock_configuration = true")


def _registered(connection: Any, number: int, path: str) -> str:
    """The trusted reader's Arrow, mapped: read by this connection alone."""
    import pyarrow as pa

    table = pa.ipc.open_stream(pa.memory_map(path)).read_all()
    name = f"relation {number} {abs(hash(path))}"
    connection.register(name, table)
    return f"SELECT * FROM temp.main.{quote(name)}"


def _run(connection: Any, asked: dict[str, Any], sock: socket.socket) -> None:
    import pyarrow as pa

    before = cpu_used()
    values = {name: unpacked(value) for name, value in asked["parameters"].items()}
    positional = all(name.isdigit() for name in values)
    bound: Any = [values[str(i)] for i in range(1, len(values) + 1)] if positional else values
    result = connection.execute(asked["sql"], bound) if values else connection.execute(asked["sql"])
    batches = result.to_arrow_reader(_ROWS)
    schema = _plain(batches.schema)
    send(sock, Frame.SCHEMA, schema.serialize())
    most, sent, rows = asked["reply_bytes"], 0, 0
    wanted = asked["rows"]
    for batch in _each(batches):
        if wanted is not None:
            batch = batch.slice(0, wanted - rows)
        if batch.num_rows:
            if batch.schema != schema:
                batch = pa.record_batch([c.cast(f.type) for c, f in zip(batch.columns, schema, strict=True)], schema)
            sent = _send(sock, batch, sent, most)
            rows += batch.num_rows
        if wanted is not None and rows >= wanted:
            break
    sock.sendall(message(Frame.END, {"rows": rows, "bytes": sent, "cpu": cpu_used() - before}))


def _send(sock: socket.socket, batch: Any, sent: int, most: int) -> int:
    """Send `batch` as messages of at most 64 MiB, where its rows allow that."""
    if batch.nbytes > _BATCH_BYTES and batch.num_rows > 1:
        half = batch.num_rows // 2
        return _send(sock, batch.slice(half), _send(sock, batch.slice(0, half), sent, most), most)
    body = batch.serialize()
    sent += body.size
    if sent > most:
        raise ReplyTooLarge(str(most))
    send(sock, Frame.BATCH, body)
    return sent


def _each(batches: Any) -> Iterator[Any]:
    try:
        yield from batches
    except OSError as error:
        # Arrow's stream turns whatever the engine raised into an OSError, as if the socket had failed
        raise BrokeOff(str(error)) from None


class BrokeOff(Exception):
    """The engine failed after the first batch; `name` is the class that it would have raised before."""

    @property
    def name(self) -> str:
        words, found, _ = str(self).partition(" Error: ")
        return "".join(word[:1].upper() + word[1:] for word in words.split()) + "Exception" if found else ""


class ReplyTooLarge(Exception):
    """The reply passed its cap."""


def _plain(schema: Any) -> Any:
    """`schema` without dictionaries, so that each message stands alone."""
    import pyarrow as pa

    fields = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in schema]
    return pa.schema([f.with_nullable(True) for f in fields])


def gate(sock: socket.socket, request: dict[str, Any], parent: int) -> None:
    """Gate one long statement, away from the event loop."""
    from hanse.engine.gate import check
    from hanse.errors import HanseError

    confine(parent, address_space=2 << 30, file_size=0, files=64)
    cpu(5)
    sock.sendall(message(Frame.READY, {}))
    _, body = receive(sock)
    try:
        found = asdict(check(json.loads(body)["sql"]))
    except HanseError as error:
        sock.sendall(message(Frame.ERROR, {"class": type(error).__name__, **error.as_problem()}))
        return
    for reference in (*found["references"], *([found["subject"]] if found["subject"] else ())):
        moment = reference["timestamp"]
        reference["timestamp"] = moment.isoformat() if moment else None
    for name in ("parameters", "identifiers"):
        found[name] = None if found[name] is None else sorted(found[name])
    found["tree"] = None
    sock.sendall(message(Frame.GATE, found))
