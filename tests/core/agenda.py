"""A bus without threads whose schedules a test writes, and whose time it moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.bus import Bus
from core.due_runs import DueRuns
from core.event_bus import EventMessage
from core.functions import Functions
from core.jobs import Job, Query
from core.schedule_store import MemorySchedules, ScheduleStore
from core.scheduled_run import DUE
from core.scheduler_models import Schedule, ScheduledTask
from core.schedules import Schedules
from tests.fakes import FakeClock

DAY = 86_400.0


def a_task(**fields: Any) -> ScheduledTask:
    """Return a task that doubles a number every five minutes, with any field overridden."""
    values: dict[str, Any] = {
        "agent_name": "tester",
        "task_name": "double",
        "task_type": "interval",
        "schedule": "5 minutes",
        "action": "double",
        "params": {"number": 21},
    }
    return ScheduledTask(**(values | fields))


@dataclass
class Process:
    """What one process of the bus knows and does."""

    bus: Bus
    clock: FakeClock
    store: ScheduleStore = field(default_factory=MemorySchedules)
    functions: Functions = field(default_factory=Functions)
    at_start: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.schedules = Schedules(self.store, self.bus.admission, self.functions, self.clock)
        self.due_runs = DueRuns(self.schedules, self.bus, self.bus.events, self.clock, at_start=self.at_start)
        self.told: list[EventMessage] = []
        self.bus.events.subscribe("test", "system.*", self.told.append)

    def register(self, **fields: Any) -> Schedule:
        return self.schedules.register(a_task(**fields))

    def look(self, *, after: float = 0.0) -> float:
        """Let so many seconds pass, and look once at what is due; return when to look again."""
        self.clock.advance(after)
        return self.due_runs.round()

    def run_through(self, seconds: float) -> None:
        """Look whenever something is due, for so long."""
        end = self.clock.wall + seconds
        while (soonest := self.schedules.soonest()) is not None and soonest <= end:
            self.look(after=max(0.0, soonest - self.clock.wall))
        self.clock.advance(end - self.clock.wall)

    def jobs(self) -> list[Job]:
        """Return all jobs of schedules, in the order in which they were due."""
        found = [self.bus.get(job.id) for job in self.bus.find(Query(limit=1_000)).jobs]
        return sorted((job for job in found if DUE in job.labels), key=lambda job: job.labels[DUE])

    def due(self) -> list[str]:
        """Return the due times of all jobs of schedules."""
        return [job.labels[DUE] for job in self.jobs()]

    def types_told(self) -> list[str]:
        return [message.event_type for message in self.told]
