"""Start, feed, watch and end the process of a Python transform."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanse.engine.transforms.sandbox import landlock_version
from hanse.engine.worker.frames import Closed, Frame, message, receive
from hanse.engine.worker.process import Zygote
from hanse.errors import HanseError, Kind, code
from hanse.names import nearest

if TYPE_CHECKING:
    import pyarrow as pa

_GIB = 1 << 30
_LOOK = 0.05  # seconds between two looks at whether it is cancelled
_END_SECONDS = 5.0


class TransformFailed(HanseError):
    kind = Kind.INVALID
    code = code(
        "build.transform-failed",
        Kind.INVALID,
        "A transform failed in its own code",
        "The product's code raised an error; hanse shows the file and line where it did.",
        "Mend the transform at that line.",
    )


class TransformLimit(HanseError):
    kind = Kind.INVALID
    code = code(
        "build.transform-limit",
        Kind.INVALID,
        "A transform was stopped at one of its limits",
        "A product's code runs under limits of time, memory and size, so that it harms nobody else.",
        "Make the transform cheaper, or raise the limit under `limits` in build.yaml up to what the node allows.",
    )


class PythonNotTrusted(HanseError):
    kind = Kind.DENIED
    code = code(
        "build.python-not-trusted",
        Kind.DENIED,
        "This node may not run the domain's Python code",
        "The kernel has no Landlock to enclose a product's code, so only domains that the operator trusts may run it.",
        "Write the transform in SQL, use a kernel with Landlock, or have the operator add the domain to `trust_code`.",
    )


@dataclass(frozen=True, slots=True)
class TransformLimits:
    """The bounds of one transform; each one that is reached is an error that names it."""

    wall_seconds: float = 300.0
    cpu_seconds: int = 600
    memory_bytes: int = 2 * _GIB
    output_bytes: int = 16 * _GIB
    files: int = 128


@dataclass(frozen=True, slots=True)
class PythonTransform:
    """A function of a product: `file` is how its people call the text `code`."""

    table: str
    file: str
    function: str
    code: str
    trusted: bool = False  # its domain is listed under trust_code


@contextmanager
def run(
    transform: PythonTransform,
    inputs: Mapping[str, Callable[[], pa.RecordBatchReader]],
    limits: TransformLimits,
    *,
    zygote: Zygote | None = None,
    scratch: Path | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[pa.RecordBatchReader]:
    """Run `transform` over `inputs` and give what it made, to be read inside the `with`.

    Its process is forked of `zygote`, or of one that is started for it.

    Raises `TransformFailed` (its fault, with file and line), `TransformLimit`, `PythonNotTrusted`, and
    InterruptedError when `cancelled` says so. Nothing of it outlives the `with`.
    """
    import pyarrow as pa

    enclosed = landlock_version() > 0
    if not enclosed and not transform.trusted:
        raise PythonNotTrusted(
            f"{transform.table}: {transform.file} may not run: this kernel cannot enclose it",
            mend="write the transform in SQL, or have the operator add the domain to trust_code",
        )
    folder = Path(tempfile.mkdtemp(prefix="hanse-transform-", dir=scratch))
    try:
        paths, size = {}, 0
        for number, (name, opened) in enumerate(inputs.items()):
            reader = opened()  # one after the other: each may hold a worker while it is read
            path = folder / f"in-{number}.arrow"
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, reader.schema) as writer:
                for batch in reader:
                    if cancelled():
                        raise InterruptedError
                    writer.write_batch(batch)
            paths[name] = str(path)
            size += path.stat().st_size
        output = folder / "out.arrow"
        job = {
            "file": transform.file,
            "function": transform.function,
            "code": transform.code,
            "inputs": paths,
            "output": str(output),
            "folder": str(folder),
            "enclosed": enclosed,
            # inputs are mapped: they count as address space, not as memory
            "address_space": limits.memory_bytes + size + _GIB,
            "cpu_seconds": limits.cpu_seconds,
            "file_size": limits.output_bytes,
            "files": limits.files,
        }
        with _zygote(zygote) as parent:
            _answer(transform, limits, _process(parent, job, limits.wall_seconds, cancelled))
        with pa.OSFile(str(output), "rb") as source, pa.ipc.open_stream(source) as made:
            yield pa.RecordBatchReader.from_batches(made.schema, _valid(made))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _zygote(given: Zygote | None) -> Iterator[Zygote]:
    if given is not None:
        yield given
        return
    own = Zygote()
    try:
        yield own
    finally:
        own.stop()


def _valid(made: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Batches whose buffers are what they say: they come from a process that is not trusted."""
    for batch in made:
        batch.validate(full=True)
        yield batch


def _process(
    zygote: Zygote, job: Mapping[str, Any], wall_seconds: float, cancelled: Callable[[], bool]
) -> tuple[int | None, str]:
    """The transform's exit code (None when its time was over) and what it answered; it is gone afterwards."""
    mine, theirs = socket.socketpair()
    with theirs:
        _, keeper = zygote.spawn("transform", {}, theirs)
    try:
        with mine:
            mine.sendall(message(Frame.RUN, job))
            ends = time.monotonic() + wall_seconds
            while not select.select([mine], [], [], max(0.0, min(ends - time.monotonic(), _LOOK)))[0]:
                if cancelled():
                    raise InterruptedError
                if time.monotonic() >= ends:
                    return None, ""
            said = json.loads(receive(mine)[1])
            return said["status"], said["text"]
    except (Closed, BrokenPipeError):
        return -signal.SIGKILL, ""
    finally:
        # the keeper ends the transform when it sees that our end is closed
        if not select.select([keeper], [], [], _END_SECONDS)[0]:
            signal.pidfd_send_signal(keeper, signal.SIGKILL)
        os.close(keeper)


def _answer(transform: PythonTransform, limits: TransformLimits, ended: tuple[int | None, str]) -> None:
    """Return when the child succeeded; else raise what it, or its death, says."""
    status, text = ended
    where = transform.file
    if status is None:
        raise TransformLimit(
            f"{transform.table}: {where} was stopped after {limits.wall_seconds:g} s",
            where=where,
            mend="make the transform end sooner, or raise limits: {wall_seconds: …} in build.yaml",
        )
    try:
        answer = json.loads(text)
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    if status == 0 and answer.get("ok") is True:
        return
    if status in (-signal.SIGXCPU, -signal.SIGKILL) and not answer:
        raise TransformLimit(
            f"{transform.table}: {where} was stopped after {limits.cpu_seconds} s of CPU time",
            where=where,
            mend="make the transform cheaper, or raise limits: {cpu_seconds: …} in build.yaml",
        )
    match answer.get("error"):
        case "memory":
            raise TransformLimit(
                f"{transform.table}: {where} wanted more than {limits.memory_bytes >> 20} MiB of memory",
                where=where,
                mend="make the transform use less memory, or raise limits: {memory_mib: …} in build.yaml",
            )
        case "too-large":
            raise TransformLimit(
                f"{transform.table}: {where} made more than {limits.output_bytes >> 20} MiB, or the disk is full",
                where=where,
                mend="make the transform give fewer rows",
            )
        case "no-function":
            defined = [str(name) for name in answer.get("defined", [])]
            near = nearest(transform.function, defined) or defined
            raise TransformFailed(
                f"{transform.table}: {where} has no function {transform.function!r}",
                where=where,
                mend=f"write function: {near[0]} in build.yaml" if near else f"define {transform.function} in {where}",
            )
        case "no-table":
            raise TransformFailed(
                f"{transform.table}: {transform.function} in {where} returned {answer.get('type')!s:.80},"
                " not an Arrow table",
                where=where,
                mend="return a pyarrow.Table",
            )
        case "raised":
            line = answer.get("line")
            place = f"{where}:{line}" if isinstance(line, int) else where
            kind, message = str(answer.get("type"))[:80], str(answer.get("message"))[:500]
            mend = f"mend {place}"
            if kind in ("PermissionError", "BlockingIOError"):
                mend = "a transform sees only the inputs that build.yaml lists: declare what it needs as a source"
            raise TransformFailed(
                f"{transform.table}: {place} raised {kind}: {message}" if message else f"{place} raised {kind}",
                where=place,
                mend=mend,
            )
    raise TransformFailed(
        f"{transform.table}: {where} ended its process without a result"
        + (f" (signal {-status})" if status < 0 else f" (exit {status})"),
        where=where,
        mend="let the function return a pyarrow.Table; it may not end the process",
    )
