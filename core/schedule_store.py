"""The seam of schedules: what a store of them must do. Small, so that a table or a hash can be one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from core.scheduler_models import Schedule

#: Makes the next state of a schedule of the stored one; None stands for none, before and after.
Step = Callable[[Schedule | None], Schedule | None]


@dataclass(frozen=True, slots=True)
class Stored:
    """All that a store holds."""

    schedules: tuple[Schedule, ...] = ()
    #: What cannot be read, and why, by its name.
    damaged: Mapping[str, str] = field(default_factory=dict)


class ScheduleStore(Protocol):
    """Keep schedules durably. Any thread and any process may ask.

    Every method may raise `EngineUnavailable` when the store does not answer.
    """

    def all(self) -> Stored:
        """Return every schedule, in the order of their ids; the same object while nothing has changed."""
        ...

    def get(self, schedule_id: str) -> Schedule | None:
        """Return the schedule of that id; None when there is none that can be read."""
        ...

    def change(self, schedule_id: str, step: Step) -> Schedule | None:
        """Store what `step` makes of a schedule, and return it; durable when this returns.

        Nobody else changes that schedule meanwhile. What equals the stored one is not written again.
        """
        ...


class MemorySchedules:
    """Keep schedules in this process: for tests and trials; nothing survives it."""

    def __init__(self) -> None:
        self._schedules: dict[str, Schedule] = {}
        self._stored = Stored()
        self._lock = threading.RLock()

    def all(self) -> Stored:
        """Return every schedule."""
        return self._stored

    def get(self, schedule_id: str) -> Schedule | None:
        """Return the schedule of that id."""
        return self._schedules.get(schedule_id)

    def change(self, schedule_id: str, step: Step) -> Schedule | None:
        """Store what `step` makes of a schedule."""
        with self._lock:
            old = self._schedules.get(schedule_id)
            new = step(old)
            if new != old:
                if new is None:
                    del self._schedules[schedule_id]
                else:
                    self._schedules[schedule_id] = new
                self._stored = Stored(tuple(self._schedules[name] for name in sorted(self._schedules)))
            return new
