"""The bus's own words for a job: every field by its name, times in ISO 8601. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from api.errors import refusal_of
from api.http import iso

if TYPE_CHECKING:
    from core.errors import BusError
    from core.jobs import Job, JobError, Json, LogEntry, Progress, Summary

#: What a list shows of a job, and every answer about one.
SUMMARY: Mapping[str, Callable[[Summary], Json]] = {
    "job_id": lambda job: job.id,
    "action": lambda job: job.action,
    "state": lambda job: job.state.value,
    "queue": lambda job: job.queue,
    "priority": lambda job: job.priority,
    "attempt": lambda job: job.attempt,
    "max_attempts": lambda job: job.max_attempts,
    "timeout": lambda job: job.timeout,
    "batch": lambda job: job.batch,
    "labels": lambda job: dict(job.labels),
    "retried_from": lambda job: job.retried_from,
    "submitted_at": lambda job: iso(job.submitted_at),
    "run_after": lambda job: iso(job.run_after),
    "started_at": lambda job: iso(job.started_at),
    "ended_at": lambda job: iso(job.ended_at),
    "worker": lambda job: job.worker,
    "cancel_requested": lambda job: job.cancel_requested,
    "cancel_reason": lambda job: job.cancel_reason,
    "progress": lambda job: _progress(job.progress),
    "error": lambda job: _error(job.error),
    "version": lambda job: job.version,
}
#: What only the whole record tells.
WHOLE: Mapping[str, Callable[[Job], Json]] = {
    "params": lambda job: dict(job.params),
    "result": lambda job: job.result,
    "errors": lambda job: [_error(error) for error in job.errors],
    "callback_url": lambda job: job.callback_url,
}


def summary_view(job: Summary, fields: Collection[str] = SUMMARY) -> dict[str, Json]:
    """Return those of the summary's fields of a job, all unless they are named."""
    return {name: show(job) for name, show in SUMMARY.items() if name in fields}


def full_view(job: Job, fields: Collection[str] = (*SUMMARY, *WHOLE)) -> dict[str, Json]:
    """Return those fields of a job, all unless they are named."""
    whole = {name: show(job) for name, show in WHOLE.items() if name in fields}
    return {**summary_view(job, fields), **whole}


def entry_view(entry: LogEntry, offset: int) -> dict[str, Json]:
    """Return an entry of a log and its place in that, counted from 0."""
    return {
        "offset": offset,
        "at": iso(entry.at),
        "level": entry.level,
        "source": entry.source,
        "message": entry.message,
    }


def refusal_view(job_id: str, error: BusError) -> dict[str, Json]:
    """Return why something could not be done with one job among many."""
    told = refusal_of(error).body
    return {"job_id": job_id, **{name: value for name, value in told.items() if name != "status"}}


def _progress(progress: Progress | None) -> Json:
    if progress is None:
        return None
    return {"fraction": progress.fraction, "message": progress.message, "at": iso(progress.at)}


def _error(error: JobError | None) -> Json:
    if error is None:
        return None
    return {
        "code": error.code,
        "message": error.message,
        "attempt": error.attempt,
        "at": iso(error.at),
    }
