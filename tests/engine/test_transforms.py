"""Python transforms: they get their inputs and nothing else, and their failures name their own line."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from hanse.engine import transforms
from hanse.engine.transforms import (
    PythonNotTrusted,
    PythonTransform,
    TransformFailed,
    TransformLimit,
    TransformLimits,
    run,
)
from hanse.engine.transforms.sandbox import landlock_version

FLIGHTS = pa.table({"carrier": ["AA", "UA"], "delay": [1, 2]})
needs_landlock = pytest.mark.skipif(landlock_version() == 0, reason="the kernel has no Landlock")


def made(body: str, limits: TransformLimits = TransformLimits(), tmp: Path | None = None) -> pa.Table:
    source = "import pyarrow as pa\n\n\ndef make(flights):\n" + "\n".join(f"    {line}" for line in body.splitlines())
    transform = PythonTransform("experience.p_v1.p", "experience/p/p.py", "make", source, trusted=True)
    with run(transform, {"flights": FLIGHTS.to_reader}, limits, scratch=tmp) as reader:
        return reader.read_all()


def test_a_function_from_tables_to_a_table_is_run(tmp_path: Path) -> None:
    got = made(
        "assert isinstance(flights, pa.Table)\nreturn flights.append_column('x', pa.array([7, 8]))", tmp=tmp_path
    )
    assert got.to_pylist() == [{"carrier": "AA", "delay": 1, "x": 7}, {"carrier": "UA", "delay": 2, "x": 8}]
    assert list(tmp_path.iterdir()) == []


def test_it_may_import_and_compute_with_the_libraries_that_are_installed() -> None:
    body = (
        "import pyarrow.compute as pc, decimal, zoneinfo, datetime\n"
        "zoneinfo.ZoneInfo('UTC')\n"
        "t = flights.group_by('carrier').aggregate([('delay', 'sum')])\n"
        "return t.join(flights, 'carrier').sort_by('carrier').select(['delay_sum'])"
    )
    assert made(body).to_pylist() == [{"delay_sum": 1}, {"delay_sum": 2}]


def test_a_failure_names_the_transforms_own_file_and_line_and_message() -> None:
    with pytest.raises(TransformFailed) as told:
        made("x = 1\nraise ValueError('no such month')")
    assert told.value.where == "experience/p/p.py:6"
    assert "experience/p/p.py:6 raised ValueError: no such month" in told.value.message


def test_an_error_inside_a_library_names_the_line_that_called_it() -> None:
    with pytest.raises(TransformFailed) as told:
        made("\nreturn flights.select(['nothing'])")
    assert told.value.where == "experience/p/p.py:6"


def test_text_that_is_no_python_names_its_line() -> None:
    with pytest.raises(TransformFailed, match=r"p\.py:6 raised SyntaxError"):
        made("x = 1\nx = = 2")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return 5", "returned int, not an Arrow table"),
        ("import os\nos._exit(0)", "ended its process without a result"),
        ("import sys\nsys.exit('bye')", "raised SystemExit: bye"),
    ],
)
def test_what_gives_no_table_is_told(body: str, told: str) -> None:
    with pytest.raises(TransformFailed, match=told):
        made(body)


def test_a_function_that_is_missing_offers_the_nearest() -> None:
    transform = PythonTransform("a.b_v1.c", "c.py", "mak", "def make():\n    pass\n", trusted=True)
    with pytest.raises(TransformFailed) as told, run(transform, {}, TransformLimits()):
        pass
    assert told.value.mend == "write function: make in build.yaml"


def test_an_endless_loop_is_stopped_at_its_time() -> None:
    start = time.monotonic()
    with pytest.raises(TransformLimit, match="stopped after 1 s"):
        made("while True: pass", TransformLimits(wall_seconds=1))
    assert time.monotonic() - start < 3


def test_an_endless_loop_is_stopped_at_its_cpu_time() -> None:
    with pytest.raises(TransformLimit, match="1 s of CPU"):
        made("while True: pass", TransformLimits(cpu_seconds=1, wall_seconds=20))


def test_memory_is_bounded() -> None:
    with pytest.raises(TransformLimit, match="64 MiB of memory"):
        made("x = bytearray(3 << 30)\nreturn flights", TransformLimits(memory_bytes=64 << 20))


def test_what_it_writes_is_bounded() -> None:
    with pytest.raises(TransformLimit, match="made more than"):
        made("return pa.table({'a': pa.array(range(1000000))})", TransformLimits(output_bytes=1 << 20))


def test_the_environment_is_empty() -> None:
    body = "import os, json\nreturn pa.table({'e': [json.dumps(dict(os.environ))]})"
    environment = json.loads(made(body)["e"][0].as_py())
    assert not {"HOME", "PATH", "HANSE_TOKEN"} & environment.keys()


@needs_landlock
@pytest.mark.parametrize(
    "body",
    [
        "open('/etc/hostname')",
        "open('/proc/self/environ')",
        "import os\nos.listdir('/')",
        "import os\nos.open('/tmp', os.O_RDONLY)",
        "open('/tmp/hanse-left-behind', 'w')",
        "import socket\nsocket.socket()",
        "import socket\nsocket.socket(socket.AF_UNIX)",
        "import os\nos.fork()",
        "import os\nos.execv('/bin/true', ['true'])",
        "import subprocess\nsubprocess.run(['/bin/true'])",
        "import os\nos.kill(os.getppid(), 0)",
        "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)",
        "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (9, 9))",
        "import resource\ntry:\n    resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\n"
        "except ValueError:  # as Python has it\n    raise PermissionError",
        "import os\nos.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "import os\nos.sched_setaffinity(os.getppid(), {0})",
        "import ctypes, os\nlibc = ctypes.CDLL(None)\nassert libc.tgkill(os.getppid(), os.getppid(), 0) == -1\n"
        "assert libc.tgkill(os.getpid(), os.getpid(), 0) == 0\nraise PermissionError",
        "import pyarrow as pa\npa.OSFile('/etc/hostname')",
        "import threading\nout = []\ndef f():\n    try:\n        out.append(open('/etc/hostname'))\n"
        "    except OSError as e:\n        out.append(e)\n"
        "t = threading.Thread(target=f)\nt.start(); t.join()\nraise out[0]",
        "import ctypes\nassert ctypes.CDLL(None).open(b'/etc/hostname', 0) == -1\nraise PermissionError",
    ],
)
def test_what_lies_outside_its_folder_is_refused(body: str) -> None:
    with pytest.raises(TransformFailed, match="PermissionError"):
        made(body)


def test_an_item_of_the_doors_corpus_is_refused_or_stopped(attacks: Path) -> None:
    items = json.loads((attacks / "doors.json").read_text())["items"]
    python = [item for item in items if item["door"] == "transform-python"]
    assert len(python) == 2
    for item in python:
        with pytest.raises((TransformFailed, TransformLimit, PythonNotTrusted)):
            made(item["attack"]["python"], TransformLimits(wall_seconds=1))


def test_without_landlock_only_trusted_domains_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms.runner, "landlock_version", lambda: 0)
    transform = PythonTransform("a.b_v1.c", "c.py", "make", "def make():\n    return None\n")
    with pytest.raises(PythonNotTrusted), run(transform, {}, TransformLimits()):
        pass
    assert made("return flights").num_rows == 2


def test_a_cancelled_build_ends_the_process_at_once() -> None:
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    transform = PythonTransform("a.b_v1.c", "c.py", "make", "def make():\n    while True: pass\n", trusted=True)
    start = time.monotonic()
    with pytest.raises(InterruptedError), run(transform, {}, TransformLimits(), cancelled=stop.is_set):
        pass
    assert time.monotonic() - start < 3


def test_what_a_transform_of_a_trusted_domain_began_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms.runner, "landlock_version", lambda: 0)
    body = "import os, time\nif os.fork() == 0:\n    time.sleep(60)\nreturn pa.table({'group': [os.getpgrp()]})"
    group = made(body)["group"][0].as_py()
    assert group not in groups()


def groups() -> set[int]:
    """The process groups that have a process which is not dead."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group = file.read_text().rpartition(")")[2].split()[:3]
            if state != "Z":
                found.add(int(group))
    return found


def test_a_transform_ends_when_its_node_is_gone() -> None:
    code = (
        "import sys, threading\n"
        "from hanse.engine.transforms import PythonTransform, TransformLimits, run\n"
        'c = \'def make():\\n    open("up", "w").close()\\n    while True: pass\\n\'\n'
        "t = PythonTransform('a.b_v1.c', 'c.py', 'make', c, trusted=True)\n"
        "with run(t, {}, TransformLimits(), scratch=sys.argv[1]): pass\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        node = subprocess.Popen([sys.executable, "-c", code, folder])
        until(lambda: bool(list(Path(folder).glob("*/up"))))
        assert running_in(folder)
        node.kill()
        node.wait()
        until(lambda: not running_in(folder))


def running_in(folder: str) -> list[str]:
    """The processes whose working folder lies below `folder`."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(link))
    return [place for place in found if place.startswith(folder)]


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.02)
