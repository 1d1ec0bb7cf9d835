"""`hanse --help`: seconds of CPU against a bare interpreter. Bar: 0.2 s."""

from __future__ import annotations

import sys

from _measure import HANSE, cpu_of, in_turn, tell


def main() -> None:
    ours, theirs = in_turn(
        lambda: cpu_of([str(HANSE), "--help"]),
        lambda: cpu_of([sys.executable, "-c", "pass"]),
        times=9,
    )
    tell("start_up", bar_seconds=0.2, hanse_help_cpu=ours, bare_python_cpu=theirs, ratio=ours / theirs)


if __name__ == "__main__":
    main()
