"""A home's database: SQLite in the home's folder, or a schema of a PostgreSQL; opened, checked and migrated."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from hanse.errors import HanseError, Kind, code

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITE = "hanse_write"
BUSY_SECONDS = 30


class NewerStore(HanseError):
    kind = Kind.CONFLICT
    code = code(
        "home.newer-store",
        Kind.CONFLICT,
        "The home was written by a newer hanse",
        "A program must not touch a store whose form it does not know; nothing was changed.",
        "Install the hanse that wrote it, or a newer one.",
    )


class StoreUnreadable(HanseError):
    kind = Kind.UNAVAILABLE
    code = code(
        "home.store-unreadable",
        Kind.UNAVAILABLE,
        "The home's store cannot be opened",
        "The file is damaged or not a store, or the database server does not answer.",
        "Put back the last copy of the file, or start the database server.",
    )


class StoreDown(HanseError):
    kind = Kind.UNAVAILABLE
    code = code(
        "home.store-down",
        Kind.UNAVAILABLE,
        "The home's store refused",
        "The disk is full or read-only, another program keeps the file, or the database server does not answer.",
        "Free or mend the disk, or start the database server; then ask again. What was published stays as it is.",
    )


class Database:
    """Transactions on the tables of one home."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def sqlite(cls, path: Path) -> Database:
        """Open the file `path`, making it when it is not there; migrate an older one after copying it."""
        engine = sa.create_engine(
            f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
        )
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        database = cls(engine)
        database._bring_up(path if path.exists() else None)
        return database

    @classmethod
    def postgres(cls, url: str, schema: str) -> Database:
        """Open `schema` of the PostgreSQL at `url`, making it when it is not there."""
        plain = sa.create_engine(url, pool_pre_ping=True)
        try:
            with plain.begin() as connection:
                connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
        except sa.exc.OperationalError as error:
            plain.dispose()
            raise StoreUnreadable(f"the database server of schema {schema!r} does not answer") from error
        event.listen(plain, "connect", _search_path(schema))
        plain.dispose()
        database = cls(plain)
        database._bring_up(None)
        return database

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises `StoreDown`."""
        with _told(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction of a database server that reads everything as of its begin. Raises `StoreDown`."""
        with _told(), self._engine.connect() as connection:
            isolated = connection.execution_options(isolation_level="REPEATABLE READ")
            with isolated.begin():
                yield isolated

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: durable when the block has ended, gone when it raised `StoreDown`."""
        with _told(), self._engine.connect().execution_options(**{_WRITE: True}) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    def _bring_up(self, file: Path | None) -> None:
        known = _revisions()
        try:
            with self._engine.connect() as connection:
                current = _revision(connection)
        except sa.exc.DBAPIError as error:
            raise StoreUnreadable("the home's store cannot be read") from error
        if current == known[-1]:
            return
        if current is not None and current not in known:
            raise NewerStore(
                f"the home's store has revision {current}, this hanse knows up to {known[-1]}",
                mend="install the hanse that wrote it, or a newer one",
            )
        if current is not None and file is not None:
            _copy(file, current)
        with self.write() as connection:
            _upgrade(connection)


@contextmanager
def _told() -> Iterator[None]:
    """What keeps a store from its work, in words: the fault is not in hanse."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
        said = str(error.orig).strip().partition("\n")[0]
        raise StoreDown(f"the home's store refused: {said}", mend="free its disk, or start its server") from error


def _revisions() -> list[str]:
    """Those this hanse knows, in order: the file of a migration is named by its own.

    Alembic knows them too, but it is imported where something is to be migrated: that costs every start 0.15 s.
    """
    return sorted(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision(connection: Connection) -> str | None:
    """What Alembic noted in the store as its revision; None when there is no store yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _copy(file: Path, revision: str) -> None:
    """Keep the store as it was before migration, beside it."""
    kept = file.with_name(f"{file.name}.before-{revision}")
    source, target = sqlite3.connect(file), sqlite3.connect(kept)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
    shutil.copymode(file, kept)
    for path in (kept, kept.parent):  # durable before the migration changes the store itself
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # the driver's own transactions begin too late; `_begin` begins them
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get(_WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _search_path(schema: str) -> Callable[[Any, object], None]:
    from hanse.names import quote

    def prepare(connection: Any, _: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET search_path TO {quote(schema)}")
        connection.commit()

    return prepare
