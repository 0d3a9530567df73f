"""The process that watches over one attempt: it starts the action, ends it when told, leaves nothing behind.

It is forked by the forkserver, runs no code of an action and has one thread, so neither a hanging action nor
one that keeps the interpreter's lock can delay it. Linux only: it is the subreaper (prctl(2)) of all that the
action starts, so that even a process that went into a session of its own ends with the attempt.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any, NoReturn

from core.attempt_child import JOB_ID, Order, run_attempt
from core.frames import framed

#: What the supervisor may tell a warden; when he is gone, that means KILL.
TERMINATE, KILL = b"T", b"K"

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LOOK_AGAIN = 0.02  # seconds
_SWEEPS = 250

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Ends:
    """The descriptors of an attempt's side, which travel to the warden over the forkserver's socket."""

    #: Control socket, channel, standard output, standard error.
    numbers: Sequence[int]
    #: What an attempt must hold to count as alive; None where the engine needs no such thing.
    lifeline: int | None

    def __reduce__(self) -> tuple[Any, ...]:
        travelling = (*self.numbers, *([] if self.lifeline is None else [self.lifeline]))
        return _arrived, tuple(DupFd(number) for number in travelling)


def watch(order: Order, numbers: Sequence[int]) -> NoReturn:
    """Run one attempt to its end, report its exit code over the control socket, and exit.

    `numbers` are those of Ends as they arrived here; a lifeline among them is held and not used.
    """
    control, channel, stdout, stderr, *_ = numbers
    os.setsid()
    _keep_to_ourselves()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    folder = Path(tempfile.mkdtemp(prefix=_folder_prefix(order.job_id)))
    warden = os.getpid()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.close(control)
        if os.getppid() == warden:  # Else the warden died before he could be watched.
            run_attempt(order, folder, channel=channel, stdout=stdout, stderr=stderr)
        os._exit(1)
    with suppress(OSError):  # The child may have done it already.
        os.setpgid(child, child)
    for number in (channel, stdout, stderr):
        os.close(number)
    _serve(child, folder, socket.socket(fileno=control))
    os._exit(0)


def sweep(job_id: str) -> None:
    """Kill what an attempt left running and remove its folder, when its warden could not.

    Its processes are known by the job id in their environment or by their working directory.
    """
    prefix = str(Path(tempfile.gettempdir()) / _folder_prefix(job_id))
    for _ in range(_SWEEPS):
        found = [pid for pid in _processes() if _belongs(pid, f"{JOB_ID}={job_id}".encode(), prefix)]
        if not found:
            break
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        threading.Event().wait(_LOOK_AGAIN)
    for folder in Path(tempfile.gettempdir()).glob(f"{_folder_prefix(job_id)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _serve(child: int, folder: Path, control: socket.socket) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    code = _exit_code(child, control)
    _clear()
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # Nobody listens any more when the supervisor is gone.
        control.sendall(framed({"exit": code}))


def _exit_code(child: int, control: socket.socket) -> int:
    """Obey the supervisor until the child has ended."""
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(control, select.POLLIN)
    while True:
        ready = {number for number, _ in poll.poll()}
        if ended in ready:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        told = _told(control)
        if KILL in told or not told:
            _kill_descendants()
        elif TERMINATE in told:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGTERM)
        if not told:
            poll.unregister(control)


def _told(control: socket.socket) -> bytes:
    try:
        return control.recv(16)
    except OSError:
        return b""


def _clear() -> None:
    """Kill all that the action left running and wait until none of it is left."""
    while _any_child_left():
        _kill_descendants()
        signal.sigtimedwait({signal.SIGCHLD}, _LOOK_AGAIN)


def _any_child_left() -> bool:
    """Collect the dead; say whether any child lives. A subreaper's orphans are its children."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return False
    return True


def _kill_descendants() -> None:
    parents = _parents()
    ours = {os.getpid()}
    while found := {pid for pid, parent in parents.items() if parent in ours and pid not in ours}:
        ours |= found
    for pid in ours - {os.getpid()}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _parents() -> dict[int, int]:
    """Return who started whom, by process id, for all processes of the machine."""
    parents = {}
    for pid in _processes():
        with suppress(OSError):  # It ended while we looked.
            # The name in parentheses may itself hold spaces and parentheses.
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            parents[pid] = int(fields[1])
    return parents


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _belongs(pid: int, mark: bytes, prefix: str) -> bool:
    here = Path(f"/proc/{pid}")
    with suppress(OSError):  # It ended, which takes its working directory away, or it is somebody else's.
        return str((here / "cwd").readlink()).startswith(prefix) or mark in (
            here / "environ"
        ).read_bytes().split(b"\0")
    return False


def _folder_prefix(job_id: str) -> str:
    # Short, because Chromium keeps a socket deep within, whose path may have 107 bytes.
    return f"aafai-attempt-{job_id[-12:]}-"


def _arrived(*travelled: Any) -> list[int]:
    return [end.detach() for end in travelled]


def _keep_to_ourselves() -> None:
    """Let no program that the action starts hold open what belongs to the attempt, or to multiprocessing."""
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208  The names are numbers, not paths.
        if int(number) > 2:
            with suppress(OSError):  # The listing itself is closed already.
                os.set_inheritable(int(number), False)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
