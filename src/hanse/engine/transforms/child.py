"""The process that runs one Python transform: limited and enclosed first, then Arrow in, the function, Arrow out."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from typing import Any

from hanse.engine.transforms.sandbox import enclose, limit

_MESSAGE = 500
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/share/zoneinfo")


def main(job: dict[str, Any], report: int, parent: int) -> None:
    """Run `job` as a child of `parent` that is only this; answer with one JSON object on the descriptor `report`."""
    import pyarrow as pa

    os.chdir(job["folder"])
    limit(
        parent,
        address_space=job["address_space"] + _address_space(),
        cpu_seconds=job["cpu_seconds"],
        file_size=job["file_size"],
        files=job["files"],
    )
    if job["enclosed"]:
        enclose(job["folder"], readable())
    pa.set_cpu_count(os.cpu_count() or 1)  # the zygote has one; threads begin after this, enclosed
    with os.fdopen(report, "w") as answer:
        json.dump(_run(job), answer)


def _address_space() -> int:
    """Bytes that what was imported before the fork takes of it."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def readable() -> list[str]:
    """Where Python and its libraries lie: a transform may import, it may not look elsewhere."""
    paths = sysconfig.get_paths()
    base = sysconfig.get_paths(vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix})
    own = {places[name] for places in (paths, base) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return [*own, *_LIBRARIES]


def _run(job: dict[str, Any]) -> dict[str, Any]:
    import pyarrow as pa

    label = job["file"]
    try:
        try:
            scope: dict[str, Any] = {"__name__": "transform", "__file__": label}
            exec(compile(job["code"], label, "exec"), scope)  # noqa: S102  running the product's code is the task
            function = scope.get(job["function"])
            if not callable(function):
                defined = [n for n, v in scope.items() if callable(v) and not n.startswith("_")]
                return {"error": "no-function", "defined": defined[:20]}
            inputs = {name: pa.ipc.open_stream(pa.memory_map(path)).read_all() for name, path in job["inputs"].items()}
            made = function(**inputs)
        except BaseException as error:  # whatever it is, it is the transform's
            return _told(error, label)
        if isinstance(made, pa.RecordBatch):
            made = pa.Table.from_batches([made])
        if isinstance(made, pa.Table):
            made = made.to_reader(max_chunksize=122_880)
        if not isinstance(made, pa.RecordBatchReader):
            return {"error": "no-table", "type": type(made).__name__}
        try:
            with pa.OSFile(job["output"], "wb") as sink, pa.ipc.new_stream(sink, made.schema) as writer:
                for batch in made:
                    writer.write_batch(batch)
        except OSError:
            return {"error": "too-large"}
        except BaseException as error:  # a reader may run the transform's code while it is read
            return _told(error, label)
    except MemoryError:
        return {"error": "memory"}
    return {"ok": True}


def _told(error: BaseException, label: str) -> dict[str, Any]:
    """What went wrong, and the last line of the transform's own file that was running."""
    if isinstance(error, MemoryError):
        return {"error": "memory"}
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == label:
            line = trace.tb_lineno
        trace = trace.tb_next
    try:
        message = str(error)[:_MESSAGE]
    except Exception:
        message = ""
    return {"error": "raised", "type": type(error).__name__, "message": message, "line": line}
