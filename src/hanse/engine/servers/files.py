"""Files as relations: Parquet, CSV and JSON, on this machine or in a bucket."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from glob import glob, has_magic
from pathlib import Path

from hanse.engine.rules.model import Missing, Relation
from hanse.engine.servers.errors import BadServer
from hanse.names import literal
from hanse.spec.model import Table

FORMATS = ("parquet", "csv", "json")
_HOLDER = re.compile(r"\$?\{(?:model|table|object|schema)\}")
_ENCODINGS = {"utf-8": "utf-8", "utf8": "utf-8", "ascii": "utf-8", "us-ascii": "utf-8", "utf-16": "utf-16",
              "iso-8859-1": "latin-1", "latin-1": "latin-1"}  # fmt: skip


def file_format(server: Mapping[str, object], path: str) -> str:
    """The server's format, else the path's suffix; `BadServer` for one that hanse does not read."""
    written = str(server.get("format") or Path(path).suffix.removeprefix(".")).lower()
    found = {"ndjson": "json", "jsonl": "json", "pq": "parquet"}.get(written, written)
    if found not in FORMATS:
        raise BadServer(
            f"files in the format {written!r} are not read" if written else "the server tells no format",
            mend=f"format: one of {', '.join(FORMATS)}",
        )
    return found


def called(table: Table) -> tuple[str, ...]:
    """The names under which a source may have `table`, the physical one first."""
    return tuple(dict.fromkeys(name for name in (table.physical_name, table.title, table.name) if name))


def locations(path: str, format: str, table: Table, alone: bool) -> tuple[str, ...]:
    """The paths to look for `table` under the server's `path`, best first; `alone`: it is the contract's only table."""
    names = called(table)
    if _HOLDER.search(path):
        return tuple(_HOLDER.sub(lambda _, n=name: n, path) for name in names)  # type: ignore[misc]
    if has_magic(path) or Path(path).suffix:
        return (path,)
    base = path.rstrip("/")
    inside = []
    for name in names:
        inside += (
            [f"{base}/{name}"] if Path(name).suffix else [f"{base}/{name}.{format}", f"{base}/{name}/**/*.{format}"]
        )
    return (*inside, f"{base}/**/*.{format}") if alone else tuple(inside)


def local(server: Mapping[str, object], table: Table, alone: bool, base: Path) -> Relation | Missing:
    """`table` in files of this machine; relative paths are relative to the contract's folder."""
    path = str(server.get("path") or "")
    if not path:
        raise BadServer("a server of type local needs a path", mend="path: ./data/orders.parquet")
    if "://" in path:
        raise BadServer(f"{path!r} is an address, not a path", mend="use a server of type s3, or a path")
    format = file_format(server, path)
    for location in locations(path, format, table, alone):
        where = location if Path(location).is_absolute() else str(base / location)
        files = sorted(f for f in glob(where, recursive=True) if Path(f).is_file()) if has_magic(where) else [where]
        if files and Path(files[0]).is_file():
            shown = location if len(files) == 1 else f"{location} ({len(files)} files)"
            return Relation(scan(files, format, server), shown, typed=format == "parquet", files=tuple(files))
    return Missing(f"there is no file at {path}")


def scan(files: Sequence[str], format: str, server: Mapping[str, object]) -> str:
    """A FROM item that reads `files` together."""
    listed = "[" + ", ".join(literal(file) for file in files) + "]"
    union = ", union_by_name=true" if len(files) > 1 else ""
    if format == "parquet":
        return f"read_parquet({listed}{union})"
    if format == "csv":
        # without types of its own: every value is read as text and then as what the contract promises
        return f"read_csv({listed}, header=true, all_varchar=true{_encoding(server)}{union})"
    lines = {"new_line": "newline_delimited", "array": "array"}.get(str(server.get("delimiter")), "auto")
    return f"read_json({listed}, format={literal(lines)}, sample_size=-1{union})"


def _encoding(server: Mapping[str, object]) -> str:
    written = server.get("encoding")
    if written is None:
        return ""
    known = _ENCODINGS.get(str(written).lower())
    if known is None:
        raise BadServer(f"the encoding {written!r} is not read", mend="encoding: UTF-8, UTF-16 or ISO-8859-1")
    return f", encoding={literal(known)}"
