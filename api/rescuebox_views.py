"""The RescueBox dialect's words for a job, in both shapes that clients read: in `root`, and on top. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.jobs import Job, State, Summary

if TYPE_CHECKING:
    from api.ml_service import MLService
    from core.jobs import Json

#: Each kind of response body, and the field that makes it one.
OUTPUTS: Mapping[str, str] = {
    "file": "path",
    "directory": "path",
    "markdown": "value",
    "text": "value",
    "batchfile": "files",
    "batchtext": "texts",
    "batchdirectory": "directories",
}
#: What clients wait at; they stop at anything else.
PENDING = "Task status: PENDING"


def text_view(title: str, value: str) -> dict[str, Json]:
    """Return a short text: a task id, a status, an error."""
    said = {"title": title, "value": value}
    return {"root": said, "output_type": "text", **said, "subtitle": None}


def status_view(job: Summary) -> dict[str, Json]:
    """Return how a job stands that has not ended, or why it ended without a result."""
    if not job.state.ended:
        return text_view("status", PENDING)
    why = job.error.message if job.error else job.state.value
    return text_view("error", f"Task failed: {why}")


def result_view(job: Job) -> dict[str, Json]:
    """Return what a job that succeeded answered."""
    if job.state is not State.SUCCEEDED:
        return status_view(job)
    body = response_body(job.result)
    return {"root": body, **body}


def response_body(result: Json) -> dict[str, Json]:
    """Return a result as a response body: as it is when it is one, else its text or its JSON as a text."""
    if isinstance(result, dict) and result.keys() == {"root"}:
        return response_body(result["root"])
    kind = result.get("output_type") if isinstance(result, dict) else None
    if isinstance(kind, str) and OUTPUTS.get(kind) in result:
        return dict(result)
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return {"output_type": "text", "value": text, "title": None, "subtitle": None}


def routes_view(service: MLService) -> list[Json]:
    """Return the tasks of a service, in the order in which people are shown them."""
    return [
        {
            "task_schema": task.task_schema,
            "run_task": task.run_task,
            "short_title": task.short_title,
            "order": task.order,
        }
        for task in sorted(service.tasks.values(), key=lambda task: task.order)
    ]
