"""What of the catalogue a reader may know: what is discovered, without columns that do not exist for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from hanse.governance.catalog_tables import Row
from hanse.governance.decision import ColumnPath, Grant
from hanse.names import ProductId, TableId


@dataclass(frozen=True)
class View:
    """What a reader may know of a mesh. `holds` are the names under which grants are theirs to see."""

    tables: frozenset[TableId]
    hidden: Mapping[TableId, frozenset[ColumnPath]]
    offers: Mapping[str, ProductId]  # contract id → product, of what may be known
    holds: frozenset[str]
    decides: frozenset[str]  # domains all of whose grants they see

    def grants(self, held: Collection[Grant]) -> list[Grant]:
        """Those of `held` that the reader may see: their own, and those of domains where they decide."""
        known = {table.product for table in self.tables}
        seen = (one for one in held if one.to in self.holds or one.product.domain in self.decides)
        return [one for one in seen if one.product in known]

    @cached_property
    def _hidden(self) -> Mapping[tuple[str, int, str], frozenset[str]]:
        return {
            (str(id.product), id.major, id.table): frozenset(".".join(path) for path in paths)
            for id, paths in self.hidden.items()
            if paths
        }

    def rows(self, name: str, product: ProductId, rows: Mapping[str, list[Row]]) -> list[Row]:
        """The rows of a table of the catalogue that are about `product`, of which the reader may know."""
        known = {
            (table, major) for _, _, major, table, *_ in rows["tables"] if TableId(product, major, table) in self.tables
        }
        match name:
            case "products" | "owners":
                return rows[name]
            case "ports":
                shown = {(port, major) for _, port, major, table, *_ in rows["tables"] if (table, major) in known}
                return [row for row in rows[name] if (row[1], row[2]) in shown]
            case "tables":
                return [self._table(row, rows) for row in rows[name] if (row[3], row[2]) in known]
            case "columns":
                return list(self._columns(row for row in rows[name] if (row[3], row[2]) in known))
            case "rules":
                return list(self._rules(row for row in rows[name] if (row[2], row[1]) in known))
            case "service_levels":
                majors = {major for _, major in known}
                return [row for row in rows[name] if row[1] in majors]
            case "lineage":
                sources = ((row, self.offers.get(row[2])) for row in rows[name])
                return [(*row[:4], str(source), *row[5:]) for row, source in sources if source is not None]
        raise KeyError(name)

    def _table(self, row: Row, rows: Mapping[str, list[Row]]) -> Row:
        product, port, major, name, description, key, columns, _, *rest = row
        gone = self._hidden.get((product, major, name), frozenset())
        rules = sum(1 for _ in self._rules(one for one in rows["rules"] if one[1:3] == (major, name)))
        top = (one for one in rows["columns"] if one[2:4] == (major, name) and one[5] == 1)
        shown = columns - sum(one[4] in gone for one in top)
        return (product, port, major, name, description, [c for c in key if c not in gone], shown, rules, *rest)

    def _columns(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            gone = self._hidden.get((row[0], row[2], row[3]))
            if not gone:
                yield row
            elif row[4] not in gone:
                inner = any(path.startswith(f"{row[4]}.") for path in gone)
                # a type tells the names of its fields
                yield (*row[:6], str(row[6]).partition("(")[0], *row[7:]) if inner else row

    def _rules(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            gone = self._hidden.get((row[0], row[1], row[2]))
            if not gone or not (row[3] in gone or any(path.lower() in str(row[4]).lower() for path in gone)):
                yield row
