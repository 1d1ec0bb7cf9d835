"""A home's Iceberg catalogue, and the file access that lets a home move to another folder."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self, cast

from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata, TableMetadataV2
from sqlalchemy.exc import OperationalError

from hanse.engine.storage.durable import NotDurable

if TYPE_CHECKING:
    from pyiceberg.typedef import Properties

# the parts of a stored path that stay when a home moves: domain/product/port_v1/table/{data,metadata}/file
_KEPT_PARTS = 6
_REMEMBERED = 32  # metadata files of tables, in one catalogue
_LOCKS: dict[Path, Lock] = {}
_LOCKS_LOCK = Lock()


@contextmanager
def opened(catalog: Path, warehouse: Path) -> Iterator[SqlCatalog]:
    """The catalogue kept in the SQLite file `catalog`, for the time of one act; its connections end with it."""
    # a home is held by one process (its lock): commits of its threads take turns here
    with _lock(catalog):
        if not catalog.is_file():  # another one may come in its place
            _catalogue.cache_clear()
        iceberg = _catalogue(catalog, warehouse)
        try:
            yield iceberg
        except (OSError, OperationalError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            raise NotDurable("the Iceberg catalogue", why or "its file cannot be written") from error
        finally:
            iceberg.engine.dispose()


@lru_cache(64)  # it knows its statements once they are compiled; connections do not outlive an act
def _catalogue(catalog: Path, warehouse: Path) -> SqlCatalog:
    return _Catalogue(
        "home",
        **{
            "uri": f"sqlite:///{catalog}",
            "warehouse": str(warehouse),
            "py-io-impl": f"{HomeFiles.__module__}.{HomeFiles.__qualname__}",
            "hanse.warehouse": str(warehouse),
        },
    )


def _lock(catalog: Path) -> Lock:
    with _LOCKS_LOCK:
        return _LOCKS.setdefault(catalog.resolve(), Lock())


class _Metadata(TableMetadataV2):  # type: ignore[misc,unused-ignore]
    """A table's metadata that shares its parts with its copies.

    PyIceberg makes each update on a copy of its own and copies all of it deeply in the end: with a thousand snapshots
    that costs more than all the rest of a commit.
    """

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        return cast("Self", super().model_copy(update=update))


class _Catalogue(SqlCatalog):  # type: ignore[misc,unused-ignore]
    """Remembers the metadata files that it read: they never change, and each act on a table asks for them again."""

    def __init__(self, name: str, **properties: str) -> None:
        self._read: OrderedDict[str, TableMetadata] = OrderedDict()
        super().__init__(name, **properties)

    def _convert_orm_to_iceberg(self, orm_table: IcebergTables) -> Table:
        location = str(orm_table.metadata_location)
        metadata = self._read.pop(location, None)
        if metadata is None:
            metadata = _Metadata.model_validate_json(HomeFiles(self.properties).place(location).read_bytes())
        self._read[location] = metadata
        while len(self._read) > _REMEMBERED:
            self._read.popitem(last=False)
        name = (*orm_table.table_namespace.split("."), orm_table.table_name)
        return Table(name, metadata, location, HomeFiles(self.properties), self)  # a commit changes it: one each


class HomeFiles(FileIO):  # type: ignore[misc,unused-ignore]
    """Local files below the warehouse: Iceberg records absolute paths; they are read where they are now."""

    def __init__(self, properties: Properties | None = None) -> None:
        super().__init__(properties or {})
        self._warehouse = Path(self.properties["hanse.warehouse"])

    def place(self, location: str) -> Path:
        """The file that `location` names, in this home whatever folder the home had when it was written."""
        path = Path(location.removeprefix("file://"))
        if path.is_relative_to(self._warehouse):
            return path
        return self._warehouse.joinpath(*path.parts[-_KEPT_PARTS:])

    def new_input(self, location: str) -> InputFile:
        return _In(location, self.place(location))

    def new_output(self, location: str) -> OutputFile:
        return _Out(location, self.place(location))

    def delete(self, location: str | InputFile | OutputFile) -> None:
        text = location if isinstance(location, str) else location.location
        self.place(text).unlink(missing_ok=True)


class _In(InputFile):  # type: ignore[misc,unused-ignore]
    def __init__(self, location: str, path: Path) -> None:
        super().__init__(location)
        self._path = path

    def __len__(self) -> int:
        return self._path.stat().st_size

    def exists(self) -> bool:
        return self._path.exists()

    def open(self, seekable: bool = True) -> InputStream:
        return self._path.open("rb")  # type: ignore[no-any-return,unused-ignore]


class _Out(OutputFile):  # type: ignore[misc,unused-ignore]
    def __init__(self, location: str, path: Path) -> None:
        super().__init__(location)
        self._path = path

    def __len__(self) -> int:
        return self._path.stat().st_size

    def exists(self) -> bool:
        return self._path.exists()

    def to_input_file(self) -> InputFile:
        return _In(self.location, self._path)

    def create(self, overwrite: bool = False) -> OutputStream:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return open(self._path, "wb" if overwrite else "xb")  # type: ignore[no-any-return,unused-ignore]
