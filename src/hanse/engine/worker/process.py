"""A process of the zygote family as the node sees it, and the zygote that forks them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from hanse.engine.worker.frames import Closed, Frame, message, receive_async


class Process:
    """A forked child: a socket, and a pidfd that cannot mean another process."""

    def __init__(self, pid: int, pidfd: int, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self.pid, self._pidfd, self.sock, self._loop = pid, pidfd, sock, loop
        self.key: object = None
        self.served = 0
        self.idle_since = time.monotonic()
        self._gone = False

    async def ready(self) -> None:
        """Wait for the child's first word."""
        kind, body = await self.receive()
        if kind is not Frame.READY:
            raise Closed(body.decode(errors="replace"))

    async def send(self, body: bytes) -> None:
        try:
            await self._loop.sock_sendall(self.sock, body)
        except OSError:
            raise Closed from None

    async def receive(self) -> tuple[Frame, bytearray]:
        return await receive_async(self._loop, self.sock)

    def kill(self) -> None:
        """End the child now, whatever it does; safe to call twice."""
        if self._gone:
            return
        self._gone = True
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        os.close(self._pidfd)
        self.sock.close()

    @property
    def alive(self) -> bool:
        return not self._gone and not select.select([self._pidfd], [], [], 0)[0]


class Zygote:
    """Starts children by fork from a process that has imported everything and opened nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the zygote and wait until it can fork; blocking."""
        with self._lock:
            self._start()

    def _start(self) -> socket.socket:
        if self._control is not None and self._process is not None and self._process.poll() is None:
            return self._control
        self._stop()
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", "hanse.engine.worker.zygote", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                env={
                    "MALLOC_ARENA_MAX": "2",
                    "ARROW_DEFAULT_MEMORY_POOL": "system",
                    "LC_ALL": "C.UTF-8",
                    "OPENBLAS_NUM_THREADS": "1",
                },
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        mine.settimeout(60)
        if mine.recv(16) != b"ready":
            raise Closed
        self._control = mine
        return mine

    async def fork(self, kind: str, limits: dict[str, Any]) -> Process:
        """A new child of `kind` that has said it is ready."""
        loop = asyncio.get_running_loop()
        mine, theirs = socket.socketpair()
        mine.setblocking(False)
        forking = asyncio.ensure_future(asyncio.to_thread(self.spawn, kind, limits, theirs))
        forking.add_done_callback(lambda _: theirs.close())
        try:
            pid, pidfd = await asyncio.shield(forking)
        except asyncio.CancelledError:
            # the thread goes on: its child is ended when it comes
            forking.add_done_callback(lambda done: _unwanted(done, mine, loop))
            raise
        except BaseException:
            mine.close()
            raise
        process = Process(pid, pidfd, mine, loop)
        try:
            async with asyncio.timeout(20):
                await process.ready()
        except BaseException:
            process.kill()
            raise
        return process

    def spawn(self, kind: str, limits: dict[str, Any], theirs: socket.socket) -> tuple[int, int]:
        """Process id and pidfd of a new child of `kind` that has `theirs`; blocking. Raises `Closed`."""
        request = json.dumps({"kind": kind, "limits": limits}).encode()
        with self._lock:
            for _ in range(2):
                control = self._start()
                try:
                    socket.send_fds(control, [request], [theirs.fileno()])
                    said, descriptors, _, _ = socket.recv_fds(control, 64, 1)
                except OSError:
                    said, descriptors = b"", []
                if descriptors:
                    return int(said), descriptors[0]
                self._stop()
        raise Closed

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        """Its process id; 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    def stop(self) -> None:
        """End the zygote; its children die with it."""
        with self._lock:
            self._stop()


def _unwanted(forked: asyncio.Future[tuple[int, int]], sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
    if forked.cancelled() or forked.exception() is not None:
        sock.close()
    else:
        Process(*forked.result(), sock, loop).kill()


async def ask(process: Process, kind: Frame, value: Any) -> tuple[Frame, Any]:
    """One request, one JSON reply."""
    await process.send(message(kind, value))
    answered, body = await process.receive()
    return answered, json.loads(body)
