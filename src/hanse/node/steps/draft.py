"""draft: the first files of a product, from what its data look like or what a contract says. Writes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hanse.engine.profile import Profile, profile, types
from hanse.engine.sources import Scan, Source, SourceUnreadable, Wanted
from hanse.engine.sources.unreadable import ONE_COLUMN, unreadable
from hanse.errors import HanseError, Kind, Place, code
from hanse.names import ProductId, is_column_name, nearest
from hanse.node.sources import Sources, connections
from hanse.spec.document import load
from hanse.spec.from_datacontract import MARK, converted
from hanse.spec.model import Contract, Domain, Project
from hanse.spec.new_product import GivenContract, NewColumn, NewProduct, NewTable, texts
from hanse.spec.plain import dump
from hanse.spec.read import contract as read_contract

if TYPE_CHECKING:
    from hanse.node.settings import Settings

_CONTRACTS = (".yaml", ".yml", ".json")
_BY_PATH = ("s3",)  # kinds of connections whose sources are files in them


class NotDrafted(HanseError):
    kind = Kind.INVALID
    code = code(
        "draft.unusable",
        Kind.INVALID,
        "No product can be made from this",
        "A product begins with data: a file, a folder of files of one shape or a table of a connection; or with a "
        "contract and the data that keep it.",
        "Name what there is after --from; for a contract, name its data after --data.",
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person says of a product to come; empty texts are left to them."""

    id: ProductId
    source: str  # a path, or CONNECTION.table
    data: str = ""  # the same, of a contract
    title: str = ""
    purpose: str = ""
    support: str = ""
    kind: str = "source-aligned"
    access: str = "request"


@dataclass(frozen=True, slots=True)
class Draft:
    """The files by path below the project, the product they say, how many rows were counted, and what was left out."""

    texts: Mapping[str, str]
    product: NewProduct
    rows: Mapping[str, int]  # by table
    left: Sequence[str] = ()  # words of a contract that did not come over


def draft(settings: Settings, project: Project, asked: Asked, here: Path) -> Draft:
    """The files of the product; paths of `asked` start at `here`. Raises `NotDrafted` and what sources raise."""
    return _Drafting(settings, project, asked, here).draft()


class _Drafting:
    def __init__(self, settings: Settings, project: Project, asked: Asked, here: Path) -> None:
        self.settings, self.project, self.asked, self.here = settings, project, asked, here
        self.domain = self._domain()
        place = Path(self.domain.place.file).parent
        self.folder = (place / asked.id.name).as_posix()
        self.rows: dict[str, int] = {}

    def draft(self) -> Draft:
        asked = self.asked
        path = self.here / asked.source
        if path.suffix in _CONTRACTS and path.is_file():
            document, findings = load(path.read_bytes(), asked.source)
            tree = document.tree if document is not None else None
            if isinstance(tree, Mapping) and tree.get("kind") == "DataContract":
                return self._from_contract(path.read_text("utf-8"), asked.source, (), asked.title or asked.id.name)
            if isinstance(tree, Mapping) and MARK in tree:
                made = converted(tree, asked.id, self.domain.team)
                return self._from_contract(dump(made.tree), asked.source, made.left, str(made.tree["name"]))
            if path.suffix != ".json":
                raise NotDrafted(
                    findings[0].message if findings else f"{asked.source} is no data contract",
                    where=str(findings[0].place) if findings else asked.source,
                    mend="name an ODCS contract, a data contract specification, or a file with rows",
                )
        if asked.data:
            raise NotDrafted("--data is for contracts: here --from names the data", mend="leave --data out")
        table = self._counted(asked.id.name, asked.source)
        new = self._product([table], asked.title)
        return Draft(texts(new, self.folder), new, self.rows)

    def _from_contract(self, text: str, name: str, left: Sequence[str], title: str) -> Draft:
        document, findings = load(text, name)
        read, found = read_contract(document, project=True) if document is not None else (None, findings)
        if read is None or read.version is None:
            worst = next(iter(sorted(found)), None)
            raise NotDrafted(
                f"{name} cannot be promised: {worst.message if worst else 'it has no version'}",
                where=str(worst.place) if worst else name,
                mend=(worst.mend if worst else "") or f"hanse validate {name} tells all that is wrong",
            )
        if not self.asked.data:
            raise NotDrafted(
                f"{name} says what is promised, not where the rows are",
                mend=f"add --data {'FOLDER (one file a table)' if len(read.tables) > 1 else 'FILE'}, or a connection",
            )
        tables = [self._promised(table.name, read) for table in read.tables]
        new = self._product(tables, title, str(read.description.get("purpose") or ""))
        given = GivenContract(read.id, read.version_text, text)
        return Draft(texts(new, self.folder, given), new, self.rows, left)

    def _promised(self, name: str, contract: Contract) -> NewTable:
        """The table of a contract, with the data that keep it."""
        table = next(t for t in contract.tables if t.name == name)
        counted = self._counted(name, self._data_of(name, alone=len(contract.tables) == 1))
        there = {column.name.lower(): column.name for column in counted.columns}
        missing = [column.name for column in table.columns if column.name.lower() not in there]
        if missing:
            raise NotDrafted(
                f"the data of {name} lack what its contract promises: {', '.join(missing)[:200]}",
                where=str(table.place),
                mend=f"the data have: {', '.join(there.values())[:200]}",
            )
        columns = [
            NewColumn(column.name, column.type, cast=column.type.sql if column.type else None)
            for column in table.columns
        ]
        return NewTable(name, columns, counted.source, counted.key)

    def _data_of(self, table: str, *, alone: bool) -> str:
        data = self.asked.data
        folder = self.here / data
        if alone or not folder.is_dir():
            return data if alone or "." in data or folder.exists() else f"{data}.{table}"
        found = sorted(file for file in folder.iterdir() if file.name.partition(".")[0] == table)
        if len(found) == 1:
            return str(Path(data) / found[0].name)
        known = sorted({file.name for file in folder.iterdir()})
        raise NotDrafted(
            f"{data} has {'no file' if not found else 'more than one file'} for table {table}",
            mend=f"name the file {table}.parquet, .csv or .json; there is: {', '.join(known)[:200]}",
        )

    def _counted(self, table: str, written: str) -> NewTable:
        """The table that the rows of `written` make."""
        options = self._source(written)
        reading = {word: value for word, value in options.items() if word != "kind"}
        if "kind" in options:  # a file: the product's folder, where its path will start, may not be there yet
            reading["path"] = os.path.relpath(self.here / written, self.settings.project)
        found, pinned = self._profile(Source(table, str(options.get("kind", "")), reading, Place(written)))
        self.rows[table] = found.rows
        wrong = [column.name for column in found.columns if not is_column_name(column.name)]
        if wrong:
            raise NotDrafted(f"{written}: {wrong[0][:80]!r} cannot be the name of a column", mend="rename it there")
        columns = [
            NewColumn(c.name, c.type, c.nulls == 0 and found.rows > 0, c.words, c.shapes, c.cast) for c in found.columns
        ]
        return NewTable(table, columns, options | ({"types": dict(pinned)} if pinned else {}), found.key)

    def _source(self, written: str) -> dict[str, Any]:
        """What build.yaml says of `written`."""
        path = self.here / written
        if path.exists() or any(mark in written for mark in "*?["):
            base = self.settings.project / self.folder
            return {"kind": "files", "path": Path(os.path.relpath(path, base)).as_posix()}
        known = connections(self.domain)
        name, _, rest = written.partition(".")
        if name in known and rest:
            return {"connection": name, "path" if known[name].get("kind") in _BY_PATH else "table": rest}
        near = nearest(name, known, 1)
        if near and rest:
            raise NotDrafted(f"{self.domain.name} has no connection {name[:63]!r}", mend=f"--from {near[0]}.{rest}")
        raise NotDrafted(
            f"there is no file, folder or connection {written[:120]!r}",
            mend="name a file below the project, or CONNECTION.table of domain.yaml's connections"
            + (f" ({', '.join(sorted(known))[:100]})" if known else ""),
        )

    def _profile(self, source: Source) -> tuple[Profile, Mapping[str, str]]:
        """What its rows look like, and the types of a CSV file's columns that its first rows do not tell."""
        with self._scan(source) as scan:
            if not scan.scan.startswith("read_csv("):
                return profile(scan.scan), {}
            at_start = types(scan.scan)
            if len(at_start) == 1 and any(mark in next(iter(at_start)) for mark in ",;|\t"):
                told = unreadable(ONE_COLUMN, scan.files)
                raise SourceUnreadable(str(told), where=source.place.file, mend=told.mend)
        with self._scan(replace(source, options={**source.options, "sample_rows": 0})) as scan:
            guessed = profile(scan.scan)
        return guessed, {c.name: c.type.sql for c in guessed.columns if at_start.get(c.name) != c.type}

    @contextmanager
    def _scan(self, source: Source) -> Iterator[Scan]:
        import duckdb

        sources = Sources(self.settings)
        resolved, given = sources.resolved(source, self.domain, self.settings.project)
        with TemporaryDirectory() as landing, sources.scan(resolved, given, Wanted(), Path(landing)) as scan:
            try:
                yield scan
            except duckdb.Error as error:
                told = unreadable(str(error), scan.files)
                raise SourceUnreadable(str(told), where=source.place.file, mend=told.mend) from None

    def _product(self, tables: Sequence[NewTable], title: str, purpose: str = "") -> NewProduct:
        asked, mesh = self.asked, self.project.mesh
        classes = tuple(mesh.classifications) if mesh and mesh.classifications else ("public", "internal", "restricted")
        ordinary = "internal" if "internal" in classes else classes[max(0, len(classes) - 2)]
        return NewProduct(
            asked.id,
            self.domain.team,
            title or asked.id.name.replace("_", " ").capitalize(),
            asked.purpose or purpose,
            asked.support,
            asked.kind,
            asked.access,
            tables,
            (ordinary, classes[-1]),
        )

    def _domain(self) -> Domain:
        known, name = self.project.domains, self.asked.id.domain
        if name in known:
            return known[name]
        near = nearest(name, known, 1)
        raise NotDrafted(
            f"this project has no domain {name!r}",
            mend=f"hanse new product {near[0]}/{self.asked.id.name} …" if near else f"hanse init {name}",
        )
