"""The Agent Scheduler dialect: /api/scheduler, of which the tasks. The executions are in api/agents.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from api import schedules_doc
from api.callers import OWNER, caller
from api.desk import Desk
from api.details import tell_details
from api.http import allow_only, answer, iso, query_value, read_object
from api.openapi import documented
from core.errors import InvalidRequest, JobExpired, JobNotFound, RecordDamaged, ScheduleNotFound
from core.executions import STATUS
from core.secrets import MASK, masked, secrets_in
from core.task_reader import FIELDS, task_from

if TYPE_CHECKING:
    from core.jobs import Json
    from core.kernel import Kernel
    from core.scheduler_models import Schedule, ScheduledTask
    from core.schedules import Schedules
    from core.secrets import Schema


#: What a task calls its function or its action with.
_ASKED = ("args", "kwargs", "params")


def schedules_blueprint(kernel: Kernel, schedules: Schedules) -> Blueprint:
    """Return the dialect's routes."""
    dialect = Tasks(kernel, schedules)
    blueprint = Blueprint("schedules", __name__, url_prefix="/api/scheduler")
    tell_details(blueprint, schedules_doc.SAYINGS)
    one = "/tasks/<task_id>"
    routes: list[tuple[str, str, Callable[..., Response]]] = [
        ("POST", "/tasks", dialect.create),
        ("GET", "/tasks", dialect.tasks),
        ("GET", one, dialect.task),
        ("DELETE", one, dialect.delete),
        ("POST", f"{one}/enable", dialect.enable),
        ("POST", f"{one}/disable", dialect.disable),
    ]
    for method, rule, view in routes:
        blueprint.add_url_rule(rule, view_func=view, methods=[method])
    return blueprint


class Tasks:
    """Answer in the words of the agents' scheduler: a registered schedule is a task."""

    def __init__(self, kernel: Kernel, schedules: Schedules) -> None:
        self._kernel = kernel
        self._schedules = schedules
        self._desk = Desk(kernel)

    @documented(schedules_doc.CREATE)
    def create(self) -> Response:
        """Register a task, in place of the one of the same agent and name."""
        document = read_object(schedules_doc.EXAMPLE)
        allow_only(document, *FIELDS)
        task = task_from({**document, "owner": caller().name})
        self._refuse_masks(task)
        caller().refuse_action(task.job_action)
        if any(known.id == task.id and not _may_see(known) for known in self._schedules.stored().schedules):
            raise ScheduleNotFound(task.id)  # It is somebody else's, of which the caller is to know nothing.
        return answer(self._view(self._schedules.register(task)))

    @documented(schedules_doc.TASKS)
    def tasks(self) -> Response:
        """List the tasks, by agent and name."""
        agent = query_value("agent_name")
        shown = [
            self._view(schedule)
            for schedule in self._schedules.stored().schedules
            if _may_see(schedule) and agent in {None, schedule.task.agent_name}
        ]
        return answer(shown)

    @documented(schedules_doc.TASK)
    def task(self, task_id: str) -> Response:
        """Tell of one task: when it runs next, when it last ran, and how that went."""
        return answer(self._view(self._seen(task_id)))

    @documented(schedules_doc.DELETE)
    def delete(self, task_id: str) -> Response:
        """Remove a task; its executions stay."""
        self._schedules.unregister(self._seen(task_id).id)
        return answer({"message": "Task deleted successfully"})

    @documented(schedules_doc.ENABLE)
    def enable(self, task_id: str) -> Response:
        """Let a task run again."""
        schedule = self._seen(task_id)
        caller().refuse_action(schedule.task.job_action)
        self._schedules.switch(schedule.id, enabled=True)
        return answer({"message": "Task enabled successfully"})

    @documented(schedules_doc.DISABLE)
    def disable(self, task_id: str) -> Response:
        """Let a task rest."""
        self._schedules.switch(self._seen(task_id).id, enabled=False)
        return answer({"message": "Task disabled successfully"})

    def _seen(self, task_id: str) -> Schedule:
        schedule = self._schedules.get(task_id)
        if not _may_see(schedule):
            raise ScheduleNotFound(task_id)
        return schedule

    def _view(self, schedule: Schedule) -> dict[str, Json]:
        task = schedule.task.to_json()
        del task["owner"], task["source"]
        return {
            "id": schedule.id,
            **task,
            **masked(_asked(schedule.task), self._types(schedule.task)),
            "function_path": schedule.task.function_path or None,
            "action": schedule.task.action or None,
            "enabled": schedule.enabled,
            "created_at": iso(schedule.created_at),
            "updated_at": iso(schedule.updated_at),
            "next_run": iso(self._next_run(schedule)),
            "last_run": iso(schedule.last_due),
            "last_status": self._last_status(schedule),
            "last_execution_id": schedule.last_job,
            "problem": self._schedules.refusals.get(schedule.id),
        }

    def _refuse_masks(self, task: ScheduledTask) -> None:
        """Raise InvalidRequest when a task is sent as it was shown, with a mask in the place of a secret."""
        types = self._types(task)
        for name, given in _asked(task).items():
            if MASK in secrets_in({name: given}, types):
                hint = "Send the secret itself, or leave it out."
                raise InvalidRequest(name, f"hold {MASK} in the place of a secret.", hint=hint)

    def _types(self, task: ScheduledTask) -> Schema:
        """Return what tells the secrets among all that a task calls with by the types of its action."""
        schema = self._desk.schema(task.action) if task.action else None
        return {"properties": {"params": schema}, "$defs": (schema or {}).get("$defs", {})}

    def _next_run(self, schedule: Schedule) -> int | None:
        try:
            return self._schedules.next_due(schedule)
        except ValueError:  # Its times can no longer be read; `problem` tells.
            return None

    def _last_status(self, schedule: Schedule) -> str | None:
        """Return how the last run stands; None when there was none, or its record is no more."""
        try:
            return STATUS[self._kernel.bus.peek(schedule.last_job).state] if schedule.last_job else None
        except (JobExpired, JobNotFound, RecordDamaged):
            return None


def _asked(task: ScheduledTask) -> dict[str, Json]:
    said = task.to_json()
    return {name: said[name] for name in _ASKED}


def _may_see(schedule: Schedule) -> bool:
    return caller().may_see({OWNER: schedule.task.owner})
