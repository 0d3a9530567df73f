"""What /docs and /openapi.json say of the workers of the Task Executor dialect, and how it tells errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from api.details import Saying
from api.executor_doc import UNPROCESSABLE
from api.executor_shapes import COUNT, MOMENT, TASK_ID, or_null
from api.openapi import WITH_BODY, Answer, Operation, Parameter
from api.schemas import TEXT, shape
from api.workers_views import STATUSES

if TYPE_CHECKING:
    from core.jobs import Json

SCALE_EXAMPLE = '{"num_workers": 5}'

#: How the dialect tells errors.
SAYINGS: Mapping[str, Saying] = {**UNPROCESSABLE, "unknown_worker": Saying("Worker {id} not found")}

_TAG = "Task Executor"
_WORKER_ID = "worker-001-internal"
_STATUS: Mapping[str, Any] = {"enum": list(STATUSES)}
_NUMBER: Mapping[str, Any] = {"type": "integer", "minimum": 0, "maximum": 50}
_PATH_ID = Parameter(
    name="worker_id",
    place="path",
    required=True,
    schema={"type": "string", "pattern": "^worker-[0-9]{3,6}-internal$"},
    description="As GET /api/v1/workers lists it.",
)
_WORKER = shape(
    "id backend_type status last_heartbeat current_task_id tasks_completed tasks_failed registered_at",
    id=TEXT,
    backend_type={"const": "internal"},
    status=_STATUS,
    last_heartbeat=MOMENT,
    current_task_id=or_null({"type": "string", "format": "uuid"}),
    tasks_completed=COUNT,
    tasks_failed=COUNT,
    registered_at=MOMENT,
)
_BUSY: Mapping[str, Json] = {
    "id": _WORKER_ID,
    "backend_type": "internal",
    "status": "busy",
    "last_heartbeat": "2026-01-01T12:00:00+00:00",
    "current_task_id": TASK_ID,
    "tasks_completed": 9,
    "tasks_failed": 1,
    "registered_at": "2025-12-24T08:00:00+00:00",
}

WORKERS = Operation(
    summary="The workers, those of earlier times included",
    tag=_TAG,
    description="What each has done is kept across restarts, but for the last second before a crash.",
    parameters=[Parameter(name="status", description="Workers that are so.", schema=_STATUS)],
    answers={
        200: Answer(
            "The workers, by name.",
            shape("workers total", workers={"type": "array", "items": _WORKER}, total=COUNT),
            {"one": {"workers": [_BUSY], "total": 1}},
        )
    },
    errors=["out_of_range", "repeated_parameter"],
    sayings=SAYINGS,
)
WORKER = Operation(
    summary="What a worker does",
    tag=_TAG,
    parameters=[_PATH_ID],
    answers={200: Answer("The worker.", _WORKER, {"busy": _BUSY})},
    errors=["unknown_worker"],
    sayings=SAYINGS,
)
STATS = Operation(
    summary="What a worker has done",
    tag=_TAG,
    description="`total_tasks` ended completed or failed in its hands; `success_rate` is the share of the"
    " completed ones, 0 before any; `average_task_duration` the mean of their seconds, null before any.",
    parameters=[_PATH_ID],
    answers={
        200: Answer(
            "The statistics.",
            shape(
                "worker_id total_tasks success_rate average_task_duration uptime_seconds current_status",
                worker_id=TEXT,
                total_tasks=COUNT,
                success_rate={"type": "number", "minimum": 0, "maximum": 1},
                average_task_duration=or_null({"type": "number", "minimum": 0}),
                uptime_seconds={"type": "number", "minimum": 0},
                current_status=_STATUS,
            ),
            {
                "busy": {
                    "worker_id": _WORKER_ID,
                    "total_tasks": 10,
                    "success_rate": 0.9,
                    "average_task_duration": 1.5,
                    "uptime_seconds": 3600.0,
                    "current_status": "busy",
                }
            },
        )
    },
    errors=["unknown_worker"],
    sayings=SAYINGS,
)
STATUS = Operation(
    summary="Whether the workers run",
    tag=_TAG,
    description="Of the default queue, whose number NUM_INTERNAL_WORKERS says and `scale` changes.",
    answers={
        200: Answer(
            "The workers of the default queue.",
            shape(
                "running num_workers workers",
                running={"type": "boolean"},
                num_workers=COUNT,
                workers={
                    "type": "object",
                    "additionalProperties": shape(
                        "status has_executor",
                        status={"enum": ["running", "stopping"]},
                        has_executor={"type": "boolean"},
                    ),
                },
            ),
            {
                "one": {
                    "running": True,
                    "num_workers": 1,
                    "workers": {_WORKER_ID: {"status": "running", "has_executor": True}},
                }
            },
        )
    },
    sayings=SAYINGS,
)
SCALE = Operation(
    summary="Set how many workers there are",
    tag=_TAG,
    description="Until the next start of the server, which follows its settings. Whoever has to go ends the"
    ' running task first. Workers that were stopped are started. A body `{"num_workers": 5}` may say it.',
    scope="admin",
    parameters=[
        Parameter(name="num_workers", description="From 0 to 50.", schema=_NUMBER, required=True, example=5)
    ],
    answers={
        200: Answer(
            "Done.",
            shape(
                "previous_workers current_workers status",
                previous_workers=COUNT,
                current_workers=COUNT,
                status={"const": "scaled"},
            ),
            {"up": {"previous_workers": 3, "current_workers": 5, "status": "scaled"}},
        )
    },
    errors=["out_of_range", "repeated_parameter", *WITH_BODY],
    sayings=SAYINGS,
)
STOP = Operation(
    summary="Stop all workers",
    tag=_TAG,
    description="Of every queue. Running tasks end first; no other is begun until the workers are started.",
    scope="admin",
    answers={
        200: Answer(
            "Done.",
            shape("status message", status={"const": "stopped"}, message=TEXT),
            {"stopped": {"status": "stopped", "message": "All internal workers stopped"}},
        )
    },
    errors=["cross_site"],
    sayings=SAYINGS,
)
START = Operation(
    summary="Start the workers",
    tag=_TAG,
    description="As many as there were before they were stopped.",
    scope="admin",
    answers={
        200: Answer(
            "Done.",
            shape("status workers", status={"const": "started"}, workers=COUNT),
            {"started": {"status": "started", "workers": 3}},
        )
    },
    errors=["cross_site"],
    sayings=SAYINGS,
)
