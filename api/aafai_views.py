"""The aafai dialect's words for a job: pending, complete, failed, cancelled. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from api.errors import refusal_of
from api.http import iso
from core.errors import BusError
from core.jobs import Job, Json, Progress, State, Summary

#: State of the kernel → `status` of this dialect.
STATUS: Mapping[State, str] = {
    State.QUEUED: "pending",
    State.RUNNING: "pending",
    State.SUCCEEDED: "complete",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}
_SOONEST, _LATEST, _LATEST_DEFERRED = 2, 60, 3600  # seconds until the next poll


def light_view(job: Summary) -> dict[str, Json]:
    """Return how the job stands, without its result."""
    if not job.state.ended:
        return {
            "job_id": job.id,
            "status": "pending",
            "message": "Job not yet complete.",
            "state": job.state.value,
            "progress": _progress(job.progress),
        }
    view: dict[str, Json] = {"job_id": job.id, "status": STATUS[job.state]}
    if job.error is not None:
        view |= {"error": job.error.message, "code": job.error.code}
    return view


def full_view(job: Job) -> dict[str, Json]:
    """Return how the job stands, with its result once it succeeded."""
    if job.state is State.SUCCEEDED:
        return {"job_id": job.id, "status": "complete", "result": job.result}
    return light_view(job)


def gone_view(error: BusError, job_id: str) -> dict[str, Json]:
    """Return what is said of a job without a readable record, such that every client stops polling."""
    said = refusal_of(error).body
    return {**said, "job_id": job_id, "status": "failed", "error": error.message}


def summary_view(job: Summary) -> dict[str, Json]:
    """Return one line of a listing: never params or results, which may be secret or large."""
    return {
        "job_id": job.id,
        "action": job.action,
        "status": STATUS[job.state],
        "state": job.state.value,
        "queue": job.queue,
        "priority": job.priority,
        "attempt": job.attempt,
        "batch": job.batch,
        "submitted_at": iso(job.submitted_at),
        "run_after": iso(job.run_after),
        "started_at": iso(job.started_at),
        "ended_at": iso(job.ended_at),
        "code": job.error.code if job.error else None,
    }


def next_poll_seconds(jobs: Iterable[Summary], *, now: float) -> int | None:
    """Return when to ask again for the first of the jobs that may have ended by then; None when all have.

    A job is asked for after a tenth of the time that it has waited, so quick jobs soon and long ones seldom;
    a deferred one when it is due.
    """
    waits = [_wait(job, now) for job in jobs if not job.state.ended]
    return math.ceil(min(waits)) if waits else None


def _wait(job: Summary, now: float) -> float:
    if job.run_after is not None and job.run_after > now:
        return min(_LATEST_DEFERRED, max(_SOONEST, job.run_after - now))
    return min(_LATEST, max(_SOONEST, (now - job.submitted_at) / 10))


def _progress(progress: Progress | None) -> Json:
    if progress is None:
        return None
    return {"fraction": progress.fraction, "message": progress.message, "at": iso(progress.at)}
