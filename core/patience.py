"""How long a caller waits for a slow disk: the wait ends, the work does not, and others are still served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from core.errors import EngineUnavailable, OutcomeUnknown

T = TypeVar("T")

_HINT = "Try again with the same idempotency key."


class Patience:
    """Let callers wait for work of `places` at a time, each for `seconds` at most."""

    def __init__(self, *, places: int, seconds: float, queue_seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._queue_seconds = queue_seconds
        self._places = threading.BoundedSemaphore(places)
        #: Threads that have nothing to do, at most as many as there are free places.
        self._idle: deque[_Standby] = deque()

    def wait_for(self, work: Callable[[], T], *, job_id: str, late: Callable[[T], object]) -> T:
        """Return what the work returns; if it ends after the caller has gone, `late` is called with that.

        Raises what the work raises, OutcomeUnknown when it takes too long, EngineUnavailable when it cannot
        even begin.
        """
        if not self._places.acquire(timeout=self._queue_seconds):
            raise EngineUnavailable("The store is slow, and others wait for it already.", hint=_HINT)
        errand = _Errand(work, late)
        self._standby().run(errand)
        if errand.has_ended(within=self._seconds):
            return errand.outcome()
        raise OutcomeUnknown(job_id, f"the store has not answered for {self._seconds:g} seconds.")

    def _standby(self) -> _Standby:
        try:
            return self._idle.pop()
        except IndexError:
            return _Standby(self._rest)

    def _rest(self, standby: _Standby) -> None:
        self._idle.append(standby)
        self._places.release()


class _Errand(Generic[T]):
    """Work that one thread does and another waits for, perhaps in vain."""

    def __init__(self, work: Callable[[], T], late: Callable[[T], object]) -> None:
        self._work = work
        self._late = late
        self._result: T
        self._error: BaseException | None = None
        #: Held until the work has ended: waiting for a bare lock costs a tenth of waiting for a Future.
        self._under_way = threading.Lock()
        self._under_way.acquire()
        self._parting = threading.Lock()
        self._ended = self._abandoned = False

    def do(self) -> None:
        """Do the work, and tell `late` if nobody waits for it any more."""
        try:
            self._result = self._work()
        except BaseException as error:  # noqa: BLE001  It belongs to the thread that waits.
            self._error = error
        with self._parting:
            self._ended = True
        self._under_way.release()
        if self._abandoned and self._error is None:
            self._late(self._result)

    def has_ended(self, *, within: float) -> bool:
        """Wait for the end of the work; return whether it came, and abandon the work if not."""
        if self._under_way.acquire(timeout=within):
            return True
        with self._parting:
            self._abandoned = not self._ended
            return self._ended

    def outcome(self) -> T:
        """Return what the work returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._result


class _Standby:
    """A thread that does one errand after the other."""

    def __init__(self, rest: Callable[[_Standby], None]) -> None:
        self._rest = rest
        self._errand: _Errand[Any] = _NOTHING
        self._called = threading.Lock()
        self._called.acquire()
        # A process that ends does not wait for a disk that does not answer.
        threading.Thread(target=self._work, name="store", daemon=True).start()

    def run(self, errand: _Errand[Any]) -> None:
        """Let the thread do the errand; it must be at rest."""
        self._errand = errand
        self._called.release()

    def _work(self) -> None:
        while True:
            self._called.acquire()
            self._errand.do()
            self._errand = _NOTHING
            self._rest(self)


#: What a thread at rest holds, lest it keep its last job in memory.
_NOTHING: _Errand[Any] = _Errand(lambda: None, lambda _: None)
