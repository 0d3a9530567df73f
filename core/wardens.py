"""The wardens of this process: started when there is none to spare, kept for the attempts that follow."""

from __future__ import annotations

import atexit
import multiprocessing
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from core.leftovers import sweep_spares
from core.warden import BEGIN, watch

_REST = 60.0  # seconds without an attempt after which a warden is no longer worth its memory
_FAREWELL = 5.0  # seconds for an idle warden to end by itself

_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(["core.warden"])
# Starting and joining touch bookkeeping that multiprocessing shares between threads unguarded.
_bookkeeping = threading.Lock()


class Warden:
    """A process that watches over one attempt at a time, as its supervisor sees it."""

    def __init__(self) -> None:
        """Start one. Raises OSError or EOFError."""
        #: What it says, and what it is told, each message by itself.
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, _bookkeeping:
            _forget_main()
            self._process = _forkserver.Process(target=watch, args=[theirs], name="warden")
            self._process.start()

    @property
    def lives(self) -> bool:
        """Whether it listens still."""
        try:
            return self.control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def begin(self, job_id: str, descriptors: Sequence[int]) -> None:
        """Have it start an attempt. Raises OSError when it is gone."""
        socket.send_fds(self.control, [BEGIN + job_id.encode()], descriptors)

    def tell(self, command: bytes) -> None:
        """Tell it to end the attempt; nothing happens when that has just ended."""
        with suppress(OSError):
            self.control.send(command)

    def dismiss(self) -> None:
        """Have it end, its attempt too, and wait for that."""
        self.control.close()
        with _bookkeeping:
            self._process.join(_FAREWELL)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self._process.close()
        sweep_spares()  # It may have been killed.


class Wardens:
    """Lend wardens to attempts. Any thread may ask for one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Without an attempt; the one that had one last comes last, and is lent first.
        self._idle: list[Warden] = []
        #: Those that had none at the last call of `retire` either.
        self._resting: set[Warden] = set()
        self._returned = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def engaged(self) -> Iterator[Warden]:
        """Lend a warden for one attempt, which must have ended at the end of the block.

        Raises OSError or EOFError when none can be started. An error that leaves the block ends the attempt.
        """
        warden = self._taken() or Warden()
        try:
            yield warden
        except BaseException:
            warden.dismiss()
            raise
        self._take_back(warden)

    def retire(self) -> bool:
        """End the wardens that were idle at the last call too; return whether any is still idle."""
        with self._lock:
            retired = [warden for warden in self._idle if warden in self._resting]
            self._idle = [warden for warden in self._idle if warden not in self._resting]
            self._resting = set(self._idle)
        for warden in retired:
            warden.dismiss()
        return bool(self._resting)

    def dismiss(self) -> None:
        """End all that are idle."""
        while warden := self._taken():
            warden.dismiss()

    def _taken(self) -> Warden | None:
        """Return an idle warden that lives; None when there is none."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                warden = self._idle.pop()
                self._resting.discard(warden)
            if warden.lives:
                return warden
            warden.dismiss()

    def _take_back(self, warden: Warden) -> None:
        if not warden.lives:
            warden.dismiss()
            return
        with self._lock:
            self._idle.append(warden)
            if self._thread is None:
                self._thread = threading.Thread(target=self._let_rest, name="wardens", daemon=True)
                self._thread.start()
        self._returned.set()

    def _let_rest(self) -> None:
        while self._returned.wait():
            self._returned.clear()
            threading.Event().wait(_REST)
            while self.retire():
                threading.Event().wait(_REST)


#: Those of this process.
wardens = Wardens()

# multiprocessing, which registered itself before, waits at exit for every process that it started.
atexit.register(wardens.dismiss)


def _forget_main() -> None:
    """Keep CPython before 3.13.8 from running the program's main file again in every child."""
    main = sys.modules["__main__"]
    main.__spec__ = None
    if hasattr(main, "__file__"):
        del main.__file__
