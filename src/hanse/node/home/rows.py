"""Rows written once or anew, in SQL that SQLite and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection


def put(
    connection: Connection,
    table: sa.Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    at_first: Mapping[str, Any] | None = None,
) -> None:
    """Update the row with `key`, or insert it (with `at_first` too)."""
    condition = sa.and_(*(table.c[name] == value for name, value in key.items()))
    if connection.execute(sa.update(table).where(condition).values(**values)).rowcount == 0:
        connection.execute(sa.insert(table).values(**key, **values, **(at_first or {})))


def once(connection: Connection, table: sa.Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Insert the row unless one with `key` is there."""
    condition = sa.and_(*(table.c[name] == value for name, value in key.items()))
    if connection.execute(sa.select(sa.literal(1)).select_from(table).where(condition)).first() is None:
        connection.execute(sa.insert(table).values(**key, **values))
