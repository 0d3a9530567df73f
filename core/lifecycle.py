"""The verbs: every change a job can go through, as functions from a job to the next job. Pure.

All policy about jobs is here. Engines store what these functions return and decide nothing themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.jobs import Job, JobError, Json, Progress, State

#: Failures that another attempt cannot mend.
FINAL_CODES = frozenset(
    {"invalid_params", "unknown_action", "broken_action", "bad_result", "no_result", "too_large"}
)


def claimed(job: Job, *, worker: str, now: float, lease: float) -> Job:
    """Return the job as the claim of `worker` makes it: one attempt more."""
    return replace(
        job,
        state=State.RUNNING,
        version=job.version + 1,
        attempt=job.attempt + 1,
        worker=worker,
        started_at=now,
        lease_until=now + lease,
        run_after=None,
        progress=None,
    )


def renewed(job: Job, *, now: float, lease: float) -> Job:
    """Return the running job with its lease prolonged to `lease` seconds from now."""
    return replace(job, version=job.version + 1, lease_until=now + lease)


def progressed(job: Job, progress: Progress) -> Job:
    """Return the running job with what its action last said of its progress."""
    return replace(job, version=job.version + 1, progress=progress)


def asked_to_cancel(job: Job, *, reason: str) -> Job:
    """Return the running job with the wish that it stop."""
    return replace(job, version=job.version + 1, cancel_requested=True, cancel_reason=reason)


def succeeded(job: Job, *, result: Json, now: float) -> Job:
    """Return the job ended with its result."""
    return _ended(job, State.SUCCEEDED, now, result=result, error=None)


def failed(job: Job, *, error: JobError, now: float, delay: float = 0.0, final: bool = False) -> Job:
    """Return the job after a failed attempt: queued again after `delay` seconds, or ended as the dead letter.

    It ends when `final`, when no attempt is left, or when the code says that another attempt cannot help.
    """
    stamped = replace(error, attempt=job.attempt, at=now)
    marked = replace(job, error=stamped, errors=(*job.errors, stamped))
    if final or error.code in FINAL_CODES or job.attempt >= job.max_attempts:
        return _ended(marked, State.FAILED, now)
    return _queued(marked, run_after=now + delay if delay > 0 else None)


def lost(job: Job, *, now: float, delay: float = 0.0) -> Job:
    """Return the running job whose worker is gone: cancelled if that was asked, else a failed attempt.

    The first loss runs again without delay: the usual cause is the death of the machine, not of the job.
    """
    if job.cancel_requested:
        return cancelled(job, now=now)
    error = JobError(code="lost", message="The worker died before the job was done.")
    seen_before = any(past.code == "lost" for past in job.errors)
    return failed(job, error=error, now=now, delay=delay if seen_before else 0.0)


def given_back(job: Job) -> Job:
    """Return the running job queued again by a clean drain; the attempt is not counted."""
    return replace(_queued(job, run_after=None), attempt=job.attempt - 1)


def cancelled(job: Job, *, now: float, reason: str | None = None) -> Job:
    """Return the job ended as cancelled."""
    why = reason or job.cancel_reason or "The job was cancelled."
    error = JobError(code="cancelled", message=why, attempt=job.attempt, at=now)
    return _ended(job, State.CANCELLED, now, error=error, cancel_reason=why)


def resubmitted(job: Job, *, job_id: str, now: float, params: Mapping[str, Json] | None = None) -> Job:
    """Return a new job that runs an ended one again, with the same params or edited ones."""
    return Job(
        id=job_id,
        action=job.action,
        params=job.params if params is None else params,
        queue=job.queue,
        priority=job.priority,
        max_attempts=job.max_attempts,
        timeout=job.timeout,
        submitted_at=now,
        batch=job.batch,
        labels=job.labels,
        callback_url=job.callback_url,
        retried_from=job.id,
    )


def _ended(job: Job, state: State, now: float, **further: Any) -> Job:
    return replace(
        job,
        state=state,
        version=job.version + 1,
        ended_at=now,
        lease_until=None,
        run_after=None,
        progress=None,
        **further,
    )


def _queued(job: Job, *, run_after: float | None) -> Job:
    return replace(
        job,
        state=State.QUEUED,
        version=job.version + 1,
        run_after=run_after,
        worker=None,
        started_at=None,
        lease_until=None,
        progress=None,
    )
