"""A home's store as one SQLite file, taken at one moment while others write; and back into a database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from hanse.engine.snapshot import DataFile
from hanse.names import ProductId
from hanse.node.home import codec, tables
from hanse.node.home.database import Database


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy the SQLite file `source` as of one moment, whoever writes to it."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as read,
        closing(sqlite3.connect(target)) as out,
    ):
        read.backup(out)
        out.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it


def copy_from_server(url: str, schema: str, target: Path) -> None:
    """Copy a store that a PostgreSQL keeps, as of one moment, into the SQLite file `target`."""
    source, made = Database.postgres(url, schema), Database.sqlite(target)
    try:
        with source.snapshot() as read, made.write() as write:
            _rows(read, write)
    finally:
        source.close()
        made.close()


def copy_to_server(source: Path, url: str, schema: str) -> bool:
    """Fill the empty store in a PostgreSQL from a SQLite copy; False, changing nothing, when it is not empty."""
    read_from, made = Database.sqlite(source), Database.postgres(url, schema)
    try:
        with read_from.read() as read, made.write() as write:
            if any(write.execute(sa.select(sa.literal(1)).select_from(one)).first() for one in _tables()):
                return False
            _rows(read, write)
            for table in (tables.EVENT, tables.RUN):  # what is new goes on after what was copied
                last = write.scalar(sa.select(sa.func.max(table.c.number)))
                if last is not None:
                    told = {"table": table.name, "last": last}
                    write.execute(sa.text("SELECT setval(pg_get_serial_sequence(:table, 'number'), :last)"), told)
        return True
    finally:
        read_from.close()
        made.close()


def named_files(store: Path, domain: str) -> Iterator[DataFile]:
    """Every data file that a publication or a stage of a store's copy names."""
    with closing(sqlite3.connect(store)) as read:
        for product, lines in read.execute("SELECT product, lines FROM publication"):
            for record in codec.read_lines(ProductId(domain, product), lines):
                for table in record.snapshot.tables.values():
                    yield from table.files
        for (snapshot,) in read.execute("SELECT snapshot FROM stage"):
            for table in codec.read_snapshot(json.loads(snapshot)).tables.values():
                yield from table.files


def _tables() -> list[sa.Table]:
    return list(tables.METADATA.sorted_tables)


def _rows(read: sa.Connection, write: sa.Connection) -> None:
    for table in _tables():
        for part in read.execute(sa.select(table)).mappings().partitions(500):
            write.execute(sa.insert(table), [dict(row) for row in part])
