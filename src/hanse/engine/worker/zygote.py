"""The zygote: a process that has imported the engine and opened none, and forks the others.

Started as `python -I -m hanse.engine.worker.zygote FD` with an empty environment; the node itself never forks.
It holds no data, no key and no socket but the one to its node, and ends with it.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from typing import Any

from hanse.engine.worker.frames import Frame, message


def main(descriptor: int) -> None:
    """Answer each request `{"kind", …}` + one socket by forking a child on it; reply with the child's pidfd."""
    import duckdb  # noqa: F401
    import pyarrow as pa
    import pyarrow.acero
    import pyarrow.compute
    import pyarrow.dataset
    import pyarrow.ipc

    from hanse.engine import gate, parameters  # noqa: F401
    from hanse.engine.relations import reader
    from hanse.engine.sources import apart
    from hanse.engine.transforms import keeper
    from hanse.engine.worker import child

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    control = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps; the node watches pidfds
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl C is the node's to handle
    kinds = {
        "query": child.query,
        "gate": child.gate,
        "read": reader.serve,
        "source": apart.serve,
        "transform": keeper.serve,
    }
    gc.collect()
    gc.freeze()
    control.send(b"ready")
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, 65536, 1)
        if not request:
            return
        me = os.getpid()
        pid = os.fork()
        if pid == 0:
            control.close()
            _child(json.loads(request), descriptors[0], me, kinds)
        os.close(descriptors[0])
        try:
            watch = os.pidfd_open(pid)
        except OSError:
            control.send(b"0")
            continue
        socket.send_fds(control, [str(pid).encode()], [watch])
        os.close(watch)


def _child(request: dict[str, Any], descriptor: int, parent: int, kinds: dict[str, Any]) -> None:
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        sock = socket.socket(fileno=descriptor)
        try:
            kinds[request["kind"]](sock, request, parent)
            code = 0
        except Exception as error:
            sock.sendall(message(Frame.ERROR, {"class": type(error).__name__, "text": ""}))
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
