"""A running attempt as its supervisor sees it: what its action says, and what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from core.claim import Claim
from core.job_log import JobLog, shown
from core.jobs import Json, Progress
from core.outcome import Ending, Outcome, failure

if TYPE_CHECKING:
    from core.actions import ActionSpec
    from core.clock import Clock

#: Submits a job for an action and returns its id.
Submit = Callable[..., str]


_LONGEST_MESSAGE = 500


class Why(StrEnum):
    """Why an attempt is to stop."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    #: The bus stops.
    DRAIN = "drain"
    #: The claim passed to somebody else.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Stop:
    """The wish that an attempt stop."""

    why: Why
    #: Seconds between asking its process to end and killing it.
    grace: float


class Attempt:
    """One attempt of one job. It is the Channel of its action; other threads may ask it to stop."""

    def __init__(
        self, claim: Claim, spec: ActionSpec, log: JobLog, *, submit: Submit, clock: Clock, held: int | None
    ) -> None:
        self.claim = claim
        self.spec = spec
        #: The job's log, what is said on its behalf included.
        self.job_log = log
        #: What its process must hold to count as alive; None where the engine works with leases.
        self.lifeline = held
        #: Seconds that it may take; None for no limit.
        self.timeout = claim.job.timeout or spec.limits.timeout
        #: When its time is up, on the monotonic clock.
        self.deadline = None if self.timeout is None else clock.monotonic() + self.timeout
        #: The wish that it stop; the first one counts.
        self.stop: Stop | None = None
        #: Set when its action runs no more.
        self.over = threading.Event()
        #: Set when its outcome is stored, or dropped.
        self.settled = threading.Event()
        #: Called when the wish to stop comes; whoever waits for the attempt puts himself here.
        self.notice: Callable[[], None] = lambda: None
        self._submit = submit
        self._clock = clock
        self._progress: Progress | None = None
        self._lock = threading.Lock()

    def log(self, level: str, message: str) -> None:
        """Add an entry to the job's log."""
        self.job_log.add(level, message)

    def progress(self, fraction: float | None, message: str) -> None:
        """Note how far it has come; the last word counts."""
        words = self.job_log.hide(shown(message))[:_LONGEST_MESSAGE]
        self._progress = Progress(fraction=fraction, message=words, at=self._clock.now())

    def stop_wished(self) -> str | None:
        """Return why it is to stop; None while it may go on."""
        return None if self.stop is None else self.reason()

    def submit(self, action: str, params: Mapping[str, Json], options: Mapping[str, Json]) -> str:
        """Submit a job and return its id. Raises BusError, or TypeError for an option that does not exist."""
        return self._submit(action, params, **options)

    def taken_progress(self) -> Progress | None:
        """Return what was last said of its progress, once."""
        progress, self._progress = self._progress, None
        return progress

    def ask_to_stop(self, why: Why, *, grace: float) -> None:
        """Wish that it stop. Only the first wish counts, and a wish after its end does nothing."""
        with self._lock:
            if self.stop is not None or self.over.is_set():
                return
            self.stop = Stop(why, grace)
        self.notice()

    def overdue(self) -> bool:
        """Return whether its time is up."""
        return self.deadline is not None and self._clock.monotonic() >= self.deadline

    def reason(self) -> str:
        """Return in one sentence why it stops."""
        match self.stop.why if self.stop else Why.LOST:
            case Why.CANCEL:
                return self.claim.job.cancel_reason or "The job was cancelled."
            case Why.TIMEOUT:
                return f"The attempt took longer than {self.timeout:g} seconds."
            case Why.DRAIN:
                return "The bus is stopping."
        return "The job passed to another worker."

    def stopped(self) -> Outcome:
        """Return the outcome that the wish to stop makes."""
        match self.stop.why if self.stop else Why.LOST:
            case Why.CANCEL:
                return Outcome(ending=Ending.CANCELLED, code="cancelled")
            case Why.TIMEOUT:
                return failure("timeout", self.reason())
            case Why.DRAIN:
                return Outcome(ending=Ending.GIVEN_BACK)
        return Outcome(ending=Ending.DROPPED)

    def judged(self, outcome: Outcome) -> Outcome:
        """Return what counts: the action's own outcome, unless it came after the wish to stop.

        Work that is done when the bus stops is kept.
        """
        kept = self.stop is None or (self.stop.why is Why.DRAIN and outcome.ending is Ending.SUCCEEDED)
        return outcome if kept else self.stopped()
