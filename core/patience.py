"""How long a caller waits for a slow disk: the wait ends, the work does not, and others are still served."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from typing import TypeVar

from core.errors import EngineUnavailable, OutcomeUnknown

T = TypeVar("T")

_HINT = "Try again with the same idempotency key."


class Patience:
    """Let callers wait for work of `places` at a time, each for `seconds` at most."""

    def __init__(self, *, places: int, seconds: float, queue_seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._queue_seconds = queue_seconds
        self._places = threading.BoundedSemaphore(places)
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="store")

    def wait_for(self, work: Callable[[], T], *, job_id: str, late: Callable[[T], object]) -> T:
        """Return what the work returns; if it ends after the caller has gone, `late` is called with that.

        Raises what the work raises, OutcomeUnknown when it takes too long, EngineUnavailable when it cannot
        even begin.
        """
        if not self._places.acquire(timeout=self._queue_seconds):
            raise EngineUnavailable("The store is slow, and others wait for it already.", hint=_HINT)
        future = self._threads.submit(work)
        future.add_done_callback(lambda _: self._places.release())
        try:
            return future.result(self._seconds)
        except Late:
            if future.done():  # The work itself raised it.
                raise
            future.add_done_callback(lambda done: _tell(done, late))
            reason = f"the store has not answered for {self._seconds:g} seconds."
            raise OutcomeUnknown(job_id, reason) from None


def _tell(done: Future[T], late: Callable[[T], object]) -> None:
    if done.exception() is None:
        late(done.result())
