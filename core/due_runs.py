"""Starts what is due: one thread, which submits a job for each due time and notes how far it has come.

Several processes may do this for one store, and none of them need lead: the job of a due time has an
idempotency key made of both, so that the engine keeps only the first. A crash between a submission and its
note only makes somebody submit once more, to be given the same job.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from core.catch_up import Plan, planned
from core.errors import (
    BusError,
    EngineUnavailable,
    IdempotencyConflict,
    JobEnded,
    JobExpired,
    JobNotFound,
    ShuttingDown,
)
from core.event_bus import KERNEL, EventBus
from core.scheduled_run import MADE_UP, MISSED, SKIPPED, moment, run_of
from core.scheduler_models import Schedule
from core.timetable import latest

if TYPE_CHECKING:
    from core.bus import Bus
    from core.clock import Clock
    from core.schedules import Schedules

#: Seconds within which another process's change and a jump of the clock are noticed; REST with no schedules.
TICK, REST = 1.0, 5.0
#: Due times of one schedule that are dealt with at once; of a longer absence the older ones are forgotten.
MOST = 1_000
#: Of those that are skipped, so many leave a job that says so.
MOST_TOLD = 100

#: What a fault can be about, beside a schedule.
_BEGINNING, _ROUND = "beginning", "round"
_SOONEST = 0.01
#: Seconds after which a clock that was set back is believed.
_FOR_GOOD = 180.0
#: Seconds for which the job of a skipped run could not start, were it not cancelled at once.
_NOT_YET = 3_600.0


class DueRuns:
    """Submit the runs of schedules when they are due."""

    def __init__(
        self,
        schedules: Schedules,
        bus: Bus,
        events: EventBus,
        clock: Clock,
        *,
        at_start: Callable[[], object] = lambda: None,
    ) -> None:
        """Take `at_start` as what is to be done once, before the first round or as soon as it can be."""
        self._schedules = schedules
        self._bus = bus
        self._events = events
        self._clock = clock
        self._at_start = at_start
        self._begun = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="due runs", daemon=True)
        self._told: dict[str, str] = {}
        #: When the clock was noticed to be set back: monotonic seconds, and what it showed then.
        self._set_back: tuple[float, float] | None = None

    def start(self) -> None:
        """Begin to start what is due, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait 5 s at most for the round that is under way: an action may hang at its import."""
        self._stopped.set()
        self._schedules.changed.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def round(self) -> float:
        """Start everything that is due; return the seconds until the next round."""
        now = self._clock.now()
        stored = self._schedules.stored()
        for name, reason in stored.damaged.items():
            self._tell_once(name, "system.schedule_damaged", reason, name=name)
        enabled = [schedule for schedule in stored.schedules if schedule.enabled]
        self._notice_set_back(enabled, now)
        try:
            for schedule in enabled:
                self._attend(schedule, now)
        except ShuttingDown:  # What is due now is due at the next start.
            return TICK
        self._told.pop(_ROUND, None)
        soonest = self._schedules.soonest()
        return REST if soonest is None else min(TICK, max(_SOONEST, soonest - self._clock.now()))

    def _run(self) -> None:
        while not self._stopped.is_set():
            if not self._begun:
                self._tried(self._begin, _BEGINNING)
            pause = self._tried(self.round, _ROUND)
            self._clock.wait(self._schedules.changed, pause)
            self._schedules.changed.clear()

    def _begin(self) -> float:
        self._at_start()
        self._begun = True
        return TICK

    def _tried(self, work: Callable[[], float], about: str) -> float:
        try:
            return work()
        except BusError as error:
            self._tell_once(about, "system.scheduler_failed", error.message)
        except Exception as error:  # noqa: BLE001  Whatever it was, what is due must go on being started.
            self._tell_once(about, "system.scheduler_failed", f"{type(error).__name__}: {error}")
        return TICK

    def _notice_set_back(self, schedules: Sequence[Schedule], now: float) -> None:
        """Let schedules be due again when the clock was set back and stays so, from when that was noticed.

        After a boot a clock may be wrong until it is set right. Were it believed at once, all that ran
        between the wrong time and the right one would then count as missed.
        """
        ahead = [schedule for schedule in schedules if schedule.is_ahead(now)]
        if not ahead:
            self._set_back = None
        elif self._set_back is None:
            self._set_back = self._clock.monotonic(), now
        elif self._clock.monotonic() - self._set_back[0] >= _FOR_GOOD:
            for schedule in ahead:
                self._schedules.set_back(schedule, now=min(now, self._set_back[1]))

    def _attend(self, schedule: Schedule, now: float) -> None:
        """Start what is due of one schedule. What is refused stays due: another process may start it."""
        try:
            if (due := self._schedules.next_due(schedule)) is not None and due <= now:
                self._deal_with(schedule, now)
        except (ShuttingDown, EngineUnavailable):
            raise
        except (BusError, ValueError) as error:
            reason = error.message if isinstance(error, BusError) else str(error)
            self._schedules.refusals[schedule.id] = reason
            self._tell_once(schedule.id, "system.schedule_refused", reason, task_id=schedule.id)
        else:
            self._schedules.refusals.pop(schedule.id, None)
            self._told.pop(schedule.id, None)

    def _deal_with(self, schedule: Schedule, now: float) -> None:
        due = latest(schedule.table, after=schedule.dealt_with, until=now, most=MOST)
        plan = planned(due, schedule.task, now=now)
        for at in plan.skipped[-MOST_TOLD:]:
            self._skip(schedule, at, now)
        last: tuple[int, str] | None = None
        for at in plan.runs:
            last = at, self._submitted(schedule, at, missed=MADE_UP if at in plan.made_up else "")
        if self._schedules.advance(schedule, until=due[-1], last=last) and plan.missed:
            self._tell_of_missed(schedule, plan)

    def _submitted(self, schedule: Schedule, at: int, *, missed: str) -> str:
        """Return the id of the job of a due time, which is submitted unless it was before."""
        try:
            return self._bus.submit(run_of(schedule.task, at, missed=missed)).id
        except IdempotencyConflict as known:  # It was due before its task was changed.
            return known.job_id

    def _skip(self, schedule: Schedule, at: int, now: float) -> None:
        """Leave a cancelled job that says that the run of a due time was missed.

        It is submitted for later, so that nobody can claim it before it is cancelled. After a crash in
        between, whoever deals with the due time next is given the same job, and cancels it.
        """
        with suppress(IdempotencyConflict, JobEnded, JobExpired, JobNotFound):
            job = self._bus.submit(run_of(schedule.task, at, missed=SKIPPED, run_after=now + _NOT_YET))
            if job.labels.get(MISSED) == SKIPPED and not job.state.ended:
                self._bus.cancel(job.id, reason=_why_skipped(schedule, at, now))

    def _tell_of_missed(self, schedule: Schedule, plan: Plan) -> None:
        what = {"missed": plan.missed, "made_up": len(plan.made_up), "skipped": len(plan.skipped)}
        self._events.publish("system.schedule_missed", KERNEL, {"task_id": schedule.id, **what})

    def _tell_once(self, about: str, event_type: str, message: str, **more: str) -> None:
        """Publish it once, not every second until it is over."""
        if self._told.get(about) != message:
            self._told[about] = message
            self._events.publish(event_type, KERNEL, {"message": message, **more})


def _why_skipped(schedule: Schedule, at: int, now: float) -> str:
    policy = schedule.task.catch_up.value
    return (
        f"Missed: due at {moment(at)}, and no bus looked before {moment(int(now))}; catch_up is {policy!r}."
    )
