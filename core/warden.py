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
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from core.attempt_child import Order, run_attempt
from core.frames import framed

#: What the supervisor may tell a warden; when he is gone, that means KILL.
TERMINATE, KILL = b"T", b"K"

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LOOK_AGAIN = 0.02  # seconds

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Ends:
    """The descriptors of an attempt's side, in the order in which they travel to the warden."""

    control: int
    channel: int
    stdout: int
    stderr: int
    #: What an attempt must hold to count as alive; None where the engine needs no such thing.
    lifeline: int | None

    def __reduce__(self) -> tuple[Any, ...]:
        travelling = [None if number is None else DupFd(number) for number in self._numbers()]
        return _arrived, (travelling,)

    def _numbers(self) -> tuple[int | None, ...]:
        return (self.control, self.channel, self.stdout, self.stderr, self.lifeline)


def watch(order: Order, ends: Ends) -> None:
    """Run one attempt to its end, report its exit code over the control socket, and exit. Never returns."""
    os.setsid()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    folder = Path(tempfile.mkdtemp(prefix="aafai-attempt-"))
    warden = os.getpid()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.close(ends.control)
        if os.getppid() == warden:  # Else the warden died before he could be watched.
            run_attempt(order, folder, channel=ends.channel, stdout=ends.stdout, stderr=ends.stderr)
        os._exit(1)
    with suppress(OSError):  # The child may have done it already.
        os.setpgid(child, child)
    for number in (ends.channel, ends.stdout, ends.stderr):
        os.close(number)
    _serve(child, folder, socket.socket(fileno=ends.control))
    os._exit(0)


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
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # It ended while we looked.
                # The name in parentheses may itself hold spaces and parentheses.
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    return parents


def _arrived(travelling: list[Any]) -> Ends:
    numbers = [None if one is None else one.detach() for one in travelling]
    for number in numbers:
        if number is not None:
            os.set_inheritable(number, False)  # Programs that an action starts must not hold these open.
    return Ends(*numbers)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
