"""Files as sources: Parquet, CSV and JSON, one file, a folder of them or a pattern."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hanse.engine.sources import Given, Scan, SourceBadOption, SourceMissing, SourceOutsideRoot, Wanted
from hanse.names import literal, nearest
from hanse.spec.model import Source

_FORMATS = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".json": "json", ".ndjson": "json", ".jsonl": "json",
}  # fmt: skip
_COMPRESSED = (".gz", ".zst")
_MOST_FILES = 100_000
_ANY = ("path", "format")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text")
    return literal(value)


def _bool(value: Any) -> str:
    if not isinstance(value, bool):
        raise TypeError("true or false")
    return "true" if value else "false"


def _count(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError("a whole number")
    return str(value)


def _sample(value: Any) -> str:
    return "-1" if _count(value) == "0" else _count(value)


def _texts(value: Any) -> str:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        raise TypeError("a text or a list of texts")
    return "[" + ", ".join(literal(item) for item in values) + "]"


def _types(value: Any) -> str:
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
        raise TypeError("a map of column to SQL type")
    return "{" + ", ".join(f"{literal(str(name))}: {literal(type_)}" for name, type_ in value.items()) + "}"


_Option = Callable[[Any], str]
# our word → (DuckDB's parameter, how its value is written)
_OPTIONS: dict[str, dict[str, tuple[str, _Option]]] = {
    "parquet": {"union_by_name": ("union_by_name", _bool), "filename": ("filename", _bool)},
    "csv": {
        "delimiter": ("delim", _text), "quote": ("quote", _text), "escape": ("escape", _text),
        "header": ("header", _bool), "skip": ("skip", _count), "null": ("nullstr", _texts),
        "encoding": ("encoding", _text), "date_format": ("dateformat", _text),
        "timestamp_format": ("timestampformat", _text), "decimal_separator": ("decimal_separator", _text),
        "comment": ("comment", _text), "types": ("types", _types), "columns": ("columns", _types),
        "all_text": ("all_varchar", _bool), "sample_rows": ("sample_size", _sample),
        "union_by_name": ("union_by_name", _bool), "filename": ("filename", _bool),
    },
    "json": {
        "layout": ("format", _text), "columns": ("columns", _types), "date_format": ("dateformat", _text),
        "timestamp_format": ("timestampformat", _text), "union_by_name": ("union_by_name", _bool),
        "filename": ("filename", _bool),
    },
}  # fmt: skip
_FUNCTIONS = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}


class Files:
    """The kind `files`: `path` (a file, a folder or a pattern), `format` where the ending does not tell it."""

    remote = False

    def scan(self, source: Source, given: Given, wanted: Wanted, folder: Path) -> Scan:
        """The files of `source` as they are now, and the call that reads them."""
        files = self._files(source, given.roots, given.base)
        return Scan(source.name, scan_of(source, files), files)

    def fingerprint(self, source: Source, given: Given) -> str | None:
        """A hash over the files' names below `base`, sizes and times of change, and the options."""
        told = hashlib.sha256(repr(sorted(source.options.items())).encode())
        for file in self._files(source, given.roots, given.base):
            status = file.stat()
            told.update(f"{os.path.relpath(file, given.base)}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        return told.hexdigest()

    def check(self, given: Given) -> str:
        """Files need no connection: there is nothing to try."""
        return "files on this node"

    def _files(self, source: Source, roots: Sequence[Path], base: Path) -> tuple[Path, ...]:
        wanted = source.options.get("path")
        if not isinstance(wanted, str) or not wanted or "\0" in wanted:
            raise SourceBadOption(
                f"source {source.name!r} has no path", where=str(source.place), mend="add path: data/file.parquet"
            )
        if "://" in wanted:
            raise SourceBadOption(
                f"source {source.name!r}: {wanted[:80]!r} is not a path",
                where=str(source.place),
                mend="write the path of a file or folder on the node",
            )
        inside = [Path(os.path.realpath(root)) for root in roots]
        whole = base / wanted
        # what lies outside is refused before it is looked at: whether a file is there is not told either
        self.refuse_outside(source, wanted, _fixed_part(whole), inside)
        if any(mark in wanted for mark in "*?["):
            found = [Path(name) for name in glob.iglob(str(whole), recursive=True)]
        elif whole.is_dir():
            found = [file for file in whole.rglob("*") if _ending(file) in _FORMATS]
        else:
            found = [whole]
        files = []
        for file in sorted(found):
            real = Path(os.path.realpath(file))
            self.refuse_outside(source, wanted, real, inside)
            try:
                mode = real.stat().st_mode
            except OSError:
                continue
            if stat.S_ISREG(mode):
                files.append(real)
        if not files:
            raise SourceMissing(
                f"source {source.name!r}: there is no file at {wanted!r}",
                where=str(source.place),
                mend=_mend_missing(wanted, whole),
            )
        if len(files) > _MOST_FILES:
            raise SourceBadOption(
                f"source {source.name!r} has {len(files)} files, at most {_MOST_FILES} are read",
                where=str(source.place),
                mend="write fewer, larger files",
            )
        return tuple(files)

    def refuse_outside(self, source: Source, wanted: str, place: Path, inside: Sequence[Path]) -> None:
        """Raise `SourceOutsideRoot` unless `place` lies `inside`."""
        real = Path(os.path.realpath(place))
        if not any(real.is_relative_to(root) for root in inside) or _is_kept(real, inside):
            raise SourceOutsideRoot(
                f"source {source.name!r}: {wanted!r} lies outside the folders that this node may read",
                where=str(source.place),
                mend="move the file below the project, or have the operator add its folder to roots in node.yaml",
            )


def scan_of(source: Source, files: Sequence[Path | str], own: Iterable[str] = _ANY) -> str:
    """The call that reads `files` as `source` describes them; `own` are options that do not describe the files."""
    format_ = _format(source, files)
    listed = ", ".join(literal(str(file)) for file in files)
    arguments = "".join(f", {name} = {value}" for name, value in _parameters(source, format_, own))
    return f"{_FUNCTIONS[format_]}([{listed}]{arguments})"


def _format(source: Source, files: Sequence[Path | str]) -> str:
    stated = source.options.get("format")
    if stated is not None:
        if stated in _FUNCTIONS:
            return str(stated)
        near = nearest(str(stated), _FUNCTIONS) or list(_FUNCTIONS)
        raise SourceBadOption(
            f"source {source.name!r}: there is no format {stated!r}",
            where=str(source.place),
            mend=f"write format: {' or '.join(near)}",
        )
    endings = sorted({_ending(Path(file)) for file in files})
    formats = {_FORMATS.get(ending) for ending in endings}
    if len(formats) == 1 and (one := formats.pop()) is not None:
        return one
    raise SourceBadOption(
        f"source {source.name!r}: {', '.join(map(repr, endings))[:80]} does not tell one format",
        where=str(source.place),
        mend="add format: parquet, csv or json",
    )


def _parameters(source: Source, format_: str, own: Iterable[str]) -> list[tuple[str, str]]:
    known = _OPTIONS[format_]
    out = []
    for name, value in source.options.items():
        if name in own:
            continue
        if name not in known:
            near = nearest(name, known) or sorted(known)
            raise SourceBadOption(
                f"source {source.name!r}: {format_} files have no option {name!r}",
                where=str(source.place),
                mend=f"write one of: {', '.join(near)}",
            )
        parameter, write = known[name]
        try:
            out.append((parameter, write(value)))
        except TypeError as error:
            raise SourceBadOption(
                f"source {source.name!r}: option {name!r} wants {error}",
                where=str(source.place),
                mend=f"write {name}: with {error}",
            ) from None
    return out


def below(source: Source, wanted: str, given: Given) -> Path:
    """The real path of `wanted`, which lies below the roots and is nothing that a node or home keeps."""
    FILES.refuse_outside(source, wanted, given.base / wanted, [Path(os.path.realpath(root)) for root in given.roots])
    return Path(os.path.realpath(given.base / wanted))


def _ending(file: Path) -> str:
    """The ending that tells the format: `.csv` of `a.csv.gz`."""
    name = file.name.lower()
    for compressed in _COMPRESSED:
        name = name.removesuffix(compressed)
    return Path(name).suffix


def _is_kept(real: Path, inside: Sequence[Path]) -> bool:
    """Whether a place is the node's or a home's own: its keys, store and tables are never read around a decision.

    Hidden folders are never sources; a home that lies elsewhere below a root is known by its keys.
    """
    for root in inside:
        if real.is_relative_to(root):
            below = real.relative_to(root).parts
            if any(part.startswith(".") for part in below):
                return True
            if any((root.joinpath(*below[:depth]) / "mask.key").exists() for depth in range(len(below) + 1)):
                return True
    return False


def _fixed_part(whole: Path) -> Path:
    """The folders of a pattern before its first mark."""
    fixed = Path(whole.anchor)
    for part in whole.parts[1:] if whole.is_absolute() else whole.parts:
        if any(mark in part for mark in "*?["):
            break
        fixed /= part
    return fixed


def _mend_missing(wanted: str, whole: Path) -> str:
    if whole.is_dir():
        return f"put {', '.join(sorted(_FUNCTIONS))} files there, with the ending that tells so"
    if whole.is_file():
        return "the name reads as a pattern: give the file one without *, ? and ["
    try:
        beside = [entry.name for entry in whole.parent.iterdir()]
    except OSError:
        return f"there is no folder {str(Path(wanted).parent)!r}: mend the path"
    near = nearest(whole.name, beside)
    return f"did you mean {str(Path(wanted).parent / near[0])!r}?" if near else "mend the path or put the file there"


FILES = Files()
