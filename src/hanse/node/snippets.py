"""How to read a product with what people have: a text for each tool that works when it is pasted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Readable:
    """What a snippet needs to know: the node's address, the product (`sales/orders@1`), its table, its SQL address."""

    node: str
    product: str
    table: str
    sql: str

    @property
    def rows(self) -> str:
        """The address of the table's rows."""
        name, _, major = self.product.partition("@")
        return f"{self.node}/api/v1/products/{name}/tables/{quote(self.table)}/rows?major={major}"


def _connected(one: Readable) -> str:
    return (
        "import hanse   # or, alone: pip install hanse-client; import hanse_client as hanse\n\n"
        f'mesh = hanse.connect("{one.node}")\n'
    )


def _python(one: Readable) -> str:
    return (
        f'{_connected(one)}rows = mesh.product("{one.product}", table="{one.table}")\n'
        "print(rows.sample(5))\ntable = rows.arrow()        # all of it; .batches() in bounded memory\n"
        "print(table.num_rows)\n"
    )


def _pandas(one: Readable) -> str:
    return (
        f'{_connected(one)}frame = mesh.product("{one.product}", table="{one.table}").pandas()\nprint(frame.head())\n'
    )


def _polars(one: Readable) -> str:
    return (
        f'{_connected(one)}frame = mesh.product("{one.product}", table="{one.table}").polars()\nprint(frame.head())\n'
    )


def _duckdb(one: Readable) -> str:
    return (
        f"import duckdb\n{_connected(one)}"
        f'{one.table} = mesh.product("{one.product}", table="{one.table}").arrow()\n'
        f'print(duckdb.sql("select count(*) from {one.table}"))\n'
    )


def _curl(one: Readable) -> str:
    return (
        f'curl -sf -H "Authorization: Bearer $(hanse token --node {one.node})" \\\n'
        f"  -H 'Accept: text/csv' '{one.rows}&limit=10'\n"
    )


def _hanse(one: Readable) -> str:
    return f'hanse query --node {one.node} "select * from {one.sql} limit 10"\n'


SNIPPETS: Mapping[str, tuple[str, Callable[[Readable], str]]] = {
    "python": ("the Python side of hanse, Arrow", _python),
    "pandas": ("a pandas frame", _pandas),
    "polars": ("a polars frame", _polars),
    "duckdb": ("DuckDB in Python", _duckdb),
    "curl": ("CSV over HTTP", _curl),
    "hanse": ("this command line", _hanse),
}


def snippet(tool: str, one: Readable) -> str:
    """The text for `tool`, a name of `SNIPPETS`; raises KeyError for another."""
    return SNIPPETS[tool][1](one)
