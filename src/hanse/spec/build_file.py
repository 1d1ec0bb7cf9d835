"""build.yaml: the sources of a product and how each of its tables is made.

sources          name → {kind: files, path, format, …} or {connection, …}: how transforms call it; `kind` names a
                 plug-in, the rest is what it takes; a relative path starts at the product's folder
    connection   a name of domain.yaml, which says the kind
    columns      column → SQL type: what the transform counts on; a source elsewhere that has it not is an error
    window       incremental by time: the source's column by which rows before the last increment are left unread
    changed      the source's column whose greatest value tells whether there is something new
tables           table → transform; `orders@1` for the table of major 1, `orders` for that of the highest major
    sql          a file beside build.yaml: one SELECT over sources and pinned addresses (`sales.orders_v1.lines`); or
    python       a file beside it, and in it
    function     the function's name (default: the table's), called with an Arrow table an input
    inputs       argument → {from: pinned address or source, columns: [those it is given, and no other]}
    lineage      column → [argument.column]: what it is made of; absent: all that the function is given
    mode         full (default) or incremental
    by           incremental: key (rows of the same primary key are replaced) or time (rows are appended)
    time_column  by time: the column that tells a row's time
    late         by time: how far back rows may still come: seconds, or 30m, 12h, 3d (default 0)
accept_governed  addresses of inputs that may be masked or filtered for this product
limits           wall_seconds, cpu_seconds, memory_mib of each transform
keep             former publications: {days: while they were current in the last days, at_least: the newest ones}
storage          copy (default); live is reserved
schedule         when it is built, tested and published again by itself: five fields of cron; or
    cron         five fields: minute, hour, day, month, weekday
    zone         whose clocks (default UTC)
    after        inputs: after each publication of an input
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hanse.errors import Finding, Kind, code, rejects
from hanse.names import PortLine, is_name
from hanse.spec import keep, schedule
from hanse.spec.checks.identity import check_variables
from hanse.spec.checks.report import Report
from hanse.spec.document import Document
from hanse.spec.model import BuildFile, Contract, Source, Table, Transform
from hanse.spec.near import Near
from hanse.spec.pointer import pointer
from hanse.spec.schedule import Schedule

UNKNOWN_KEY = code(
    "build.unknown-key",
    Kind.INVALID,
    "build.yaml has a word that means nothing",
    "A word that is not known would be skipped silently, and with it what it was meant to do.",
    "Correct the spelling; the message names the words that exist.",
)
BAD_VALUE = code(
    "build.bad-value",
    Kind.INVALID,
    "A value in build.yaml is not of its kind",
    "Each word of build.yaml takes one kind of value.",
    "Write the value as the message says.",
)
NO_FILE = code(
    "build.no-transform-file",
    Kind.INVALID,
    "A transform's file is not there",
    "A table is made by a SQL or Python file beside build.yaml.",
    "Add the file, or mend its name in build.yaml.",
)
UNKNOWN_TABLE = code(
    "build.unknown-table",
    Kind.INVALID,
    "build.yaml makes a table that no contract promises",
    "Every table that is built is promised by the contract of a port line, and the other way round.",
    "Add the table to a contract, or mend its name.",
)
NOT_MADE = code(
    "build.table-not-made",
    Kind.INVALID,
    "A promised table is not made",
    "A port line is published whole: each table of its contract needs a transform.",
    "Add the table under `tables` in build.yaml.",
)

LIVE = code(
    "build.live-storage",
    Kind.INVALID,
    "Live storage is not there yet",
    "Data that stay in their source have no snapshot, so no past and no proof of what was read; the word is reserved.",
    "Write storage: copy, or leave it out.",
)

_TOP = ("sources", "tables", "accept_governed", "limits", "schedule", "storage", "keep")
_TABLE = ("sql", "python", "function", "inputs", "lineage", "mode", "by", "time_column", "late")
_LIMITS = ("wall_seconds", "cpu_seconds", "memory_mib")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", re.ASCII)
_FUNCTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def build_file(
    document: Document, contracts: Mapping[PortLine, Contract], files: Mapping[str, str]
) -> tuple[BuildFile | None, list[Finding]]:
    """Read a product's build.yaml; `files` are the texts beside it, by path below the product's folder."""
    reader = _Reader(document, contracts, files)
    tree = document.tree
    if not isinstance(tree, Mapping):
        reader.bad("", "build.yaml is a mapping", "write sources: and tables:")
        return None, reader.findings
    reader.known("", tree, _TOP)
    sources = tuple(reader.sources(tree.get("sources")))
    transforms = tuple(reader.transforms(tree.get("tables")))
    reader.storage(tree.get("storage"))
    reader.keep(tree.get("keep"))
    when = reader.schedule(tree.get("schedule"))
    limits = reader.limits(tree.get("limits"))
    accepted = reader.texts("/accept_governed", tree.get("accept_governed"))
    reader.variables()
    if not rejects(reader.findings):
        reader.missing(transforms)
    if rejects(reader.findings):
        return None, sorted(reader.findings)
    place = document.place("")
    return (
        BuildFile(sources, transforms, frozenset(accepted), limits, document.text, place, when),
        sorted(reader.findings),
    )


@dataclass(slots=True)
class _Reader:
    document: Document
    contracts: Mapping[PortLine, Contract]
    files: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)
    nearest: Near = field(default_factory=Near)

    def found(self, at: str, slug: str, message: str, mend: str, *, key: bool = False) -> None:
        self.findings.append(Finding.at(self.document.place(at, key=key), slug, message, mend=mend))

    def bad(self, at: str, message: str, mend: str) -> None:
        self.found(at, BAD_VALUE, message, mend)

    def known(self, at: str, tree: Mapping[str, Any], words: Sequence[str]) -> None:
        for word in tree:
            if word not in words:
                near = self.nearest(str(word), words) or list(words)
                self.found(
                    at + pointer(str(word)),
                    UNKNOWN_KEY,
                    f"build.yaml has no {str(word)[:60]!r} here",
                    f"write one of: {', '.join(near)}",
                    key=True,
                )

    def texts(self, at: str, value: Any) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.bad(at, f"{at.rpartition('/')[2]} is a list of texts", "write [a, b]")
            return ()
        return tuple(value)

    def sources(self, tree: Any) -> list[Source]:
        if tree is None:
            return []
        if not isinstance(tree, Mapping):
            self.bad("/sources", "sources is a mapping of name to source", "write name: {kind: files, path: …}")
            return []
        out = []
        for name, value in tree.items():
            at = pointer("sources", str(name))
            if not isinstance(name, str) or not is_name(name):
                self.bad(at, f"{str(name)[:60]!r} cannot name a source", "use a-z, 0-9 and _, beginning with a letter")
            elif not isinstance(value, Mapping) or not isinstance(value.get("kind", "files"), str):
                self.bad(at, f"source {name!r} is no mapping with a kind", "write {kind: files, path: …}")
            elif not isinstance(value.get("connection", ""), str):
                self.bad(f"{at}/connection", "connection is a name of domain.yaml", "write connection: NAME")
            else:
                options = {str(key): option for key, option in value.items() if key != "kind"}
                kind = value.get("kind", "" if "connection" in value else "files")
                out.append(Source(name, kind, options, self.document.place(at)))
        return out

    def transforms(self, tree: Any) -> list[Transform]:
        if not isinstance(tree, Mapping) or not tree:
            self.bad("/tables", "tables is a mapping of table to transform", "write tables: {name: {sql: name.sql}}")
            return []
        out = []
        makers: dict[tuple[PortLine, str], str] = {}
        for name, value in tree.items():
            at = pointer("tables", str(name))
            line = self.line(at, str(name))
            if line is None:
                continue
            first = makers.setdefault((line, str(name).partition("@")[0]), str(name))
            if first != str(name):
                message = f"{str(name)[:80]} is the table that {first[:80]} makes already"
                self.found(at, BAD_VALUE, message, "keep one of them", key=True)
                continue
            if not isinstance(value, Mapping):
                self.bad(at, f"table {str(name)!r} is no mapping", "write {sql: FILE.sql} or {python: FILE.py, …}")
                continue
            made = self.transform(at, str(name).partition("@")[0], line, value)
            if made is not None:
                out.append(made)
        return out

    def line(self, at: str, name: str) -> PortLine | None:
        """The port line whose table is made: `orders@1`, or `orders` for the highest major that promises it."""
        table, _, major = name.partition("@")
        lines = sorted(line for line, contract in self.contracts.items() if contract.table(table) is not None)
        if major:
            lines = [line for line in lines if str(line.major) == major]
        if lines:
            return max(lines, key=lambda line: line.major)
        promised = {t.name for contract in self.contracts.values() for t in contract.tables}
        near = self.nearest(table, promised) or sorted(promised)
        mend = f"write {' or '.join(near)}" if near else "add a contract with this table"
        self.found(at, UNKNOWN_TABLE, f"no contract of the product promises a table {name[:60]!r}", mend, key=True)
        return None

    def transform(self, at: str, table: str, line: PortLine, tree: Mapping[str, Any]) -> Transform | None:
        self.known(at, tree, _TABLE)
        python = "python" in tree
        file = tree.get("python" if python else "sql")
        if not isinstance(file, str) or ("sql" in tree) == python:
            said = "two transforms" if "sql" in tree and python else "no transform"
            self.bad(at, f"table {table!r} has {said}", "write exactly one of sql: FILE.sql and python: FILE.py")
            return None
        text = self.files.get(file)
        if text is None:
            near = self.nearest(file, [f for f in self.files if f.endswith(".py" if python else ".sql")])
            mend = f"write {near[0]}" if near else f"add {file} beside build.yaml"
            self.found(at + pointer("python" if python else "sql"), NO_FILE, f"there is no file {file[:200]!r}", mend)
            return None
        inputs, origins = self.inputs(at, tree.get("inputs"), python)
        mode, by = tree.get("mode", "full"), tree.get("by")
        time_column = tree.get("time_column")
        if mode not in ("full", "incremental"):
            self.bad(at + "/mode", f"mode is full or incremental, not {str(mode)[:40]!r}", "write mode: full")
        if mode == "incremental":
            self.increment(at, table, line, by, time_column)
        function = tree.get("function", table if python else None)
        if function is not None and not (python and isinstance(function, str) and _FUNCTION.fullmatch(function)):
            self.bad(at + "/function", "function names a function of the Python file", "write function: NAME")
        return Transform(
            table,
            line.major,
            "python" if python else "sql",
            file,
            function if python else None,
            text,
            inputs,
            self.lineage(at, tree.get("lineage"), python, self.contracts[line].table(table), inputs),
            str(mode),
            by if isinstance(by, str) else None,
            time_column if isinstance(time_column, str) else None,
            self.duration(at + "/late", tree.get("late", 0)),
            self.document.place(at),
            origins,
        )

    def increment(self, at: str, table: str, line: PortLine, by: Any, time_column: Any) -> None:
        promised = self.contracts[line].table(table)
        assert promised is not None
        if by == "key":
            if not promised.primary_key:
                self.bad(at + "/by", f"table {table!r} has no primary key to replace rows by", "state a primary key")
        elif by == "time":
            column = promised.column(time_column) if isinstance(time_column, str) else None
            if column is None or getattr(column.type, "name", "") not in ("date", "timestamp", "timestamptz"):
                names = [c.name for c in promised.columns if getattr(c.type, "name", "").startswith(("date", "timest"))]
                self.bad(
                    at + "/time_column",
                    "an increment by time needs the name of a column that holds a time",
                    f"write time_column: {' or '.join(names) or 'COLUMN'}",
                )
        else:
            self.bad(at + "/by", "an increment is by key or by time", "write by: key, or by: time")

    def inputs(self, at: str, tree: Any, python: bool) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
        columns: dict[str, tuple[str, ...]] = {}
        origins: dict[str, str] = {}
        if tree is None and not python:
            return columns, origins
        if not python or not isinstance(tree, Mapping):
            mend = "write inputs: {name: {from: domain.product_v1.table, columns: [a, b]}}"
            self.bad(at + "/inputs", "inputs list what a Python transform is given, and only that", mend)
            return columns, origins
        for name, value in tree.items():
            here = at + pointer("inputs", str(name))
            if not isinstance(name, str) or _FUNCTION.fullmatch(name) is None:
                self.bad(here, f"{str(name)[:60]!r} cannot name an argument", "write a Python name")
                continue
            origin, listed = (value.get("from"), value.get("columns")) if isinstance(value, Mapping) else (None, None)
            if not isinstance(origin, str) or not all(is_word(part) for part in origin.split(".")):
                self.bad(here, f"input {name!r} does not say from where", "write from: domain.product_v1.table")
                continue
            if not isinstance(listed, list) or not listed or not all(isinstance(c, str) for c in listed):
                self.bad(here, f"input {name!r} lists no columns", "write columns: [a, b]: it is given these only")
                continue
            origins[name], columns[name] = origin, tuple(listed)
        return columns, origins

    def lineage(
        self, at: str, tree: Any, python: bool, promised: Table | None, inputs: Mapping[str, tuple[str, ...]]
    ) -> dict[str, tuple[str, ...]] | None:
        if tree is None:
            return None
        if not python or not isinstance(tree, Mapping):
            mend = "write lineage: {column: [input.column]}"
            self.bad(at + "/lineage", "lineage maps columns of a Python table to columns of its inputs", mend)
            return None
        given = [f"{name}.{column}" for name, columns in inputs.items() for column in columns]
        out = {}
        for column, value in tree.items():
            here = at + pointer("lineage", str(column))
            if promised is not None and promised.column(str(column)) is None:
                known = [c.name for c in promised.columns]
                mend = f"write {' or '.join(self.nearest(str(column), known) or known[:10])}"
                self.found(
                    here, BAD_VALUE, f"table {promised.name!r} has no column {str(column)[:60]!a}", mend, key=True
                )
            out[str(column)] = origins = self.texts(here, value)
            for i, origin in enumerate(origins):
                if origin not in given:
                    mend = f"write {' or '.join(self.nearest(origin, given) or given[:10]) or '[]'}"
                    self.bad(f"{here}/{i}", f"{origin[:60]!a} is no column that the transform is given", mend)
        return out

    def duration(self, at: str, value: Any) -> float:
        match = _DURATION.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
        if match is None:
            self.bad(at, f"{str(value)[:40]!r} is no length of time", "write seconds, or 30m, 12h, 3d")
            return 0.0
        return float(match[1]) * _UNITS.get(match[2], 1)

    def schedule(self, tree: Any) -> Schedule | None:
        if isinstance(tree, Mapping):
            self.known("/schedule", tree, schedule.WORDS)
        return schedule.schedule(
            tree, bad=lambda key, message, mend: self.bad(f"/schedule/{key}".rstrip("/"), message, mend)
        )

    def variables(self) -> None:
        """Those of sources get their values from the operator; any other stays as it is written."""
        report = Report(self.document)
        check_variables(report)
        for one in report.findings:
            if one.pointer.startswith("/sources/"):
                told = one.message.replace(" stays as written", " gets its value where the node runs")
                one = replace(one, message=told, mend="the operator sets HANSE_VARIABLE_… or .hanse/variables.ini")
            self.findings.append(one)

    def storage(self, value: Any) -> None:
        if value == "live":
            self.found("/storage", LIVE, "storage: live is reserved", "write storage: copy")
        elif value not in (None, "copy"):
            self.bad("/storage", f"storage is copy, not {str(value)[:40]!r}", "write storage: copy")

    def keep(self, tree: Any) -> None:
        if isinstance(tree, Mapping):
            self.known("/keep", tree, keep.WORDS)
        keep.keep(tree, bad=lambda key, message, mend: self.bad(f"/keep/{key}".rstrip("/"), message, mend))

    def limits(self, tree: Any) -> Mapping[str, Any]:
        if tree is None:
            return {}
        if not isinstance(tree, Mapping):
            self.bad("/limits", "limits is a mapping", "write limits: {memory_mib: 2048}")
            return {}
        self.known("/limits", tree, _LIMITS)
        for word, value in tree.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                self.bad(pointer("limits", str(word)), f"{word} is a number above 0", f"write {word}: 600")
        return dict(tree)

    def missing(self, transforms: Sequence[Transform]) -> None:
        made = {(t.major, t.table) for t in transforms}
        for line, contract in sorted(self.contracts.items()):
            for table in contract.tables:
                if (line.major, table.name) not in made:
                    self.found(
                        "/tables",
                        NOT_MADE,
                        f"table {table.name!r} of {line} is not made",
                        f"add {table.name}@{line.major}: {{sql: {table.name}.sql}}",
                    )


def is_word(text: str) -> bool:
    """Whether `text` may be one part of an address as SQL writes it: a name, pinned or not."""
    return _FUNCTION.fullmatch(text) is not None
