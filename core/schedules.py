"""The schedules of a bus: registered, switched, removed, listed; and when each is due next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from core import scheduler_models as verbs
from core.errors import ScheduleNotFound
from core.scheduled_run import run_of
from core.scheduler_models import Schedule, ScheduledTask
from core.task_reader import task_from
from core.timetable import first

if TYPE_CHECKING:
    from core.admission import Admission
    from core.clock import Clock
    from core.functions import Functions
    from core.schedule_store import ScheduleStore, Stored


class Schedules:
    """Keep the schedules of a store in order. Any thread may ask; several processes may share the store.

    Every method may raise EngineUnavailable.
    """

    def __init__(
        self, store: ScheduleStore, admission: Admission, functions: Functions, clock: Clock
    ) -> None:
        self._store = store
        self._admission = admission
        self._functions = functions
        self._clock = clock
        #: Set at every change made through this object.
        self.changed = threading.Event()
        #: Why runs that are due cannot be started by this process, by id of their schedule.
        self.refusals: dict[str, str] = {}
        self._next: dict[str, tuple[Schedule, int | None]] = {}

    def register(self, task: ScheduledTask) -> Schedule:
        """Store the schedule of a task, in place of the one with its id. Raises as `check`."""
        task = self.check(task)
        now = self._clock.now()
        return self._changed(task.id, lambda stored: verbs.registered(stored, task, now=now))

    def check(self, task: ScheduledTask) -> ScheduledTask:
        """Return the task if its runs would be accepted.

        Raises InvalidRequest naming a field, or what `Bus.submit` raises of an action, params and limits.
        """
        task = task_from(task.to_json())
        if task.function_path:
            self._functions.check(task.function_path)
        self._admission.admitted(run_of(task, due=0))
        return task

    def unregister(self, schedule_id: str) -> Schedule:
        """Remove a schedule and return it; its jobs stay. Raises ScheduleNotFound."""
        removed = self.get(schedule_id)
        self._store.change(schedule_id, lambda stored: None)
        self._next.pop(schedule_id, None)
        self.refusals.pop(schedule_id, None)
        self.changed.set()
        return removed

    def switch(self, schedule_id: str, *, enabled: bool) -> Schedule:
        """Enable or disable a schedule; it stays so until it is switched again or its task is changed.

        Raises ScheduleNotFound.
        """
        now = self._clock.now()
        return self._changed(
            schedule_id, lambda stored: verbs.switched(_found(stored, schedule_id), enabled=enabled, now=now)
        )

    def get(self, schedule_id: str) -> Schedule:
        """Return a schedule. Raises ScheduleNotFound."""
        return _found(self._store.get(schedule_id), schedule_id)

    def stored(self) -> Stored:
        """Return all that the store holds."""
        return self._store.all()

    def next_due(self, schedule: Schedule) -> int | None:
        """Return when a schedule is due next, which may be past; None when it is not, or is disabled."""
        known = self._next.get(schedule.id)
        if known is None or known[0] is not schedule:
            due = first(schedule.table, schedule.dealt_with) if schedule.enabled else None
            known = self._next[schedule.id] = (schedule, due)
        return known[1]

    def soonest(self) -> float | None:
        """Return when the next run is due, in Unix seconds; None when there is none.

        What is due and refused is not waited for: the next time of such a schedule counts. So it does where
        the clock was set back.
        """
        now = self._clock.now()
        found = [self._awaited(schedule, now) for schedule in self.stored().schedules]
        return min((due for due in found if due is not None), default=None)

    def advance(self, schedule: Schedule, *, until: int, last: tuple[int, str] | None) -> bool:
        """Note that every due time up to one was dealt with; return whether nobody had noted that before."""
        noted: list[bool] = []

        def step(stored: Schedule | None) -> Schedule | None:
            following = stored and verbs.advanced(stored, until=until, last=last)
            noted.append(following != stored)
            return following

        self._store.change(schedule.id, step)
        return noted[-1]

    def set_back(self, schedule: Schedule, *, now: float) -> None:
        """Let a schedule be due again from now on: the clock was set back."""
        self._store.change(schedule.id, lambda stored: stored and verbs.set_back(stored, now=now))

    def _awaited(self, schedule: Schedule, now: float) -> int | None:
        try:
            due = self.next_due(schedule)
            refused = due is not None and due <= now and schedule.id in self.refusals
            put_off = refused or (due is not None and schedule.is_ahead(now))
            return first(schedule.table, now) if put_off else due
        except ValueError:  # Its times can no longer be read, which its runs tell.
            return None

    def _changed(self, schedule_id: str, step: Callable[[Schedule | None], Schedule]) -> Schedule:
        schedule = self._store.change(schedule_id, step)
        self.changed.set()
        return _found(schedule, schedule_id)


def _found(schedule: Schedule | None, schedule_id: str) -> Schedule:
    if schedule is None:
        raise ScheduleNotFound(schedule_id)
    return schedule
