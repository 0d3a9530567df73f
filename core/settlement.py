"""The end of an attempt: its outcome becomes the job's next version, stored once, and everybody is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from core import lifecycle
from core.claim import Claim, Step
from core.errors import EngineUnavailable
from core.event_bus import KERNEL, EventBus, job_payload
from core.jobs import Job, JobError, State
from core.outcome import Ending, Outcome

if TYPE_CHECKING:
    from core.clock import Clock

_PAUSE = 1.0  # seconds before a store that does not answer is asked again
_EVENTS = {
    State.SUCCEEDED: "task.completed",
    State.FAILED: "task.failed",
    State.CANCELLED: "task.cancelled",
    State.QUEUED: "task.retrying",
}


class Settlement:
    """Settle claims by outcomes. Any thread may; the first one that settles a claim wins."""

    def __init__(self, clock: Clock, events: EventBus, *, backoff: Callable[[int], float]) -> None:
        self._clock = clock
        self._events = events
        self._backoff = backoff
        #: Set when nobody is to wait any longer.
        self.stopping = threading.Event()

    def settle(self, claim: Claim, outcome: Outcome) -> Job | None:
        """Store what the outcome makes of the job and return it; None when the claim was gone.

        Insists until the store answers, or until nobody is to wait any longer.
        """
        while outcome.ending is not Ending.DROPPED:
            try:
                job = claim.change(self._step(outcome))
            except EngineUnavailable as error:
                self._events.publish("system.engine_unavailable", KERNEL, {"message": error.message})
                if self._clock.wait(self.stopping, _PAUSE):
                    return None
                continue
            if job is None:
                break
            self.tell("task.given_back" if outcome.ending is Ending.GIVEN_BACK else _EVENTS[job.state], job)
            return job
        self.tell("task.dropped", claim.job)
        return None

    def tell(self, event_type: str, job: Job) -> None:
        """Tell everybody what happened to a job."""
        self._events.publish(event_type, KERNEL, job_payload(job))

    def stop(self) -> None:
        """Wait no longer for a store that does not answer."""
        self.stopping.set()

    def _step(self, outcome: Outcome) -> Step:
        now = self._clock.now()
        error = JobError(code=outcome.code, message=outcome.message)

        def step(job: Job) -> Job:
            if outcome.ending is Ending.SUCCEEDED:
                return lifecycle.succeeded(job, result=outcome.result, now=now)
            if outcome.ending is Ending.CANCELLED or job.cancel_requested:
                said = outcome.message if outcome.ending is Ending.CANCELLED else ""
                return lifecycle.cancelled(job, now=now, reason=said or None)
            if outcome.ending is Ending.GIVEN_BACK:
                return lifecycle.given_back(job)
            delay = self._backoff(job.attempt) if outcome.delay is None else outcome.delay
            final = outcome.ending is Ending.GIVEN_UP
            return lifecycle.failed(job, error=error, now=now, delay=delay, final=final)

        return step
