"""ScheduledTask, Schedule, TaskExecution: what is to be started by the clock, and what became of it. Pure.

A task is what somebody wrote; a schedule is a task that was registered, and how far it has come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from core.event_bus import EventMessage
from core.executions import Execution as TaskExecution
from core.functions import CALL_FUNCTION
from core.jobs import DEFAULT_PRIORITY, Json
from core.timetable import Timetable, timetable

__all__ = ["CatchUp", "EventMessage", "Schedule", "ScheduledTask", "TaskExecution", "registered", "switched"]

DEFAULT_WINDOW = 86_400.0
#: Seconds that a run may be late and still counts as on time: a busy machine has missed nothing.
ON_TIME = 60.0


class CatchUp(StrEnum):
    """What becomes of runs that were missed because no bus was there at their time."""

    #: They are not made up for.
    SKIP = "skip"
    #: One run makes up for all of them.
    ONCE = "once"
    #: Each is made up for.
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduledTask:
    """What an agent wants done again and again: a function of an allowed package, or an action."""

    agent_name: str
    task_name: str
    #: `minute hour day month weekday`, or `{number} {unit}`.
    schedule: str
    #: `cron` or `interval`.
    task_type: str = "cron"
    description: str = ""
    enabled: bool = True
    #: `package.module:function`; empty when an action is named.
    function_path: str = ""
    args: tuple[Json, ...] = ()
    kwargs: Mapping[str, Json] = field(default_factory=dict)
    #: Name of an action; empty when a function is named.
    action: str = ""
    params: Mapping[str, Json] = field(default_factory=dict)
    #: The zone of a cron expression, such as `Europe/Berlin`.
    timezone: str = "UTC"
    catch_up: CatchUp = CatchUp.ONCE
    #: Seconds; runs that were missed longer ago are not made up for.
    catch_up_window: float = DEFAULT_WINDOW
    #: As of any job: 0 to 9, seconds that an attempt may take, attempts. None leaves it to the action.
    priority: int = DEFAULT_PRIORITY
    timeout: float | None = None
    max_attempts: int | None = None
    #: Who registered it, where callers have names.
    owner: str = ""
    #: The file that it was read from, which can take it away again; empty when somebody registered it.
    source: str = ""

    @property
    def id(self) -> str:
        """`agent:task`: registering another task of that id replaces this one."""
        return f"{self.agent_name}:{self.task_name}"

    @property
    def job_action(self) -> str:
        """Name of the action that its jobs are for."""
        return self.action or CALL_FUNCTION

    @property
    def job_params(self) -> Mapping[str, Json]:
        """What that action is called with."""
        if self.action:
            return self.params
        return {"function": self.function_path, "args": list(self.args), "kwargs": dict(self.kwargs)}

    def to_json(self) -> dict[str, Json]:
        """Return the task as a JSON object of its fields."""
        return {**asdict(self), "args": list(self.args), "catch_up": self.catch_up.value}


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A registered task. Times are Unix seconds."""

    task: ScheduledTask
    #: As it was last switched; the task says how it began.
    enabled: bool
    created_at: float
    updated_at: float
    #: Every due time up to this one was dealt with.
    dealt_with: float
    #: The due time of the last run that was started, and the job that is that run.
    last_due: int | None = None
    last_job: str | None = None

    @property
    def id(self) -> str:
        """The id of its task."""
        return self.task.id

    @property
    def table(self) -> Timetable:
        """Its due times. Raises ValueError when this machine cannot read them: it may lack the zone."""
        task = self.task
        return timetable(task.task_type, task.schedule, zone=task.timezone, start=self.created_at)

    def is_ahead(self, now: float) -> bool:
        """Return whether it was dealt with beyond now: the clock was set back."""
        return self.dealt_with > now + ON_TIME

    def to_json(self) -> dict[str, Json]:
        """Return the schedule as a JSON object, the task first."""
        own = {name: getattr(self, name) for name in _OWN}
        return {"id": self.id, "task": self.task.to_json(), **own}


_OWN = ("enabled", "created_at", "updated_at", "dealt_with", "last_due", "last_job")


def registered(stored: Schedule | None, task: ScheduledTask, *, now: float) -> Schedule:
    """Return the schedule that registering a task makes of the one that was stored under its id.

    The same task again changes nothing, however often a bus is started. Another text of times begins now.
    """
    if stored is None:
        return Schedule(task=task, enabled=task.enabled, created_at=now, updated_at=now, dealt_with=now)
    if replace(stored.task, source=task.source) == task:
        return replace(stored, task=task)
    changed = replace(stored, task=task, enabled=task.enabled, updated_at=now)
    goes_on = _times(stored.task) == _times(task) and stored.enabled
    return changed if goes_on else replace(changed, dealt_with=now)


def switched(stored: Schedule, *, enabled: bool, now: float) -> Schedule:
    """Return the schedule switched on or off. What would have been due while it was off is not missed."""
    if stored.enabled is enabled:
        return stored
    dealt_with = now if enabled else stored.dealt_with
    return replace(stored, enabled=enabled, updated_at=now, dealt_with=dealt_with)


def advanced(stored: Schedule, *, until: int, last: tuple[int, str] | None) -> Schedule:
    """Return the schedule with the due times up to one dealt with; `last` is due time and job of a run."""
    if stored.dealt_with >= until:
        return stored
    due, job = last or (stored.last_due, stored.last_job)
    return replace(stored, dealt_with=float(until), last_due=due, last_job=job)


def set_back(stored: Schedule, *, now: float) -> Schedule:
    """Return the schedule as it goes on after the clock was set back: due again from now on."""
    return replace(stored, dealt_with=now) if stored.dealt_with > now else stored


def _times(task: ScheduledTask) -> tuple[str, str, str]:
    return task.task_type, task.schedule, task.timezone
