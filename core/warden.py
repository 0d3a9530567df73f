"""The process that watches over attempts, one after another: it starts each, ends it, leaves nothing behind.

It is forked by the forkserver, runs no code of an action and has one thread, so neither a hanging action nor
one that keeps the interpreter's lock can delay it. Linux only: it is the subreaper (prctl(2)) of all that the
action starts, so that even a process that went into a session of its own ends with the attempt.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import select
import shutil
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from core.attempt_child import prepare, run_attempt
from core.attempt_folder import lent, made, returned
from core.leftovers import processes

#: What a supervisor may tell a warden of the attempt that runs; when he is gone, that means KILL.
TERMINATE, KILL = b"T", b"K"
#: How he begins one: this and the job's id in one message, which also brings the attempt's descriptors.
BEGIN = b"B"

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LOOK_AGAIN = 0.02  # seconds
_LONGEST_MESSAGE = 256
_MOST_DESCRIPTORS = 8

_libc = ctypes.CDLL(None, use_errno=True)


def watch(control: socket.socket) -> NoReturn:
    """Run attempts as the supervisor tells over `control`, each to its end, and exit when he is gone.

    The descriptors of an attempt are its ends of channel, standard output and standard error, and its
    lifeline where there is one. Once every process of it is gone, the exit code of its first one is reported
    in decimal digits.
    """
    os.setsid()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # Blocked, not ignored: an attempt inherits that, and gets what it was sent before it was ready.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    _wake_whenever_told(control)
    _keep_to_ourselves()
    prepare()
    gc.freeze()  # No attempt need look at what was there before it, nor copy it by looking.
    spare: Path | None = made()
    while order := _next_order(control):
        job_id, descriptors = order
        folder = lent(spare, job_id)
        code = _attempted(control, folder, descriptors)
        spare = returned(folder)
        with suppress(OSError):  # Nobody listens any more when the supervisor is gone.
            control.send(b"%d" % code)
        with suppress(OSError):
            spare = spare or made()
    if spare is not None:
        shutil.rmtree(spare, ignore_errors=True)
    os._exit(0)


def _next_order(control: socket.socket) -> tuple[str, list[int]] | None:
    """Return job id and descriptors of the next attempt; None when the supervisor is gone."""
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(control, _LONGEST_MESSAGE, _MOST_DESCRIPTORS)
        except OSError:
            return None
        if message.startswith(BEGIN):
            for number in descriptors:
                os.set_inheritable(number, False)
            return message.removeprefix(BEGIN).decode(), descriptors
        if not message:
            return None
        # What is left was meant for the attempt before, which had just ended.


def _attempted(control: socket.socket, folder: Path, descriptors: Sequence[int]) -> int:
    """Run one attempt and return the exit code of its first process, once all of its processes are gone."""
    channel, stdout, stderr, *lifeline = descriptors
    warden = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            control.close()
            os.setsid()
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == warden:  # Else the warden died before he could be watched.
                run_attempt(folder, channel=channel, stdout=stdout, stderr=stderr)
        finally:
            os._exit(1)
    for number in (channel, stdout, stderr):
        os.close(number)
    code = _exit_code(child, control)
    _clear()
    for number in lifeline:
        os.close(number)
    return code


def _exit_code(child: int, control: socket.socket) -> int:
    """Obey the supervisor until the child has ended."""
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(control, select.POLLIN)
    while ended not in (ready := {number for number, _ in poll.poll()}):
        if control.fileno() in ready and not _obeyed(control, child):
            poll.unregister(control)
    os.close(ended)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _obeyed(control: socket.socket, child: int) -> bool:
    """Do what the supervisor says; return False when he is gone."""
    try:
        told = control.recv(_LONGEST_MESSAGE)
    except OSError:
        told = b""
    if told == TERMINATE:
        with suppress(ProcessLookupError):
            # Before it has a session of its own, the child is all that there is.
            os.killpg(child, signal.SIGTERM) if os.getpgid(child) == child else os.kill(child, signal.SIGTERM)
    else:
        os.kill(child, signal.SIGKILL)  # Before the search for the others, during which it could stop us.
        _kill_descendants()
    return bool(told)


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
    for pid in processes():
        with suppress(OSError):  # It ended while we looked.
            # The name in parentheses may itself hold spaces and parentheses.
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            parents[pid] = int(fields[1])
    return parents


def _wake_whenever_told(control: socket.socket) -> None:
    """Have SIGCONT sent here with whatever the supervisor says, his end too, in case an action stops us."""
    fcntl.fcntl(control, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(control, fcntl.F_SETSIG, signal.SIGCONT)
    fcntl.fcntl(control, fcntl.F_SETFL, fcntl.fcntl(control, fcntl.F_GETFL) | os.O_ASYNC)


def _keep_to_ourselves() -> None:
    """Let no program that an action starts hold open what belongs to multiprocessing."""
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208  The names are numbers, not paths.
        if int(number) > 2:
            with suppress(OSError):  # The listing itself is closed already.
                os.set_inheritable(int(number), False)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
