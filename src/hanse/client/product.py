"""A product as one person may see it; rows are read when they are asked for."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

from .answer import Answer
from .cards import Card, Grid
from .errors import HanseError

if TYPE_CHECKING:
    import duckdb
    import pandas
    import polars
    import pyarrow as pa

    from .mesh import Mesh, Requested


@dataclass(frozen=True)
class Column:
    """A column as its contract promises it; `view` says how you see it: clear, a mask in words, or no access."""

    name: str
    type: str
    description: str
    classification: str | None
    required: bool
    view: str

    @property
    def is_masked(self) -> bool:
        return self.view not in ("clear", "no access")


class Product:
    """One table of a product (its main table unless another was named) with what is promised of it."""

    def __init__(self, mesh: Mesh, told: Mapping[str, Any], table: str | None = None) -> None:
        self._mesh = mesh
        self.told = told
        self.id = str(told["product"])
        self.title = str(told.get("title") or self.id)
        self.version = str(told["version"])
        self.major = int(told["major"])
        self.status = str(told["status"])
        self.access = str(told["access"])
        self.owner = str(told["owner"])
        self.purpose = str(told.get("purpose") or "")
        self.publication = int(told["sequence"])
        self.published_at = datetime.fromisoformat(told["published_at"])
        self._table = _table(self.id, told["tables"], table)
        self.table = str(self._table["name"])

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the product's tables; `mesh.product(id, table=…)` reads another."""
        return tuple(str(one["name"]) for one in self.told["tables"])

    @property
    def columns(self) -> Mapping[str, Column]:
        """The columns by name, without those that do not exist for you."""
        names = ("name", "type", "description", "classification", "required", "view")
        return {one["name"]: Column(**{name: one[name] for name in names}) for one in self._table["columns"]}

    def read(
        self, columns: Sequence[str] | None = None, *, where: str | None = None, limit: int | None = None
    ) -> Answer:
        """The table's rows: `columns` of it, those for which the SQL predicate `where` holds, at most `limit`."""
        shown = "*" if columns is None else ", ".join(map(_quoted, columns))
        domain, _, name = self.id.partition("/")
        sql = f"SELECT {shown} FROM {domain}.{name}_v{self.major}.{self.table}"
        return self._mesh.sql(sql if where is None else f"{sql} WHERE (\n{where}\n)", limit=limit)

    def sample(self, rows: int = 5) -> Answer:
        """A few rows, as you may see them."""
        return self.read(limit=rows)

    def arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        return self.read().arrow()

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """All rows in Arrow record batches as they come, in bounded memory."""
        return self.read().batches()

    def pandas(self) -> pandas.DataFrame:
        """All rows as a pandas frame."""
        return self.read().pandas()

    def polars(self) -> polars.DataFrame:
        """All rows as a polars frame."""
        return self.read().polars()

    def duckdb(self) -> duckdb.DuckDBPyRelation:
        """All rows as a relation of DuckDB's default connection in this process."""
        return self.read().duckdb()

    def request_access(
        self,
        *,
        why: str,
        until: str | date,
        to: str | None = None,
        purpose: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> Requested:
        """Ask the owner for access, for yourself or for `to`."""
        return self._mesh.request_access(self.id, why=why, until=until, to=to, purpose=purpose, columns=columns)

    def follow(self) -> None:
        """Be told of its news: `mesh.events(following=True)`."""
        self._mesh.follow(self.id)

    def unfollow(self) -> None:
        """Be told of its news no longer."""
        self._mesh.unfollow(self.id)

    def _card(self) -> Card:
        columns = self.columns.values()
        grid = Grid(
            ("column", "type", "class", "you see", "meaning"),
            tuple((c.name, c.type, c.classification or "", c.view, c.description) for c in columns),
            prose=frozenset({"meaning"}),
        )
        decision = self._table["decision"]
        rows = self._table.get("rows")
        access = "you may read it" if decision["allowed"] else decision["because"]
        if decision["allowed"] and decision.get("rows"):
            access += f", rows by {', '.join(decision['rows'])}"
        facts = {
            "owner": self.owner,
            "table": f"{self.table} ({len(self.tables)} in all)" if len(self.tables) > 1 else self.table,
            "rows": "" if rows is None else f"{rows:,}".replace(",", " "),  # a thin space
            "published": f"{_age(self.published_at)} ago",
            "access": access,
        }
        shown = {name: value for name, value in facts.items() if value}
        return Card(self.title, self.id, self.version, self.status, self.purpose, shown, grid)

    def __repr__(self) -> str:
        return self._card().text()

    def _repr_html_(self) -> str:
        return self._card().html()


def _table(id: str, tables: Sequence[Mapping[str, Any]], name: str | None) -> Mapping[str, Any]:
    if name is None:
        # the main table has the short address domain.product; it comes first where none has
        return next((one for one in tables if str(one["sql"]).count(".") == 1), tables[0])
    for one in tables:
        if one["name"] == name:
            return one
    known = ", ".join(str(one["name"]) for one in tables)
    raise HanseError(
        {
            "kind": "not-found",
            "code": "client.unknown-table",
            "detail": f"{id} has no table {name!r}",
            "mend": f"it has {known}",
        }
    )


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _age(since: datetime) -> str:
    seconds = max((datetime.now(timezone.utc) - since).total_seconds(), 0)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
