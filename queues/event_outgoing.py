"""Events on their way out: handed over in a microsecond, written in batches by a thread of their own."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence

#: Told, in one sentence, that events cannot be written, and that they can be again.
Complain = Callable[[str], object]

#: Events that wait to be written; what comes when a disk or a server hangs for longer is lost.
_MOST = 10_000
_BATCH = 1 << 18  # bytes
#: Seconds between two writes: under load a batch gathers, and few wake-ups take the interpreter from others.
_LINGER = 0.01
_RETRY = 1.0  # seconds after a write that failed
_LAST_WORDS = 2.0  # seconds that the end of the process waits for them


class Outgoing:
    """Write lines in the order in which they were sent; a failure is said once, and stops nobody.

    `write` stores a batch or raises OSError; then the batch is lost. What was sent in the last hundredth of
    a second before a kill -9 is lost too.
    """

    _awake: bool
    _bell: threading.Event

    def __init__(self, write: Callable[[Sequence[bytes]], object], *, name: str, complain: Complain) -> None:
        self._write = write
        self._name = name
        self._complain = complain
        #: How many events were lost since the start.
        self.lost = 0
        self._lost_before = 0
        self._trouble = self._overflowed = False
        self._begin_anew()
        _everyone.add(self)

    def send(self, line: bytes) -> None:
        """Have the line written soon; never waits for a disk or a network."""
        if len(self._lines) >= _MOST:
            self._overflowed = True
            self._tell_of_trouble(f"more than {_MOST:,} wait to be written")
            self.lost += 1
            return
        self._lines.append(line)
        if not self._awake:
            self._awake = True
            if self._thread is None:
                self._start()
            self._bell.set()

    def close(self) -> bool:
        """Write what was sent, in two seconds at most; return whether all is. Sending begins anew."""
        with self._starting:
            thread, closed = self._thread, self._closed
            if thread is None:
                return True
            closed.set()
            self._bell.set()
            thread.join(_LAST_WORDS)
            lines = self._lines
            self._begin_anew()
        if thread.is_alive():
            return False
        return self._write_all(lines)  # Sent while the thread ended.

    def _begin_anew(self) -> None:
        """Forget thread and lines: at the beginning, after the end, and in a child that was forked."""
        self._lines: deque[bytes] = deque()
        self._awake = False
        self._bell = threading.Event()
        self._closed = threading.Event()
        self._starting = threading.RLock()
        self._thread: threading.Thread | None = None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        lines, bell, closed = self._lines, self._bell, self._closed
        while not closed.is_set():
            if not lines:  # Some may be left by a write that failed.
                bell.wait()
            bell.clear()
            self._awake = False  # Whoever sends from now on rings again.
            pause = _LINGER if self._write_all(lines) else _RETRY
            closed.wait(pause)
        self._write_all(lines)

    def _write_all(self, lines: deque[bytes]) -> bool:
        while lines:
            batch = _taken(lines)
            try:
                self._write(batch)
            except OSError as error:
                self._tell_of_trouble(error.strerror or str(error))
                self.lost += len(batch)
                return False
        self._tell_of_recovery()
        return True

    def _tell_of_trouble(self, why: str) -> None:
        if not self._trouble:
            self._trouble = True
            self._lost_before = self.lost
            self._complain(f"Events cannot be told to others, jobs can be run: {why}.")

    def _tell_of_recovery(self) -> None:
        """Say that all is written again, unless some were lost since that was last so: else it would flap."""
        overflowed, self._overflowed = self._overflowed, False
        if self._trouble and not overflowed:
            self._trouble = False
            lost = self.lost - self._lost_before
            self._complain(f"Events are told to others again; {lost:,} were lost meanwhile.")


def _taken(lines: deque[bytes]) -> list[bytes]:
    """Take lines from the front, a batch of them."""
    batch: list[bytes] = []
    size = 0
    while lines and size < _BATCH:
        batch.append(lines.popleft())
        size += len(batch[-1])
    return batch


_everyone: weakref.WeakSet[Outgoing] = weakref.WeakSet()


def _close_all() -> None:
    for one in list(_everyone):
        one.close()


def _forget_all() -> None:
    """Leave the parent's lines to the parent, and its thread behind: a forked child has none."""
    for one in list(_everyone):
        one._begin_anew()  # noqa: SLF001  It belongs to this file.


atexit.register(_close_all)
os.register_at_fork(after_in_child=_forget_all)
