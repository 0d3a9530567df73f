"""The job that a due time makes: one and no more, by its idempotency key. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from core.executions import AGENT, FUNCTION, SCHEDULED_TASK, TASK
from core.jobs import Json
from core.scheduler_models import ScheduledTask
from core.submission import Submission

#: Labels of a scheduled run: when it was due, and what became of it if it was missed.
DUE, MISSED = "due", "missed"
#: Values of the latter.
MADE_UP, SKIPPED = "made up", "skipped"
#: The label under which a job remembers who submitted it, as the dialects do.
OWNER = "owner"


def run_of(task: ScheduledTask, due: int, *, missed: str = "", run_after: float | None = None) -> Submission:
    """Return what is submitted for one due time of a task."""
    labels: dict[str, Json] = {
        AGENT: task.agent_name,
        TASK: task.task_name,
        SCHEDULED_TASK: task.id,
        FUNCTION: task.function_path,
        DUE: moment(due),
        MISSED: missed,
        OWNER: task.owner,
    }
    return Submission(
        action=task.job_action,
        params=task.job_params,
        priority=task.priority,
        timeout=task.timeout,
        max_attempts=task.max_attempts,
        run_after=run_after,
        idempotency_key=f"schedule/{task.id}/{moment(due)}",
        labels={name: value for name, value in labels.items() if value},
    )


def moment(due: int) -> str:
    """Return a due time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(due, UTC).isoformat().replace("+00:00", "Z")
