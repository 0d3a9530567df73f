"""One thread that keeps the claims of all running attempts: renews, stores progress, hears of cancels."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from core.attempt import Attempt, Why
from core.errors import BusError
from core.jobs import Progress
from core.lifecycle import progressed, renewed
from core.settlement import Settlement

if TYPE_CHECKING:
    from core.clock import Clock
    from core.engine import Engine

_PERIOD = 1.0  # seconds between two looks


class Keeper:
    """Look after the attempts of this process about once a second while there are any."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        settlement: Settlement,
        *,
        attempts: Callable[[], Collection[Attempt]],
        grace: float,
        lease: float,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._settlement = settlement
        self._attempts = attempts
        self._grace = grace
        self._lease = lease
        self._work = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def attend(self) -> None:
        """Begin to look, now that there is an attempt."""
        if self._work.is_set():
            return
        self._work.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="keeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._work.set()

    def look(self) -> None:
        """Look at every running attempt once."""
        for attempt in self._attempts():
            # A store that does not answer now is asked again at the next look.
            with suppress(BusError):
                self._look_at(attempt)

    def _serve(self) -> None:
        while not self._stopped.is_set():
            self._work.wait()
            # The real time: a test's clock must not make this loop spin.
            self._stopped.wait(_PERIOD)
            self.look()
            if not self._attempts():
                self._work.clear()

    def _look_at(self, attempt: Attempt) -> None:
        if attempt.claim.gone:
            attempt.ask_to_stop(Why.LOST, grace=self._grace)
            return
        if attempt.overdue() and attempt.spec.limits.isolation == "thread":
            self._time_out(attempt)
            return
        attempt.job_log.flush()
        if self._engine.peek(attempt.claim.job.id).cancel_requested:
            attempt.ask_to_stop(Why.CANCEL, grace=self._grace)
        if (progress := attempt.taken_progress()) is not None:
            self._store(attempt, progress)
        self._renew(attempt)

    def _time_out(self, attempt: Attempt) -> None:
        """Report a thread whose time is up; it keeps its slot until it ends, its outcome is dropped."""
        attempt.ask_to_stop(Why.TIMEOUT, grace=self._grace)
        if attempt.stop is not None and attempt.stop.why is Why.TIMEOUT:
            self._settlement.settle(attempt.claim, attempt.stopped())

    def _store(self, attempt: Attempt, progress: Progress) -> None:
        job = attempt.claim.change(lambda job: progressed(job, progress))
        if job is not None:
            self._settlement.tell("task.progress", job)

    def _renew(self, attempt: Attempt) -> None:
        """Prolong the lease at a third of it, unless a lifeline vouches for the worker."""
        now, until = self._clock.now(), attempt.claim.job.lease_until
        if attempt.lifeline is not None or until is None or now < until - self._lease * 2 / 3:
            return
        attempt.claim.change(lambda job: renewed(job, now=now, lease=self._lease))
