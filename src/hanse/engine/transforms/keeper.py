"""The keeper of one transform: forks it of what the zygote has imported, ends it with all it began, says how it ended.

The transform's code is never in this process. The keeper ends the transform when its node goes away or has enough.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from contextlib import suppress
from typing import Any

from hanse.engine.transforms import child
from hanse.engine.worker.frames import Frame, message, receive

_REPORT = 64 * 1024  # bytes of a transform's answer that are read


def serve(sock: socket.socket, request: dict[str, Any], parent: int) -> None:
    """Run the job that comes over `sock`; answer with its wait status and the text that it left."""
    job = json.loads(receive(sock)[1])
    read_end, write_end = os.pipe()
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(read_end)
            sock.close()
            os.setsid()
            child.main(job, write_end, keeper)
            code = 0
        finally:
            os._exit(code)
    os.close(write_end)
    watch = os.pidfd_open(pid)
    ends: list[Any] = [watch, sock]
    if watch not in select.select(ends, [], [])[0]:  # the node has closed its end
        os.kill(pid, signal.SIGKILL)
    # it is not reaped yet, so its group's number cannot be anybody else's
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.set_blocking(read_end, False)
    try:
        text = os.read(read_end, _REPORT).decode(errors="replace")
    except BlockingIOError:
        text = ""
    with suppress(OSError):
        sock.sendall(message(Frame.END, {"status": status, "text": text}))
