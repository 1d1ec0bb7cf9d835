"""A remote source is read in a process of its own: it holds the connection's secrets and sees nothing of a caller.

The node forks it of the zygote, hands it one job, and gets a scan of files below the job's folder. The process has
limits of memory and size, and ends when its source keeps it waiting too long.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from hanse.engine.settings import GIB, MIB
from hanse.engine.sources import Connection, Given, Scan, Since, Wanted, errors, reader
from hanse.engine.sources.egress import Egress
from hanse.engine.sources.errors import SourceTooLarge, SourceUnreachable, SourceUnreadable
from hanse.engine.worker.confine import confine, cpu_used
from hanse.engine.worker.frames import Closed, Frame, message, receive
from hanse.engine.worker.process import Zygote, ask
from hanse.errors import HanseError, Place
from hanse.spec.model import Source

_MEMORY = 768 * MIB  # what a reading may take
_MAPPED = 3 * GIB // 2  # of engine and libraries, which count as address space
_FILES = 256
_ERRORS = {
    class_.code: class_
    for class_ in vars(errors).values()
    if isinstance(class_, type) and issubclass(class_, HanseError) and class_ is not HanseError
}
_RECEIVED = struct.Struct("=Q")  # tcpi_bytes_received of struct tcp_info
_RECEIVED_AT = 128


async def run(zygote: Zygote, what: str, source: Source, given: Given, wanted: Wanted, folder: Path) -> Any:
    """Do `what` (scan, fingerprint or check) in a process of its own; raises what the reader raises."""
    limits = {"address_space": _MEMORY + _MAPPED, "file_size": given.most_bytes, "files": _FILES}
    job = {
        "what": what,
        "source": [source.name, source.kind, dict(source.options), str(source.place.file), source.place.line],
        "column": source.place.column,
        "given": _packed(given),
        "wanted": {
            "columns": None if wanted.columns is None else sorted(wanted.columns),
            "since": None if wanted.since is None else [wanted.since.column, _moment(wanted.since.moment)],
            "rows": wanted.rows,
        },
        "folder": str(folder),
    }
    try:
        process = await zygote.fork("source", limits)
        try:
            async with asyncio.timeout(given.wall_seconds):
                kind, said = await ask(process, Frame.RUN, json.loads(json.dumps(job, default=str)))
        finally:
            process.kill()
    except TimeoutError:
        raise SourceUnreachable(
            f"source {source.name!r} was not read within {given.wall_seconds:g} s",
            where=str(source.place),
            mend="read fewer columns or rows of it, or raise limits: {wall_seconds: …} in build.yaml",
        ) from None
    except Closed:
        raise SourceTooLarge(
            f"source {source.name!r}: the process that read it reached a limit of the operating system and ended",
            where=str(source.place),
            mend="read fewer columns or rows of it",
        ) from None
    if kind is Frame.ERROR:
        raise _revived(source, said)
    if what != "scan":
        return said["told"]
    files = tuple(Path(file) for file in said["files"])
    return Scan(said["name"], said["scan"], files, said["rows"], said["columns"])


def _packed(given: Given) -> dict[str, Any]:
    link = given.connection
    return {
        "roots": [str(root) for root in given.roots],
        "base": str(given.base),
        "connection": None if link is None else [link.name, link.kind, dict(link.options), sorted(link.secrets)],
        "egress": given.egress.texts(),
        "seconds": given.seconds,
        "most_bytes": given.most_bytes,
    }


def _moment(moment: datetime | date) -> list[str]:
    return ["datetime" if isinstance(moment, datetime) else "date", moment.isoformat()]


def _revived(source: Source, said: Mapping[str, Any]) -> HanseError:
    class_ = _ERRORS.get(str(said.get("code")))
    if class_ is None:
        name = str(said.get("class", ""))[:80]
        return SourceUnreadable(
            f"source {source.name!r}: reading it failed" + (f" ({name})" if name else ""),
            where=str(source.place),
            mend="look at the source; when it is as it should be, report this",
        )
    error: HanseError = class_.__new__(class_)
    where = said.get("where") or str(source.place)
    HanseError.__init__(error, said["detail"], mend=said.get("mend", ""), why=said.get("why", ""), where=where)
    return error


# ---- the process's side


def serve(sock: socket.socket, request: dict[str, Any], parent: int) -> None:
    """Do one job, then end."""
    limits = request["limits"]
    confine(parent, address_space=limits["address_space"], file_size=limits["file_size"], files=limits["files"])
    sock.sendall(message(Frame.READY, {}))
    job = json.loads(receive(sock)[1])
    name, kind, options, file, line = job["source"]
    source = Source(name, kind, options, Place(file, line, job["column"]))
    given, wanted = _given(job["given"]), _wanted(job["wanted"])
    lock = threading.Lock()

    def answer(frame: Frame, said: Mapping[str, Any]) -> None:
        with lock:  # the first word counts: the watch may speak while the reading ends
            sock.sendall(message(frame, said))
            os._exit(0)

    def slow() -> None:
        answer(Frame.ERROR, _told(_too_slow(source, given), given))

    threading.Thread(target=_watch, args=(given.seconds, slow), daemon=True).start()
    try:
        said = _done(job["what"], source, given, wanted, Path(job["folder"]))
    except BaseException as error:
        answer(Frame.ERROR, _told(error, given))
    else:
        answer(Frame.END, said)


def _done(what: str, source: Source, given: Given, wanted: Wanted, folder: Path) -> dict[str, Any]:
    found = reader(source)
    if what == "check":
        return {"told": found.check(given)}
    if what == "fingerprint":
        return {"told": found.fingerprint(source, given)}
    scan = found.scan(source, given, wanted, folder)
    files = [str(file) for file in scan.files]
    return {
        "name": scan.name,
        "scan": scan.scan,
        "files": files,
        "rows": scan.rows,
        "columns": None if scan.columns is None else dict(scan.columns),
    }


def _told(error: BaseException, given: Given) -> dict[str, Any]:
    """The error's own words without any secret; of an error that is not ours, its class only."""
    if isinstance(error, MemoryError):
        error = SourceTooLarge("reading it takes more memory than a build may", mend="read fewer columns of it")
    if not isinstance(error, HanseError):
        return {"class": type(error).__name__}
    hide = given.connection.redact if given.connection is not None else str
    return {key: hide(str(value)) for key, value in error.as_problem().items()}


def _too_slow(source: Source, given: Given) -> SourceUnreachable:
    who = given.connection.name if given.connection is not None else source.name
    return SourceUnreachable(
        f"source {who!r} gave nothing for {given.seconds:g} s",
        mend="look whether it is up; a slower one needs a larger limits.source_seconds in .hanse/node.yaml",
    )


def _watch(seconds: float, slow: Callable[[], None]) -> None:
    """Call `slow` when for so long no byte came and nothing was computed."""
    last, since = (0, 0.0), time.monotonic()
    while True:
        time.sleep(min(0.25, seconds / 4))
        received, used = _received(), cpu_used()
        if received != last[0] or used - last[1] > 0.1 * seconds:
            last, since = (received, used), time.monotonic()
        elif time.monotonic() - since > seconds:
            slow()


def _received() -> int:
    """The bytes that came in on all TCP connections of this process, whichever library opened them."""
    total = 0
    for descriptor in range(3, _FILES):
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as held:
                info = held.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            total += _RECEIVED.unpack_from(info, _RECEIVED_AT)[0]
        except (OSError, struct.error):
            continue
    return total


def _given(told: Mapping[str, Any]) -> Given:
    link = told["connection"]
    connection = None if link is None else Connection(link[0], link[1], link[2], frozenset(link[3]))
    roots = [Path(root) for root in told["roots"]]
    egress = Egress.of(told["egress"])
    return Given(roots, Path(told["base"]), connection, egress, told["seconds"], told["most_bytes"])


def _wanted(told: Mapping[str, Any]) -> Wanted:
    since = None
    if told["since"] is not None:
        column, (kind, text) = told["since"]
        since = Since(column, datetime.fromisoformat(text) if kind == "datetime" else date.fromisoformat(text))
    columns = told["columns"]
    return Wanted(None if columns is None else frozenset(columns), since, told["rows"])


def alone(zygote: Zygote, what: str, source: Source, given: Given, wanted: Wanted, folder: Path) -> Any:
    """`run` where no event loop runs."""
    return asyncio.run(run(zygote, what, source, given, wanted, folder))
