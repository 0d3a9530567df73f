"""A job as the run of an agent's task: which labels say so, and what is told of the run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.event_bus import KERNEL
from core.functions import CALL_FUNCTION
from core.jobs import Job, Json, State, Summary

#: Labels of a job that runs the task of an agent: whose task, its name, the id of its schedule, its function.
AGENT, TASK, SCHEDULED_TASK, FUNCTION = "agent", "task", "scheduled_task", "function"

#: State of the kernel → `status` of an execution.
STATUS: Mapping[State, str] = {
    State.QUEUED: "queued",
    State.RUNNING: "running",
    State.SUCCEEDED: "success",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One run of a task. Every job is one: without labels, that of a task of the bus named as its action."""

    #: The id of the job, as `task_id`.
    id: str
    task_id: str
    #: The scheduled task that it is a run of; None when somebody asked for this one run.
    scheduled_task_id: str | None
    agent_name: str
    task_name: str
    status: str
    #: `package.module:function`.
    function_path: str
    args: tuple[Json, ...] = ()
    kwargs: Mapping[str, Json] = field(default_factory=dict)
    result: Json = None
    #: Why it failed or was cancelled, in one sentence.
    error: str | None = None
    #: Unix seconds, as all times below.
    started_at: float | None = None
    completed_at: float | None = None
    created_at: float = 0.0
    updated_at: float = 0.0


def execution_of(job: Summary) -> Execution:
    """Return the run that a job is; of a summary without its `kwargs` and `result`."""
    whole = job if isinstance(job, Job) else Job(id=job.id, action=job.action)
    return Execution(
        id=job.id,
        task_id=job.id,
        scheduled_task_id=job.labels.get(SCHEDULED_TASK),
        agent_name=agent_of(job),
        task_name=job.labels.get(TASK, job.action),
        status=STATUS[job.state],
        function_path=job.labels.get(FUNCTION, f"actions.{job.action}:run"),
        args=tuple(_called_with(whole).get("args", ())),
        kwargs=_called_with(whole).get("kwargs", {}),
        result=whole.result,
        error=job.error.message if job.error and job.state in {State.FAILED, State.CANCELLED} else None,
        started_at=job.started_at,
        completed_at=job.ended_at,
        created_at=job.submitted_at,
        updated_at=_last_change(job),
    )


def agent_of(job: Summary) -> str:
    """Return whose task the job runs."""
    return job.labels.get(AGENT, KERNEL)


def _called_with(job: Job) -> Mapping[str, Json]:
    """Return `args` and `kwargs`: those of the function that the job calls, or the params of its action."""
    return job.params if job.action == CALL_FUNCTION else {"kwargs": job.params}


def _last_change(job: Summary) -> float:
    """Return when the last change was made of which the job tells the time."""
    said = (job.progress, job.error)
    times = [job.submitted_at, job.started_at, job.ended_at, *(one.at for one in said if one)]
    return max(time for time in times if time is not None)
