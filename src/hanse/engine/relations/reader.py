"""The trusted reader: a process of its own for each reading, which holds raw rows and never a caller's SQL."""

from __future__ import annotations

import errno
import json
import os
import socket
from typing import Any

from hanse.engine.worker.confine import confine, cpu
from hanse.engine.worker.frames import Frame, message, receive
from hanse.names import literal, quote


def serve(sock: socket.socket, request: dict[str, Any], parent: int) -> None:
    """Do one reading: apply a policy's SELECT over raw files into a Parquet copy or an Arrow stream, then end."""
    limits = request["limits"]
    confine(parent, address_space=limits["address_space"], file_size=limits["file_size"], files=4096)
    sock.sendall(message(Frame.READY, {}))
    _, body = receive(sock)
    asked = json.loads(body)
    cpu(asked["cpu_seconds"])
    try:
        rows, size = _read(asked, limits)
        sock.sendall(message(Frame.END, {"rows": rows, "bytes": size}))
    except BaseException as error:
        # the class only: its text may hold raw values
        sock.sendall(message(Frame.ERROR, {"class": type(error).__name__, "no_room": _no_room(error)}))


def _read(asked: dict[str, Any], limits: dict[str, Any]) -> tuple[int, int]:
    import duckdb

    out = asked["out"]
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": str(limits["threads"]),
            "memory_limit": f"{limits['memory'] >> 20}MiB",
            "temp_directory": "",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "allow_persistent_secrets": "false",
            "preserve_insertion_order": "true",
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    paths = [*asked["files"], *([out] if asked["as"] == "parquet" else [])]
    connection.execute(f"SET allowed_paths = [{', '.join(literal(path) for path in paths)}]::VARCHAR[]")
    connection.execute("SET enable_external_access = false")
    attached: set[str] = set()
    for name, source in asked["views"]:
        *path, table = name
        if path and path[0] not in attached:
            connection.execute(f"ATTACH ':memory:' AS {quote(path[0])}")
            attached.add(path[0])
        if len(path) == 2:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(path[0])}.{quote(path[1])}")
        where = [path[0], "main"] if len(path) == 1 else path
        connection.execute(f"CREATE VIEW {'.'.join(quote(p) for p in (*where, table))} AS {source}")
    for variable, pad in asked["pads"].items():
        connection.execute(f"SET VARIABLE {variable} = from_hex({literal(pad)})")
    connection.execute("SET lock_configuration = true")
    if asked["as"] == "parquet":
        return _copy(connection, asked["sql"], out)
    return _stream(connection, asked["sql"], out, asked["most"])


def _copy(connection: Any, sql: str, out: str) -> tuple[int, int]:
    form = "FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE 122880, USE_TMP_FILE false"
    row = connection.execute(f"COPY ({sql}) TO {literal(out)} ({form})").fetchone()
    descriptor = os.open(out, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    return int(row[0]), os.stat(out).st_size


def _stream(connection: Any, sql: str, out: str, most: int) -> tuple[int, int]:
    import pyarrow as pa

    batches = connection.execute(sql).to_arrow_reader(122880)
    rows = 0
    descriptor = os.open(out, os.O_WRONLY)
    with os.fdopen(descriptor, "wb") as sink, pa.ipc.new_stream(sink, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
            if sink.tell() > most:
                raise MemoryError
    return rows, os.stat(out).st_size


def _no_room(error: BaseException) -> bool:
    """Whether the disk, a quota or the largest size of a file kept it from writing; engines say so in words only."""
    told = [os.strerror(one) for one in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]
    return any(words in str(error) for words in ("Could not write file", *told))
