"""What the kernel takes from a process that runs a product's code: files, sockets, programs, memory, time."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
from collections.abc import Iterable
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2

# Landlock: the same numbers on every architecture (include/uapi/linux/landlock.h)
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_EXECUTE, _WRITE, _READ, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FILE, _MAKE_FILE, _TRUNCATE = 1 << 5, 1 << 8, 1 << 14
_FILE_RIGHTS_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_FILE_RIGHTS_NOW = (1 << 16) - 1
_TCP_BIND, _TCP_CONNECT = 1, 2
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2

# classic BPF over struct seccomp_data {int nr; u32 arch; u64 ip; u64 args[6]}
_LOAD, _JUMP_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_EPERM, _ENOSYS = 1, 38
_CLONE_THREAD = 0x00010000
_MACHINES: dict[str, tuple[int, int, int, int, int, tuple[int, ...]]] = {
    # audit arch, clone, clone3, prlimit64, tgkill, and what is refused: socket, socketpair, execve, execveat, ptrace,
    # process_vm_readv and _writev, kill, tkill, pidfd_open, pidfd_getfd, unshare, setns, mount, bpf, io_uring_setup,
    # userfaultfd, keyctl, add_key, request_key, perf_event_open; rt_sigqueueinfo, rt_tgsigqueueinfo, setrlimit,
    # setpriority, sched_setparam, _setscheduler, _setaffinity, _setattr, ioprio_set, shmget, shmat, msgget, semget,
    # mq_open, and on x86-64 fork and vfork
    "x86_64": (
        0xC000003E, 56, 435, 302, 234,
        (
            41, 53, 59, 322, 101, 310, 311, 62, 200, 434, 438, 272, 308, 165, 321, 425, 323, 250, 248, 249, 298,
            129, 297, 160, 141, 142, 144, 203, 314, 251, 29, 30, 68, 64, 240, 57, 58,
        ),
    ),
    "aarch64": (
        0xC00000B7, 220, 435, 261, 131,
        (
            198, 199, 221, 281, 117, 270, 271, 129, 130, 434, 438, 97, 268, 40, 280, 425, 282, 219, 217, 218, 241,
            138, 240, 164, 140, 118, 119, 122, 274, 30, 194, 196, 186, 190, 180,
        ),
    ),
}  # fmt: skip


def landlock_version() -> int:
    """The version of Landlock that this kernel has; 0 when it has none."""
    libc: Any = ctypes.CDLL(None, use_errno=True)
    return max(int(libc.syscall(_CREATE_RULESET, None, 0, 1)), 0)


def limit(parent: int, *, address_space: int, cpu_seconds: int, file_size: int, files: int) -> None:
    """Limit this process and bind its life to that of `parent` (a process id)."""
    libc: Any = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    for what, amount in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        amount = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(what, (amount, amount))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file over its size is an error to tell, not a silent death


def enclose(folder: str, readable: Iterable[str]) -> None:
    """Let this process open files below `folder` only, and read below `readable`; no socket, no program, no process.

    Call it while the process has one thread: a thread that exists already is not held by it. Raises OSError.
    """
    version = landlock_version()
    if version == 0:
        raise OSError("this kernel has no Landlock")
    libc: Any = ctypes.CDLL(None, use_errno=True)
    rights = _FILE_RIGHTS_BY_VERSION.get(version, _FILE_RIGHTS_NOW)
    words = [rights]
    if version >= 4:
        words.append(_TCP_BIND | _TCP_CONNECT)
    if version >= 6:
        words.append(_SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS)
    attributes = struct.pack(f"={len(words)}Q", *words)
    ruleset = _checked(libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    try:
        _allow(libc, ruleset, folder, (_WRITE | _READ | _READ_DIR | _REMOVE_FILE | _MAKE_FILE | _TRUNCATE) & rights)
        for path in readable:
            if os.path.isdir(path):
                _allow(libc, ruleset, path, _READ | _READ_DIR)
        _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    _refuse_calls(libc)


def _allow(libc: Any, ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = struct.pack("=Qi", rights, descriptor)
        _checked(libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, beneath, 0))
    finally:
        os.close(descriptor)


def _refuse_calls(libc: Any) -> None:
    """A seccomp filter where the architecture is known; elsewhere Landlock alone holds."""
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return
    arch, clone, clone3, prlimit, tgkill, refused = machine
    steps = [
        (_LOAD, 0, 0, 4),  # arch
        (_JUMP_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # nr
        # the libc falls back to clone, whose flags a filter can see
        (_JUMP_EQUAL, 0, 1, clone3),
        (_RETURN, 0, 0, _ERRNO | _ENOSYS),
    ]
    for number in refused:
        steps += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    if machine is _MACHINES["x86_64"]:
        steps += [(_JUMP_SET, 0, 1, 0x40000000), (_RETURN, 0, 0, _ERRNO | _EPERM)]  # the x32 numbers
    # limits are only looked at, and only one's own; a signal only ever goes to a thread of one's own
    steps += _only(prlimit, (16, 0), (32, 0), (36, 0)) + _only(tgkill, (16, os.getpid()))
    steps += [
        (_JUMP_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, 16),  # low half of args[0]
        (_JUMP_SET, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, _ERRNO | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    filter_ = b"".join(struct.pack("=HBBI", *step) for step in steps)
    kept = ctypes.create_string_buffer(filter_, len(filter_))
    program = struct.pack("@HP", len(steps), ctypes.addressof(kept))
    _checked(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0))


def _only(number: int, *wanted: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Allow the call `number` only where these words of its arguments, by offset, have these values."""
    length = 2 * len(wanted) + 2
    steps = [(_JUMP_EQUAL, 0, length, number)]
    for done, (at, value) in enumerate(wanted, 1):
        steps += [(_LOAD, 0, 0, at), (_JUMP_EQUAL, 0, length - 2 * done - 1, value)]
    return [*steps, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | _EPERM)]


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
