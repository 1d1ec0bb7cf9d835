"""What the engine may use: limits of one question, and of all of them together."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one question; each one that is reached is an error that names it.

    `wall_seconds` counts while the node waits for the worker, not while the reader of the answer is slow;
    `stall_seconds` bounds how long a worker waits for a slow reader.
    """

    wall_seconds: float = 30.0
    memory_bytes: int = GIB
    reply_bytes: int = 16 * GIB
    stall_seconds: float = 60.0
    rows: int | None = None  # stop after so many rows, as the caller asked; never an error


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How many processes run questions, and how long they are kept."""

    workers: int = 2  # questions that run at once; at most the cores, at most 4
    threads: int = 2  # of one worker's engine
    limits: Limits = Limits()
    kept_queries: int = 1000  # an engine is dropped after so many questions
    kept_seconds: float = 60.0  # or so long without one
    waiting: int = 256  # questions that may wait for a worker
    copy_bytes: int = 4 * GIB  # budget of governed copies, in one home
    copy_at_once_bytes: int = 8 * MIB  # a larger table is streamed by the trusted reader on its first read
    reader_memory_bytes: int = GIB
    reader_seconds: float = 300.0
    source_seconds: float = 30.0  # how long a source elsewhere may give nothing
    source_bytes: int = 64 * GIB  # of what one reading of it may give

    @classmethod
    def for_machine(cls, cores: int) -> EngineSettings:
        """The defaults of a machine with `cores`."""
        return cls(workers=max(1, min(cores, 4)), threads=max(1, min(cores, 8)))
