"""How long a caller waits for a slow disk: the wait ends, the work does not, and others are still served.

Jobs are stored in the thread that answers the caller, for to hand them to another costs as much as to store
them. The server's main thread asks about once a second whose wait is over, answers in place of those threads,
and puts others in theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from core.clock import Clock, SystemClock
from core.errors import EngineUnavailable, OutcomeUnknown


class Patience:
    """Let `places` callers wait for the store for `seconds`, and those beyond for `queue_seconds`."""

    def __init__(
        self, *, places: int, seconds: float, queue_seconds: float = 1.0, clock: Clock | None = None
    ) -> None:
        self._places = places
        self._seconds = seconds
        self._queue_seconds = queue_seconds
        self._clock = clock or SystemClock()
        self._waits: dict[int, _Wait] = {}  # by thread; who waits longest comes first

    @contextmanager
    def waiting(self, job_id: str) -> Iterator[None]:
        """Note that this thread waits for the store, as long as the block lasts.

        Raises EngineUnavailable when the store is slow and as many threads wait for it already as may.
        """
        now, thread = self._clock.monotonic(), threading.get_ident()
        if len(self._waits) >= self._places:
            self._refuse_if_slow(now)
        self._waits[thread] = _Wait(job_id, now)
        try:
            yield
        finally:
            del self._waits[thread]

    def overdue(self) -> dict[int, OutcomeUnknown]:
        """Return the threads whose callers are to wait no longer, each once, and what to tell the callers."""
        now = self._clock.monotonic()
        found: dict[int, OutcomeUnknown] = {}
        for number, (thread, wait) in enumerate(list(self._waits.items())):
            seconds = self._seconds if number < self._places else self._queue_seconds
            if not wait.is_over and now - wait.since >= seconds:
                wait.is_over = True
                reason = f"the store has not answered for {seconds:g} seconds."
                found[thread] = OutcomeUnknown(wait.job_id, reason)
        return found

    def _refuse_if_slow(self, now: float) -> None:
        longest = next(iter(list(self._waits.values())), None)
        if longest is not None and now - longest.since >= self._queue_seconds:
            hint = "Try again with the same idempotency key."
            raise EngineUnavailable("The store is slow, and others wait for it already.", hint=hint)


@dataclass(slots=True)
class _Wait:
    job_id: str
    since: float
    is_over: bool = False
