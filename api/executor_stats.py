"""Statistics of all tasks, counted from the records; counting costs a small part of a processor at most."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from api.callers import caller
from api.executor_views import STATES, problem_of, status_of, success_rate
from core.jobs import ALL, Json, State

if TYPE_CHECKING:
    from api.desk import Desk
    from core.bus import Bus
    from core.clock import Clock

#: A count is handed out again for so many times as long as it took.
KEPT = 10
_MOST_CALLERS = 100


@dataclass(slots=True)
class Count:
    """All tasks at one moment, by what became of them, what they were for, and who ran them."""

    statuses: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    workers: Counter[str] = field(default_factory=Counter)
    #: Seconds from start to end of all completed tasks together.
    seconds: float = 0.0
    #: When it was taken, and for how long it is handed out, in monotonic seconds.
    at: float = 0.0
    kept: float = 0.0


class Statistics:
    """Tell what all tasks have come to, as far as the caller may see them."""

    def __init__(self, desk: Desk, bus: Bus, clock: Clock) -> None:
        self._desk = desk
        self._bus = bus
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, Count] = {}

    def told(self) -> dict[str, Json]:
        """Return the statistics.

        `success_rate` is completed / (completed + failed + timeout), from 0.0 to 1.0, and 0.0 before any of
        them. `avg_execution_time` is the mean of the seconds from the start of the last attempt to the end of
        the completed tasks, null before the first. With very many tasks, all but the numbers by status may
        be as old as ten times what counting them took.
        """
        count = self._count()
        statuses = dict(count.statuses) if caller().own_jobs_only else self._fresh(count)
        numbers = {f"{status}_tasks": statuses.get(status, 0) for status in STATES}
        completed = count.statuses["completed"]
        return {
            "total_tasks": sum(statuses.values()),
            **numbers,
            "avg_execution_time": count.seconds / completed if completed else None,
            "success_rate": success_rate(
                statuses.get("completed", 0), statuses.get("failed", 0) + statuses.get("timeout", 0)
            ),
            "tasks_by_problem": dict(count.problems.most_common()),
            "tasks_by_worker": dict(sorted(count.workers.items())),
        }

    def _fresh(self, count: Count) -> dict[str, int]:
        """Return the numbers by status as the engine counts them now; only records tell timeouts."""
        now = self._bus.count(ALL)
        overdue = min(count.statuses["timeout"], now[State.FAILED])
        return {
            "pending": now[State.QUEUED],
            "running": now[State.RUNNING],
            "completed": now[State.SUCCEEDED],
            "failed": now[State.FAILED] - overdue,
            "timeout": overdue,
            "cancelled": now[State.CANCELLED],
        }

    def _count(self) -> Count:
        """Return a count that is recent enough; while one is being taken, the one before it, if any."""
        who = caller().name if caller().own_jobs_only else ""
        known = self._counts.get(who)
        if known is not None and (self._is_recent(known) or self._lock.locked()):
            return known
        with self._lock:
            known = self._counts.get(who)
            if known is None or not self._is_recent(known):
                if len(self._counts) >= _MOST_CALLERS:
                    self._counts.clear()
                known = self._counts[who] = self._counted()
            return known

    def _is_recent(self, count: Count) -> bool:
        return self._clock.monotonic() < count.at + count.kept

    def _counted(self) -> Count:
        count, began = Count(), self._clock.monotonic()
        for job in self._desk.all(ALL):
            count.statuses[status_of(job)] += 1
            count.problems[problem_of(job)] += 1
            if job.worker is not None:
                count.workers[job.worker] += 1
            if job.state is State.SUCCEEDED and job.started_at is not None and job.ended_at is not None:
                count.seconds += max(0.0, job.ended_at - job.started_at)
        count.at = self._clock.monotonic()
        count.kept = KEPT * (count.at - began)
        return count
