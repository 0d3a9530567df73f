"""What /docs and /openapi.json say of the Agent Scheduler dialect, and how it tells errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from api.details import Saying
from api.openapi import Answer, Operation, Parameter
from api.schemas import ID, TEXT, TEXT_OR_NULL, TIME_OR_NULL

if TYPE_CHECKING:
    from core.jobs import Json

#: What the clients know these errors by.
SAYINGS: Mapping[str, Saying] = {
    "unknown_job": Saying("Execution not found"),
    "bad_job_id": Saying("Execution not found", 404),
    "job_ended": Saying("Execution has already ended"),
}

_TAG = "Agent Scheduler"
_AN_ID = "01935b7e-6c00-7aaa-8bbb-0123456789ab"
_STATUS: Mapping[str, Any] = {"enum": ["queued", "running", "success", "failed", "cancelled"]}
_COLUMNS: Mapping[str, Any] = {
    "id": ID,
    "task_id": {**ID, "description": "The same as `id`."},
    "scheduled_task_id": {**TEXT_OR_NULL, "description": "The scheduled task that this is a run of."},
    "agent_name": TEXT,
    "task_name": TEXT,
    "status": _STATUS,
    "function_path": TEXT,
    "args": {"type": "array"},
    "kwargs": {"type": "object"},
    "result": {"description": "What the function returned; null until the execution succeeded."},
    "error": TEXT_OR_NULL,
    "started_at": TIME_OR_NULL,
    "completed_at": TIME_OR_NULL,
    "created_at": {"type": "string", "format": "date-time"},
    "updated_at": {"type": "string", "format": "date-time"},
}
_EXECUTION: Mapping[str, Any] = {"type": "object", "required": [*_COLUMNS], "properties": _COLUMNS}
_SUCCESS: Json = {
    "id": _AN_ID,
    "task_id": _AN_ID,
    "scheduled_task_id": None,
    "agent_name": "aafai-bus",
    "task_name": "fakejob",
    "status": "success",
    "function_path": "actions.fakejob:run",
    "args": [],
    "kwargs": {"delay_seconds": 2},
    "result": {"waited": 2},
    "error": None,
    "started_at": "2026-01-01T12:00:00+00:00",
    "completed_at": "2026-01-01T12:00:02+00:00",
    "created_at": "2026-01-01T12:00:00+00:00",
    "updated_at": "2026-01-01T12:00:02+00:00",
}
_PATH_ID = Parameter(
    name="execution_id", place="path", required=True, schema=ID, description="The `id` of an execution."
)
_ONE = ("unknown_job", "bad_job_id", "expired", "record_damaged", "engine_unavailable")

EXECUTIONS = Operation(
    summary="Executions, newest first",
    tag=_TAG,
    description="One for every run, scheduled or not: every job is an execution. Kwargs and results beyond"
    " 16 MiB in all are left out and marked `result_left_out`. The list bears an ETag; If-None-Match gets"
    " a 304.",
    parameters=[
        Parameter(name="agent_name", description="Of this agent only.", schema=TEXT),
        Parameter(name="task_id", description="Runs of this scheduled task only.", schema=TEXT),
        Parameter(name="status", description="In this status only.", schema=_STATUS),
        Parameter(
            name="limit",
            description="How many at most.",
            schema={"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
        ),
        Parameter(
            name="offset",
            description="How many of the newest to skip.",
            schema={"type": "integer", "minimum": 0, "maximum": 1_000_000, "default": 0},
        ),
    ],
    answers={
        200: Answer(
            "The executions.", {"type": "array", "items": _EXECUTION}, {"one": [_SUCCESS], "none": []}
        )
    },
    errors=["wrong_type", "out_of_range", "repeated_parameter", "engine_unavailable"],
    sayings=SAYINGS,
)
EXECUTION = Operation(
    summary="How an execution stands, with its result once it succeeded",
    tag=_TAG,
    description="The answer bears an ETag; If-None-Match gets a 304.",
    parameters=[_PATH_ID],
    answers={200: Answer("The execution.", _EXECUTION, {"success": _SUCCESS})},
    errors=_ONE,
    sayings=SAYINGS,
)
CANCEL = Operation(
    summary="Cancel an execution",
    tag=_TAG,
    description="A waiting one is cancelled at once; a running one is asked to stop, and is `running` until"
    " it has.",
    parameters=[_PATH_ID],
    answers={
        200: Answer(
            "Cancelled, or asked to stop.",
            {"type": "object", "required": ["message"], "properties": {"message": TEXT}},
            {"cancelled": {"message": "Execution cancelled successfully"}},
        )
    },
    errors=["job_ended", "cross_site", "outcome_unknown", "disk_full", *_ONE],
    sayings=SAYINGS,
)
