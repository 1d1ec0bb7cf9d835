"""The catalogue's tables as files: one for each content, whoever may see it; thrown away when nobody asks."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from hanse.engine.policies import catalog_arrow
from hanse.engine.snapshot import DataFile, StoredColumn, TableSnapshot
from hanse.governance.catalog import CATALOG, Row
from hanse.spec.model import Table

_KEPT = 256  # files; one that was just asked for stays beyond that
_STAYS_SECONDS = 600.0  # longer than a question may take


class Files:
    """Parquet files in a folder of the node's own, named by what is in them. Equal rows are one file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._used: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()
        self._began = False

    def snapshot(self, table: Table, rows: Iterable[Row]) -> TableSnapshot:
        """`rows` as the data state of a table of the catalogue."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._begin()
        data = catalog_arrow(CATALOG[table.name], list(rows))
        sink = pa.BufferOutputStream()
        pq.write_table(data, sink, compression="zstd")
        body = sink.getvalue().to_pybytes()
        digest = hashlib.sha256(body).hexdigest()
        name = f"0-{table.name}-{digest[:40]}.parquet"  # it begins with the number of its schema
        self._keep(name, body)
        columns = tuple(
            StoredColumn(column.name, number, column.type, False) for number, column in enumerate(table.columns, 1)
        )
        file = DataFile(name, len(body), digest, data.num_rows)
        number = int(digest[:15], 16)
        return TableSnapshot(table.name, f"mesh.catalog.{table.name}", number, 0, columns, (file,), data.num_rows)

    def touch(self, snapshot: TableSnapshot) -> bool:
        """Whether the file of a snapshot still stands; it then stays for a while."""
        with self._lock:
            name = snapshot.files[0].path
            if name not in self._used:
                return False
            self._used[name] = time.monotonic()
            self._used.move_to_end(name)
        return True

    def _begin(self) -> None:
        """What an earlier node left is of no use."""
        with self._lock:
            if not self._began:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir(parents=True, mode=0o700)
                self._began = True

    def _keep(self, name: str, body: bytes) -> None:
        with self._lock:
            if name not in self._used:
                part = self.folder / f".{secrets.token_hex(8)}.part"
                handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "wb") as file:
                    file.write(body)
                part.replace(self.folder / name)
            self._used[name] = now = time.monotonic()
            self._used.move_to_end(name)
            while len(self._used) > _KEPT and next(iter(self._used.values())) < now - _STAYS_SECONDS:
                gone, _ = self._used.popitem(last=False)
                (self.folder / gone).unlink(missing_ok=True)
