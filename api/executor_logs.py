"""The log of a task: what its action said, and between it the bus's own entries, which its record tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from api.executor_views import problem_of, status_of
from api.http import iso
from core.context import LEVELS
from core.jobs import JobError, Json, State, Summary

if TYPE_CHECKING:
    from api.desk import Desk

MOST_ENTRIES = 1_000
#: What a client may ask for; nothing here is critical.
LEVEL_WORDS = tuple(word for level in (*LEVELS, "critical") for word in (level, level.upper()))

_AT_ONCE = 10_000
_ENDINGS: Mapping[str, tuple[str, str]] = {
    "completed": ("info", "Task completed"),
    "failed": ("error", "Task failed"),
    "timeout": ("error", "Task timed out"),
    "cancelled": ("warning", "Task cancelled"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One entry of a task's log."""

    #: Tells it from the others of the task, and stays the same.
    name: str
    #: Unix seconds.
    at: float
    level: str
    message: str
    context: Mapping[str, Json] = field(default_factory=dict)


def log_of(desk: Desk, task_id: str, *, level: str | None, offset: int, limit: int) -> dict[str, Json]:
    """Return entries of a task's log, oldest first, and how many there are; with `level`, only those of it.

    Raises as `Desk.peek`.
    """
    job = desk.peek(task_id)
    lines = [line for line in _lines(desk, job) if level in (None, line.level)]
    shown = lines[offset : offset + limit]
    return {"logs": [_view(job.id, line) for line in shown], "total": len(lines)}


def _lines(desk: Desk, job: Summary) -> list[Line]:
    """Return all entries by time; at the same moment a start comes before what was said, an end after it."""
    # Only the whole record lists earlier failures, and it may hold a large result.
    errors = desk.get(job.id).errors if job.error or job.attempt > 1 else ()
    failures = [_failure(error) for error in errors if error.at != job.ended_at]
    lines = [*_beginning(job), *failures, *_said(desk, job.id), *_ending(job)]
    return sorted(lines, key=lambda line: line.at)


def _beginning(job: Summary) -> Iterator[Line]:
    context = {"source": "bus", "problem_id": problem_of(job), "action": job.action, "priority": job.priority}
    yield Line(name="created", at=job.submitted_at, level="info", message="Task created", context=context)
    if job.started_at is not None:
        context = {"source": "bus", "worker_id": job.worker, "attempt": job.attempt}
        yield Line(
            name=f"started-{job.attempt}",
            at=job.started_at,
            level="info",
            message="Task started",
            context=context,
        )


def _failure(error: JobError) -> Line:
    return Line(
        name=f"failed-{error.attempt}",
        at=error.at,
        level="warning",
        message=f"Attempt {error.attempt} failed: {error.message}",
        context={"source": "bus", "attempt": error.attempt, "code": error.code},
    )


def _ending(job: Summary) -> Iterator[Line]:
    if job.ended_at is None:
        return
    level, message = _ENDINGS[status_of(job)]
    context: dict[str, Json] = {"source": "bus"}
    if job.started_at is not None:
        context["seconds"] = round(max(0.0, job.ended_at - job.started_at), 3)
    if job.error is not None and job.state is not State.SUCCEEDED:
        message = f"{message}: {job.error.message}"
        context["code"] = job.error.code
    yield Line(name="ended", at=job.ended_at, level=level, message=message, context=context)


def _said(desk: Desk, job_id: str) -> Iterator[Line]:
    for offset in count(0, _AT_ONCE):
        entries = desk.logs(job_id, offset=offset, limit=_AT_ONCE)
        for number, entry in enumerate(entries, offset + 1):
            context = {"source": entry.source}
            yield Line(
                name=str(number), at=entry.at, level=entry.level, message=entry.message, context=context
            )
        if len(entries) < _AT_ONCE:
            return


def _view(task_id: str, line: Line) -> dict[str, Json]:
    return {
        "id": f"{task_id}/{line.name}",
        "task_id": task_id,
        "timestamp": iso(line.at),
        "level": line.level,
        "message": line.message,
        "context": dict(line.context),
    }
