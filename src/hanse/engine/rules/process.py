"""The process that reads raw rows for a contract test, so that the node never does: JSON in, counts out.

`python -m hanse.engine.rules.process` reads one task from stdin and writes one answer to stdout. It has no credential
and an empty environment; the owner's SQL runs in it after the gate, in an engine that reads the task's files only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hanse.engine.rules.model import Missing, Relation
from hanse.errors import HanseError, Kind, RejectedError, code

MIB = 1024 * 1024
_POLL = 0.05


class TestBroke(HanseError):
    """The process of a contract test ended without an answer."""

    __test__ = False
    kind = Kind.FAILED
    code = code(
        "test.process-ended", Kind.FAILED, "The process of a contract test ended without an answer",
        "Raw rows are read in a process of its own, under limits; it ended before it could answer.",
        "Test fewer rules at once with --only, or give tests more memory or time in node.yaml.",
    )  # fmt: skip


class TestCancelled(HanseError):
    """Somebody stopped the test."""

    __test__ = False
    kind = Kind.CONFLICT
    code = code(
        "test.cancelled", Kind.CONFLICT, "The test was stopped", "Somebody cancelled it; nothing was recorded.",
        "Start it again.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """What one test may use; the engine spills to disk beyond half of its memory."""

    wall_seconds: float = 600.0
    memory_bytes: int = 1024 * MIB
    spill_bytes: int = 16 * 1024 * MIB
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Task:
    """One contract over relations; `others` are the tables of other contracts: (contract id, table) → where."""

    text: str
    file: str
    data: Mapping[str, Relation | Missing]
    others: Mapping[tuple[str, str], Relation | Missing]
    now: datetime
    source: str
    only: tuple[str, ...] = ()
    published: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The report as plain values (`wire.value`), the samples apart, and the names that `only` may say."""

    report: Mapping[str, Any]
    samples: Mapping[str, Any]
    known: tuple[str, ...]


def run(task: Task, limits: Limits = Limits(), cancelled: threading.Event | None = None) -> Answer:
    """Run `task` in a process of its own; raises `TestBroke`, `TestCancelled`."""
    with tempfile.TemporaryDirectory(prefix="hanse-test-") as scratch:
        asked = json.dumps(_asked(task, limits, scratch)).encode()
        child = subprocess.Popen(
            [sys.executable, "-I", "-m", "hanse.engine.rules.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=scratch,
            env={"MALLOC_ARENA_MAX": "2"},
        )
        return _wait(child, asked, limits, cancelled or threading.Event())


def _wait(child: subprocess.Popen[bytes], asked: bytes, limits: Limits, cancelled: threading.Event) -> Answer:
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.append(child.communicate(asked)[0]), daemon=True)
    reader.start()
    until = time.monotonic() + limits.wall_seconds
    while reader.is_alive():
        reader.join(_POLL)
        if cancelled.is_set() or time.monotonic() > until:
            child.kill()
            reader.join()
            if cancelled.is_set():
                raise TestCancelled("the test was stopped")
            raise TestBroke(f"the test took longer than its limit of {limits.wall_seconds:.0f} s")
    if child.returncode != 0 or not said or not said[0]:
        raise TestBroke(
            f"the test's process ended ({child.returncode}), most likely over its memory limit of "
            f"{limits.memory_bytes // MIB} MiB"
        )
    answer = json.loads(said[0])
    if "refused" in answer:
        raise TestBroke(f"the contract cannot be tested: {answer['refused']}", mend="hanse validate tells all of it")
    return Answer(answer["report"], answer["samples"], tuple(answer["known"]))


def _asked(task: Task, limits: Limits, scratch: str) -> dict[str, Any]:
    return {
        "parent": os.getpid(),
        "text": task.text,
        "file": task.file,
        "data": {name: _where(where) for name, where in task.data.items()},
        "others": [[id, table, _where(where)] for (id, table), where in task.others.items()],
        "now": task.now.isoformat(),
        "source": task.source,
        "only": task.only,
        "published": [at.isoformat() for at in task.published],
        "memory": limits.memory_bytes,
        "spill": limits.spill_bytes,
        "seconds": limits.wall_seconds,
        "threads": limits.threads,
        "scratch": scratch,
    }


def _where(where: Relation | Missing) -> dict[str, Any]:
    if isinstance(where, Missing):
        return {"reason": where.reason, "absent": where.absent}
    return {"sql": where.sql, "description": where.description, "files": where.files}


def _read_where(value: Mapping[str, Any]) -> Relation | Missing:
    if "reason" in value:
        return Missing(value["reason"], value["absent"])
    return Relation(value["sql"], value["description"], files=tuple(value["files"]))


def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the process answers to one task."""
    from hanse.engine.rules import alone, wire
    from hanse.engine.rules.choose import chooser
    from hanse.engine.rules.compile import elsewhere
    from hanse.engine.servers import enclose
    from hanse.names import literal

    started = time.perf_counter()
    contract = alone.read(asked["text"], asked["file"])
    data = {name: _read_where(where) for name, where in asked["data"].items()}
    others = {(id, table): _read_where(where) for id, table, where in asked["others"]}
    connection = alone.engine(threads=asked["threads"], memory=f"{asked['memory'] // (2 * MIB)}MiB")
    connection.execute(f"SET temp_directory = {literal(asked['scratch'])}")
    connection.execute(f"SET max_temp_directory_size = '{asked['spill'] // MIB}MiB'")
    enclose(connection, {**data, **{f"{id} {table}": where for (id, table), where in others.items()}})
    known: list[str] = []
    report = alone.report(
        connection,
        contract,
        data,
        file=asked["file"],
        source=asked["source"],
        server=None,
        started_at=datetime.fromisoformat(asked["now"]),
        started=started,
        only=chooser(asked["only"], known),
        resolve=lambda id, table: others.get((id, table)) or elsewhere(id, table),
        published=tuple(datetime.fromisoformat(at) for at in asked["published"]),
    )
    return {
        "report": wire.value(report),
        "samples": wire.samples(report.samples),
        "known": list(dict.fromkeys(known)),
    }


def main() -> None:
    """Read the task, limit this process, answer."""
    from hanse.engine.worker.confine import confine, cpu

    asked = json.load(sys.stdin.buffer)
    # the address space holds the engine's memory, its libraries and its threads' stacks
    confine(asked["parent"], address_space=asked["memory"] + 1024 * MIB, file_size=asked["spill"], files=1024)
    cpu(asked["seconds"] * asked["threads"])
    try:
        said = answer(asked)
    except RejectedError as error:  # a contract with errors, which validate would have told
        said = {"refused": error.findings[0].message if error.findings else error.message}
    sys.stdout.write(json.dumps(said))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
