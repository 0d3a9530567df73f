"""What the mirror shows of a job that has ended: what `GET /outbound` answers, and how it went. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from core.errors import BusError
from core.job_files import JobFile
from core.jobs import Job, Json, State
from core.mirror import FILES, RECEIPTS, RESULTS

#: Files longer than this, or whose names are, in bytes, are named and not published: a bucket takes 1,024
#: for a name with all that is above it, and no line break in it.
LARGEST_FILE, LONGEST_NAME = 1 << 30, 512

_STATUS: Mapping[State, str] = {
    State.SUCCEEDED: "complete",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


def result_view(job: Job) -> dict[str, Json]:
    """Return what is read in place of `GET /outbound`: the same answer."""
    if job.state is State.SUCCEEDED:
        return {"job_id": job.id, "status": "complete", "result": job.result}
    return _answer(job)


def status_view(job: Job, files: Iterable[JobFile]) -> dict[str, Json]:
    """Return how a job ended and where its result and files lie; neither params nor result, as in lists."""
    return {
        **_answer(job),
        "action": job.action,
        "state": job.state.value,
        "attempt": job.attempt,
        "batch": job.batch,
        "labels": dict(job.labels),
        "submitted_at": _iso(job.submitted_at),
        "started_at": _iso(job.started_at),
        "ended_at": _iso(job.ended_at),
        "result_path": result_path(job.id),
        "files": [_file_view(job.id, file) for file in files],
    }


def result_path(job_id: str) -> str:
    """Return where in the mirror a result lies."""
    return f"{RESULTS}/{job_id}.json"


def file_path(job_id: str, name: str) -> str:
    """Return where in the mirror a file of a job lies."""
    return f"{FILES}/{job_id}/{name}"


def is_published(file: JobFile) -> bool:
    """Return whether every mirror can take a file; if not, its status tells of it all the same."""
    return file.size <= LARGEST_FILE and len(file.name.encode()) <= LONGEST_NAME and "\r" not in file.name


def receipt_path(name: str) -> str:
    """Return where in the mirror it is told what became of something in the mailbox."""
    return f"{RECEIPTS}/{name}"


def receipt_view(name: str, job: Job, *, now: float) -> dict[str, Json]:
    """Return what is told of a file that became a job, as `POST /inbound` tells it."""
    return {"name": _legible(name), "status": "received", "job_id": job.id, "at": _iso(now)}


def refusal_view(name: str, error: BusError, *, now: float) -> dict[str, Json]:
    """Return what is told of a file that is no job, with the reason and the remedy."""
    told = {"code": error.code, "message": error.message, "hint": error.hint}
    return {"name": _legible(name), "status": "error", **told, "at": _iso(now)}


def encoded(document: Mapping[str, Json]) -> bytes:
    """Return the file of a document."""
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"


def _answer(job: Job) -> dict[str, Json]:
    told: dict[str, Json] = {"job_id": job.id, "status": _STATUS[job.state]}
    if job.error is not None:
        told |= {"error": job.error.message, "code": job.error.code}
    return told


def _file_view(job_id: str, file: JobFile) -> dict[str, Json]:
    """Return what is told of a file; its path is null when it is not published."""
    path = file_path(job_id, file.name) if is_published(file) else None
    return {"name": file.name, "size": file.size, "content_type": file.content_type, "path": path}


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _legible(name: str) -> str:
    """Return the name of a file as JSON can spell it, whatever its bytes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
