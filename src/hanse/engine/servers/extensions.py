"""The engine's extensions, loaded from installed wheels by file: nothing is downloaded at run time."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hanse.engine.servers.errors import MissingExtra
from hanse.names import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ENTRY = {"postgres": "postgres_scanner"}


def extension_file(name: str) -> Path | None:
    """The file of extension `name` for the installed engine, or None when its wheel is not installed."""
    import duckdb

    spec = find_spec(f"duckdb_extension_{name}")
    for root in (spec.submodule_search_locations or ()) if spec is not None else ():
        file = Path(root) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if file.is_file():
            return file
    return None


def load(connection: DuckDBPyConnection, name: str, kind: str, extra: str) -> None:
    """Load extension `name` for a server of type `kind`; `MissingExtra` names the extra that brings it."""
    file = extension_file(name)
    if file is None:
        raise MissingExtra(kind, extra)
    entry = _ENTRY.get(name, name)
    with TemporaryDirectory(prefix="hanse-") as folder:
        # the engine takes the entry point's name from the file's name, and one wheel calls its file otherwise
        link = Path(folder, f"{entry}.duckdb_extension")
        link.symlink_to(file)
        connection.execute(f"LOAD {literal(str(link))}")
