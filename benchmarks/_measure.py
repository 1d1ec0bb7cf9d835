"""What the benchmarks share: both sides measured in turn in one run, one JSON line told."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "flights"
HANSE = Path(sys.executable).with_name("hanse")


def tell(name: str, **facts: object) -> None:
    """Print one JSON line: numbers rounded to four digits."""
    print(json.dumps({"benchmark": name, **{key: _short(value) for key, value in facts.items()}}), flush=True)


def _short(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _short(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_short(part) for part in value]
    return value


def cpu_of(command: Sequence[str], **options: object) -> float:
    """Seconds of CPU (user and system, children included) that `command` takes; it must end with 0."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def wall_of(function: Callable[[], object]) -> float:
    """Seconds on the clock that `function` takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turn(ours: Callable[[], float], theirs: Callable[[], float], times: int) -> tuple[float, float]:
    """Medians of both sides, measured in turn so that both meet the same machine."""
    pairs = [(ours(), theirs()) for _ in range(times)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def geometric_mean(values: Iterable[float]) -> float:
    return statistics.geometric_mean(list(values))


def tree(pid: int) -> list[int]:
    """`pid` and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


class CpuOfTree:
    """Seconds of CPU of a process and its descendants while the `with` lasts, those that come and go included.

    A worker's last ten milliseconds before it is killed may be missed: nobody waits for it, so nobody is told.
    """

    def __init__(self, pid: int) -> None:
        self._pid, self._ended = pid, threading.Event()
        self._first: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._look()
        self._first = dict(self._last)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    @property
    def seconds(self) -> float:
        return sum(cpu - self._first.get(pid, 0.0) for pid, cpu in self._last.items())

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            self._look()

    def _look(self) -> None:
        for pid in tree(self._pid):
            with suppress(OSError):
                # the clock of another process, as clock_getcpuclockid(3) names it: to the nanosecond, all its threads
                self._last[pid] = time.clock_gettime((~pid << 3) | 2)


def memory_of(pid: int) -> int:
    """Bytes of memory (PSS) of `pid` and its descendants."""
    total = 0
    for member in tree(pid):
        try:
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total
