"""Tables as Iceberg keeps them in a home: stage, read by file list, make durable, follow, sweep."""

from hanse.engine.storage.durable import NotDurable, sync_durable
from hanse.engine.storage.latest import latest
from hanse.engine.storage.maintain import Swept, follow_main, sweep
from hanse.engine.storage.scan import scan_sql
from hanse.engine.storage.stage import STORAGE_VERSION, stage

__all__ = [
    "STORAGE_VERSION",
    "NotDurable",
    "Swept",
    "follow_main",
    "latest",
    "scan_sql",
    "stage",
    "sweep",
    "sync_durable",
]
