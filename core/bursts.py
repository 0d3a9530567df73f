"""When there was work, and whose: bursts and run times, heard from the events of jobs on the boot-time clock.

Pauses of less than a minute do not end a burst. So there are 60 of them in an hour at most, however many jobs
come, and what another idle time of a minute or more would have cost can still be told from them exactly.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from core.event_bus import KERNEL, EventBus, EventMessage

if TYPE_CHECKING:
    from core.clock import Clock

#: Seconds without work that end a burst.
PAUSE = 60.0

_ENDINGS = {"task.completed", "task.failed", "task.cancelled"}
_LEAVINGS = (*_ENDINGS, "task.retrying", "task.given_back", "task.dropped")
_NOTHING = 1e-6  # seconds: what is left of a sum that was taken away from itself


@dataclass(frozen=True, slots=True)
class Burst:
    """A time in which jobs came or ran; in seconds."""

    start: float
    end: float
    #: How many jobs came.
    jobs: int


@dataclass(frozen=True, slots=True)
class RunTime:
    """What an action took."""

    #: How many of its jobs ended.
    jobs: int = 0
    #: For how many seconds its attempts ran, those that run side by side added up.
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """The work of a stretch of time, in seconds on one clock."""

    bursts: tuple[Burst, ...] = ()
    actions: Mapping[str, RunTime] = field(default_factory=dict)

    def shifted(self, seconds: float) -> Work:
        """Return the same work on a clock that shows that much more."""
        moved = (Burst(one.start + seconds, one.end + seconds, one.jobs) for one in self.bursts)
        return replace(self, bursts=tuple(moved))


class Workload:
    """Listen to the events of jobs, and add them up until somebody takes the sums."""

    def __init__(self, events: EventBus, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        #: Start, end and jobs of each burst; lists, because every event of a job changes the last one.
        self._bursts: list[list[float]] = []
        #: Action → how many of its jobs ended, and the seconds for which its attempts ran.
        self._actions: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0])
        #: Job id → when its attempt began, on the clock that stands still while the machine sleeps.
        self._running: dict[str, float] = {}
        events.subscribe("ledger", "task.queued", self._note_arrival)
        events.subscribe("ledger", "task.started", self._note_start)
        for status in _LEAVINGS:
            events.subscribe("ledger", status, self._note_leaving)

    def touch(self) -> None:
        """Note that there is work at this moment, which no event may have told."""
        with self._lock:
            self._last_burst()

    def work(self) -> Work:
        """Return the work that was heard of and not forgotten, in boot-time seconds."""
        with self._lock:
            if self._running:
                self._last_burst()
            return Work(
                bursts=tuple(Burst(start, end, int(jobs)) for start, end, jobs in self._bursts),
                actions={
                    name: RunTime(int(jobs), seconds) for name, (jobs, seconds) in self._actions.items()
                },
            )

    def resume(self, before: Work) -> None:
        """Add the work of an earlier process, in boot-time seconds, to what was heard since."""
        with self._lock:
            self._bursts = [*([one.start, one.end, one.jobs] for one in before.bursts), *self._bursts]
            for action, taken in before.actions.items():
                self._count(action, taken.jobs, taken.seconds)

    def forget(self, told: Work, until: float) -> None:
        """Take away the work that is told elsewhere, and the bursts until that moment; what runs goes on."""
        with self._lock:
            for action, taken in told.actions.items():
                self._count(action, -taken.jobs, -taken.seconds)
                if self._actions[action][1] < _NOTHING and not self._actions[action][0]:
                    del self._actions[action]
            self._bursts = [_later(burst, until) for burst in self._bursts if burst[1] > until]
            if self._running and not self._bursts:
                self._bursts.append([until, until, 0])

    def _note_arrival(self, message: EventMessage) -> None:
        if message.source_agent == KERNEL:
            with self._lock:
                self._last_burst()[2] += 1

    def _note_start(self, message: EventMessage) -> None:
        if message.source_agent == KERNEL:
            with self._lock:
                self._last_burst()
                self._running[message.payload["job_id"]] = self._clock.monotonic()

    def _note_leaving(self, message: EventMessage) -> None:
        if message.source_agent == KERNEL:
            with self._lock:
                self._last_burst()
                now = self._clock.monotonic()
                began = self._running.pop(message.payload["job_id"], now)
                ended = message.event_type in _ENDINGS
                self._count(message.payload["action"], ended, now - began)

    def _last_burst(self) -> list[float]:
        """Return the burst of this moment, which goes on until now: another one than before after a pause."""
        now = self._clock.boottime()
        if not self._bursts or not (self._running or now - self._bursts[-1][1] < PAUSE):
            self._bursts.append([now, now, 0])
        burst = self._bursts[-1]
        burst[1] = max(burst[1], now)
        return burst

    def _count(self, action: str, jobs: int, seconds: float) -> None:
        sums = self._actions[action]
        sums[0] += jobs
        sums[1] += seconds


def _later(burst: list[float], until: float) -> list[float]:
    return burst if burst[0] >= until else [until, burst[1], 0]
