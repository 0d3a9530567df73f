"""The shapes of the Task Executor's bodies, for /docs and /openapi.json, with an example of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from api.executor_asks import PROBLEM_ID
from api.executor_views import STATES, takes_tasks
from api.schemas import TEXT, shape

if TYPE_CHECKING:
    from core.actions import ActionSpec
    from core.jobs import Json

TASK_ID = "01935b7e-6c00-7aaa-8bbb-0123456789ab"
COUNT: Mapping[str, Any] = {"type": "integer", "minimum": 0}
MOMENT: Mapping[str, Any] = {"type": "string", "format": "date-time"}
STATUS: Mapping[str, Any] = {"enum": list(STATES)}

_TIME = "2026-01-01T12:00:00+00:00"
_PRIORITY: Mapping[str, Any] = {
    "type": "integer",
    "minimum": 0,
    "maximum": 9,
    "default": 5,
    "description": "The higher goes first.",
}
_PROBLEM: Mapping[str, Any] = {"type": "string", "pattern": f"^{PROBLEM_ID}$"}


def or_null(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the schema of what may be null too."""
    return {"anyOf": [schema, {"type": "null"}]}


def task_schema(actions: Mapping[str, ActionSpec]) -> Mapping[str, Json]:
    """Return the schema of a task's body: for an action that takes tasks, or one that the task names."""
    shapes = [_taken(spec) if takes_tasks(spec) else _named(spec) for spec in actions.values()]
    return {"anyOf": shapes} if shapes else {"type": "object"}


def _taken(spec: ActionSpec) -> Mapping[str, Json]:
    definitions = {"$defs": spec.schema["$defs"]} if "$defs" in spec.schema else {}
    parameters = spec.schema["properties"]["parameters"]
    return {**_body(f"{spec.name}_task", parameters, "problem_id"), **definitions}


def _named(spec: ActionSpec) -> Mapping[str, Json]:
    properties = {**spec.schema.get("properties", {}), "action": {"const": spec.name}}
    required = [*spec.schema.get("required", []), "action"]
    parameters = {**spec.schema, "properties": properties, "required": required}
    parameters["title"] = f"{spec.name}_parameters"
    return _body(f"{spec.name}_task", parameters, "problem_id parameters")


def _body(title: str, parameters: Mapping[str, Json], required: str) -> dict[str, Json]:
    schema = shape(required, problem_id=_PROBLEM, parameters=parameters, priority=or_null(_PRIORITY))
    return {**schema, "title": title, "additionalProperties": False}


A_TASK = shape(
    "id problem_id status parameters priority worker_id result error_details created_at updated_at started_at"
    " completed_at",
    id={"type": "string", "format": "uuid"},
    problem_id=TEXT,
    status=STATUS,
    parameters={"type": "object"},
    priority=_PRIORITY,
    worker_id=or_null(TEXT),
    result={"description": "What the action answered; null until the task is completed."},
    error_details=or_null(
        shape("code message attempt at", code=TEXT, message=TEXT, attempt=COUNT, at=MOMENT)
    ),
    created_at=MOMENT,
    updated_at=MOMENT,
    started_at=or_null(MOMENT),
    completed_at=or_null(MOMENT),
    result_left_out={
        "const": True,
        "description": "The results of the page took too much room: result and parameters are not shown.",
    },
)
SENT: Mapping[str, Json] = {
    "problem_id": "test-problem-001",
    "parameters": {"max_steps": 10, "agent_config": {"name": "test-agent"}},
    "priority": 5,
}
PENDING: Mapping[str, Json] = {
    "id": TASK_ID,
    "problem_id": "test-problem-001",
    "status": "pending",
    "parameters": SENT["parameters"],
    "priority": 5,
    "worker_id": None,
    "result": None,
    "error_details": None,
    "created_at": _TIME,
    "updated_at": _TIME,
    "started_at": None,
    "completed_at": None,
}
COMPLETED: Mapping[str, Json] = {
    **PENDING,
    "status": "completed",
    "worker_id": "worker-001-internal",
    "result": {"verdict": "healthy", "steps_taken": 7},
    "updated_at": "2026-01-01T12:00:02+00:00",
    "started_at": "2026-01-01T12:00:01+00:00",
    "completed_at": "2026-01-01T12:00:02+00:00",
}
OVERDUE: Mapping[str, Json] = {
    **COMPLETED,
    "status": "timeout",
    "result": None,
    "error_details": {
        "code": "timeout",
        "message": "The attempt took longer than 1800 seconds.",
        "attempt": 3,
        "at": "2026-01-01T12:00:02+00:00",
    },
}
CANCELLED: Mapping[str, Json] = {
    **PENDING,
    "status": "cancelled",
    "error_details": {"code": "cancelled", "message": "Cancelled on request.", "attempt": 0, "at": _TIME},
    "completed_at": _TIME,
}
ENTRY = shape(
    "id task_id timestamp level message context",
    id=TEXT,
    task_id=TEXT,
    timestamp=MOMENT,
    level={"enum": ["debug", "info", "warning", "error"]},
    message=TEXT,
    context={"type": "object"},
)
