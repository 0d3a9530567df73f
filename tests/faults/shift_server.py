"""A real server of which one part is broken, or whose clock is led: `python -m tests.faults.shift_server …`.

The first argument names what is broken, and may be empty; the others are gunicorn's.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from socket import socket
from typing import Any

from gunicorn.app.wsgiapp import run

import queues.file.engine
import wiring
from api.gunicorn_connection import Connection
from api.gunicorn_worker import GatheringWorker
from core import lifecycle
from core.clock import Clock, SystemClock
from core.engine import Engine
from core.gate import Gate
from core.kernel import Kernel
from core.runner import Runner
from queues.file.disk import Disk
from queues.file.engine import FileEngine
from queues.file.options import FileOptions
from queues.file.presence import AtWork
from queues.file.site import Site
from tests.faults.shift_clock import FollowingClock
from tests.faults.shift_mutants import ENGINES

#: The variable that names the file by which the server's wall clock is led.
CLOCK = "SHIFT_CLOCK"
#: The variable that names the file into which the server writes the port of every client that it accepts.
ACCEPTED = "SHIFT_ACCEPTED"


def main(mutant: str, arguments: list[str]) -> None:
    """Break what is to be broken, and serve."""
    clock = FollowingClock(Path(os.environ[CLOCK])) if CLOCK in os.environ else SystemClock()
    wiring.SystemClock = lambda: clock  # type: ignore[assignment, attr-defined]
    if ACCEPTED in os.environ:
        _note_clients(Path(os.environ[ACCEPTED]))
    if mutant in SERVERS:
        SERVERS[mutant]()
    else:
        _open_with(mutant, clock)
    sys.argv = ["gunicorn", *arguments]
    run()


def _open_with(mutant: str, clock: Clock) -> None:
    """Let every queue of this process be opened by an engine that is broken so."""

    def opened(base: str, options: FileOptions) -> Engine:
        return ENGINES[mutant](base, options, clock)

    queues.file.engine.FileEngine = opened  # type: ignore[misc, assignment]


def _note_clients(path: Path) -> None:
    """Write down who was accepted, which a client cannot know: the kernel connects on the server's behalf."""
    book = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    init = Connection.__init__

    def noting(self: Connection, worker: GatheringWorker, sock: socket, address: Any, server: Any) -> None:
        with suppress(OSError):
            os.write(book, f"{address[1]}\n".encode())
        init(self, worker, sock, address, server)

    Connection.__init__ = noting  # type: ignore[method-assign]


def _unwatched() -> None:
    """Run in threads of the server what ought to run in processes of its own."""
    Runner._in_process = Runner._in_thread  # type: ignore[method-assign]


def _wall_clocked() -> None:
    """Measure everything by the wall clock."""
    FollowingClock.boottime = FollowingClock.monotonic = FollowingClock.now  # type: ignore[assignment, method-assign]


def _undrained() -> None:
    """Stop without a thought for what runs."""
    Kernel.begin_drain = Kernel.drain = lambda self, **hurry: None  # type: ignore[assignment, method-assign]


def _counting() -> None:
    """Count the attempts that a drain puts back."""
    given_back = lifecycle.given_back
    lifecycle.given_back = lambda job: replace(given_back(job), attempt=job.attempt)


def _doubtless() -> None:
    """Go on although nobody knows what is on the disk."""
    Site.be_certain = lambda self: None  # type: ignore[method-assign]


def _abrupt() -> None:
    """Close the store under those who are at work in it, on a disk that takes its time just then."""
    shut, closed = threading.Event(), threading.Event()
    write_at, shut_gate, close = Disk.write_at, Gate.shut, FileEngine.close

    def slow(self: Disk, fd: int, data: bytes, position: int) -> None:
        threading.Event().wait(0.01)
        if shut.is_set():
            closed.wait(5)
        write_at(self, fd, data, position)

    Disk.write_at = slow  # type: ignore[method-assign]
    Gate.shut = lambda self: (shut_gate(self), shut.set())[0]  # type: ignore[method-assign]
    FileEngine.close = lambda self: (close(self), closed.set())[0]  # type: ignore[method-assign]
    Gate.is_left = lambda self, patience: True  # type: ignore[method-assign]
    AtWork.until_nobody_is = lambda self: None  # type: ignore[method-assign]
    FileEngine._leave_nothing_to_replay = lambda self: None  # type: ignore[method-assign]


def _hasty() -> None:
    """Stop at once, whoever waits for an answer."""
    GatheringWorker.handle_exit = lambda self, number, frame: os._exit(0)


#: What is broken in the server, where it is not the engine.
SERVERS: dict[str, Callable[[], None]] = {
    "abrupt": _abrupt,
    "counting": _counting,
    "doubtless": _doubtless,
    "hasty": _hasty,
    "undrained": _undrained,
    "unwatched": _unwatched,
    "wall-clocked": _wall_clocked,
}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
