"""The Task Executor's words for a job: pending, running, completed, failed, timeout, cancelled. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from api.http import iso
from core.actions import ActionSpec
from core.jobs import Job, JobError, Json, State, Summary

#: Status of this dialect → the states of the kernel in which such a task is.
STATES: Mapping[str, frozenset[State]] = {
    "pending": frozenset({State.QUEUED}),
    "running": frozenset({State.RUNNING}),
    "completed": frozenset({State.SUCCEEDED}),
    "failed": frozenset({State.FAILED}),
    "timeout": frozenset({State.FAILED}),
    "cancelled": frozenset({State.CANCELLED}),
}
#: The label under which a job remembers what its task was for.
PROBLEM = "problem_id"
#: The label of a job whose action knows no tasks: which parameters are no params, but said how to run it.
TOLD = "told_by_parameters"

_STATUS: Mapping[State, str] = {
    State.QUEUED: "pending",
    State.RUNNING: "running",
    State.SUCCEEDED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


def status_of(job: Summary) -> str:
    """Return how the task stands; a dead letter whose last attempt ran out of time is a `timeout`."""
    overdue = job.state is State.FAILED and job.error is not None and job.error.code == "timeout"
    return "timeout" if overdue else _STATUS[job.state]


def problem_of(job: Summary) -> str:
    """Return what the task is for: its problem_id, or the action of a job that came by another door."""
    return job.labels.get(PROBLEM) or job.action


def updated_at(job: Summary) -> float:
    """Return when the job last changed as far as its record tells, in Unix seconds."""
    told = [job.submitted_at, job.started_at, job.ended_at]
    told += [part.at for part in (job.progress, job.error) if part is not None]
    return max(at for at in told if at is not None)


def takes_tasks(spec: ActionSpec) -> bool:
    """Return whether the action takes a task as it is: the problem_id, and all of the parameters as one."""
    known: Mapping[str, Json] = spec.schema.get("properties", {})
    return {PROBLEM, "parameters"} <= known.keys()


def task_view(job: Job) -> dict[str, Json]:
    """Return the whole task."""
    return _view(job, parameters=_parameters(job), result=job.result)


def light_view(job: Summary) -> dict[str, Json]:
    """Return the task without what takes too much room here, and say so."""
    return {**_view(job, parameters={}, result=None), "result_left_out": True}


def _view(job: Summary, *, parameters: Json, result: Json) -> dict[str, Json]:
    return {
        "id": job.id,
        "problem_id": problem_of(job),
        "status": status_of(job),
        "parameters": parameters,
        "priority": job.priority,
        "worker_id": job.worker,
        "result": result,
        "error_details": _error(job.error),
        "created_at": iso(job.submitted_at),
        "updated_at": iso(updated_at(job)),
        "started_at": iso(job.started_at),
        "completed_at": iso(job.ended_at),
    }


def _parameters(job: Job) -> Json:
    """Return the parameters as they were sent; of a job that came by another door, its params."""
    if PROBLEM not in job.labels:
        return job.params
    if TOLD not in job.labels:
        return job.params.get("parameters", {})
    told = {"action": job.action, "priority": job.priority, "timeout": job.timeout}
    return {**job.params, **{name: told[name] for name in job.labels[TOLD].split()}}


def _error(error: JobError | None) -> Json:
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "attempt": error.attempt, "at": iso(error.at)}


def success_rate(completed: int, failed: int) -> float:
    """Return the share of those that succeeded among all that succeeded or failed, 0.0 when there is none."""
    return completed / (completed + failed) if completed + failed else 0.0
