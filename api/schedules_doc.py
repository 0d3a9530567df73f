"""What /docs and /openapi.json say of the tasks of the Agent Scheduler dialect, and how it tells errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from api.details import Saying
from api.openapi import Answer, Operation, Parameter
from api.schemas import TEXT, TEXT_OR_NULL, TIME_OR_NULL
from core.functions import CALL_FUNCTION

if TYPE_CHECKING:
    from core.actions import ActionSpec
    from core.jobs import Json

EXAMPLE = (
    '{"agent_name": "reports", "task_name": "daily", "schedule": "0 9 * * *", "action": "fakejob",'
    ' "params": {"delay_seconds": 2}}'
)
#: What the clients know these errors by.
SAYINGS: Mapping[str, Saying] = {"unknown_schedule": Saying("Task not found")}

_TAG = "Agent Scheduler"
_TIME: Mapping[str, Any] = {"type": "string", "format": "date-time"}
_WORD = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_NAME: Mapping[str, Any] = {"type": "string", "pattern": f"^{_WORD}$"}
_ID: Mapping[str, Any] = {
    "type": "string",
    "pattern": f"^{_WORD}:{_WORD}$",
    "description": "`agent_name:task_name`",
}
_COMMON: Mapping[str, Any] = {
    "agent_name": _NAME,
    "task_name": _NAME,
    "description": {"type": "string", "maxLength": 1000},
    "enabled": {"type": "boolean"},
    "schedule": {
        "type": "string",
        "description": "`minute hour day month weekday`, or `{number} {unit}`: from second to week.",
    },
    "task_type": {"enum": ["cron", "interval"]},
    "args": {"type": "array"},
    "kwargs": {"type": "object"},
    "params": {"type": "object", "description": "What the action is called with."},
    "timezone": {"type": "string", "description": "The zone of a cron expression."},
    "catch_up": {
        "enum": ["skip", "once", "all"],
        "description": "What becomes of runs that were missed while no bus was running.",
    },
    "priority": {"type": "integer", "minimum": 0, "maximum": 9},
}
_FUNCTION = {"type": "string", "description": "`package.module:function` of an allowed package."}
_ACTION = {"type": "string", "description": "Name of an action, in place of a function."}
_NUMBER_OR_NULL: Mapping[str, Any] = {"type": ["number", "null"]}
_TASK: Mapping[str, Any] = {
    "id": _ID,
    **_COMMON,
    "function_path": {**_FUNCTION, "type": ["string", "null"]},
    "action": {**_ACTION, "type": ["string", "null"]},
    "catch_up_window": {
        "type": "number",
        "description": "Seconds; what was missed before is not made up for.",
    },
    "timeout": _NUMBER_OR_NULL,
    "max_attempts": {"type": ["integer", "null"]},
    "created_at": _TIME,
    "updated_at": _TIME,
    "next_run": TIME_OR_NULL,
    "last_run": {**TIME_OR_NULL, "description": "When the last run was due."},
    "last_status": {"enum": ["queued", "running", "success", "failed", "cancelled", None]},
    "last_execution_id": TEXT_OR_NULL,
    "problem": {**TEXT_OR_NULL, "description": "Why a run that is due cannot be started."},
}
_TASK_SCHEMA: Mapping[str, Any] = {"type": "object", "required": [*_TASK], "properties": _TASK}
_ONE_TASK: Json = {
    "id": "reports:daily",
    "agent_name": "reports",
    "task_name": "daily",
    "schedule": "0 9 * * *",
    "task_type": "cron",
    "description": "",
    "enabled": True,
    "function_path": None,
    "args": [],
    "kwargs": {},
    "action": "fakejob",
    "params": {"delay_seconds": 2},
    "timezone": "Europe/Berlin",
    "catch_up": "once",
    "catch_up_window": 86400.0,
    "priority": 5,
    "timeout": None,
    "max_attempts": None,
    "created_at": "2026-01-01T12:00:00+00:00",
    "updated_at": "2026-01-01T12:00:00+00:00",
    "next_run": "2026-01-02T08:00:00+00:00",
    "last_run": None,
    "last_status": None,
    "last_execution_id": None,
    "problem": None,
}
_PATH_ID = Parameter(
    name="task_id",
    place="path",
    required=True,
    schema=_ID,
    description="The `id` of a task; the colon stands in the path.",
    example="reports:daily",
)
_ONE = ("unknown_schedule", "engine_unavailable")
_WRITE = ("cross_site", "disk_full")


def body_schema(actions: Mapping[str, ActionSpec]) -> Mapping[str, Json]:
    """Return the schema of a task to be registered: of any action that is there, or of a function."""
    kinds = [_kind(name, spec) for name, spec in actions.items() if name != CALL_FUNCTION]
    if CALL_FUNCTION in actions:
        kinds.append(_CALL)
    return {"anyOf": [_body(kind, timing) for kind in kinds for timing in _TIMINGS]} if kinds else _ANY


def _optional(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return a schema that allows null too, which means the same as leaving the field out."""
    return {"anyOf": [schema, {"type": "null"}]}


_ANY: Mapping[str, Any] = {"type": "object"}
_CALL: tuple[str, Mapping[str, Any], list[str]] = (
    "call",
    {"function_path": _FUNCTION, "args": _optional(_COMMON["args"]), "kwargs": _optional(_COMMON["kwargs"])},
    ["function_path"],
)
#: Simple ones, which every reader understands; crontab(5) knows more.
_TIMINGS: tuple[tuple[str, Mapping[str, Any], list[str]], ...] = (
    (
        "cron",
        {
            "schedule": {
                "type": "string",
                "pattern": "^([1-5]?[0-9]|[*](/[1-9])?) (1?[0-9]|2[0-3]|[*](/[1-9])?)"
                " ([1-9]|1[0-9]|2[0-8]|[*]) ([1-9]|1[0-2]|[*]) ([0-7]|[*])$",
                "description": "`minute hour day month weekday`, as in crontab(5).",
            },
            "task_type": _optional({"const": "cron"}),
            "timezone": _optional(
                {
                    "type": "string",
                    "pattern": "^(UTC|Europe/(Berlin|London|Paris)|America/New_York|Asia/Tokyo)$",
                    "description": "Any of the IANA's zones, such as these; UTC without.",
                }
            ),
        },
        ["schedule"],
    ),
    (
        "interval",
        {
            "schedule": {
                "type": "string",
                "pattern": "^[1-9][0-9]{0,3} (second|minute|hour|day|week)s?$",
                "description": "`{number} {unit}`",
            },
            "task_type": {"const": "interval"},
        },
        ["schedule", "task_type"],
    ),
)
_OPTIONS: Mapping[str, Any] = {
    **{name: _optional(_COMMON[name]) for name in ("description", "enabled", "catch_up", "priority")},
    "catch_up_window": _optional(
        {"type": ["string", "number"], "pattern": "^[1-9][0-9]? (hours|days)$", "minimum": 1, "maximum": 1e9}
    ),
    "timeout": _optional(
        {
            "type": ["string", "number"],
            "pattern": "^[1-9][0-9]? (seconds|minutes)$",
            "minimum": 1,
            "maximum": 604_800,
        }
    ),
    "max_attempts": _optional({"type": "integer", "minimum": 1, "maximum": 100}),
}


def _kind(name: str, spec: ActionSpec) -> tuple[str, Mapping[str, Any], list[str]]:
    params = {**spec.schema, "title": f"{name}_params"}
    needed = ["params"] if params.get("required") else []
    return (
        name,
        {"action": {"const": name}, "params": params if needed else _optional(params)},
        ["action", *needed],
    )


def _body(
    kind: tuple[str, Mapping[str, Any], list[str]], timing: tuple[str, Mapping[str, Any], list[str]]
) -> Mapping[str, Json]:
    return {
        "title": f"{kind[0]}_{timing[0]}",
        "type": "object",
        "required": ["agent_name", "task_name", *kind[2], *timing[2]],
        "properties": {"agent_name": _NAME, "task_name": _NAME, **kind[1], **timing[1], **_OPTIONS},
        "additionalProperties": False,
    }


def _said(word: str) -> Mapping[int, Answer]:
    schema = {"type": "object", "required": ["message"], "properties": {"message": TEXT}}
    return {200: Answer(f"It is {word}.", schema, {word: {"message": f"Task {word} successfully"}})}


CREATE = Operation(
    sayings=SAYINGS,
    summary="Register a task",
    tag=_TAG,
    description="In place of the one of the same agent and name, if there is one. It runs a function of an"
    " allowed package, or an action.",
    body=body_schema,
    body_examples={
        "action": {
            key: _ONE_TASK[key] for key in ("agent_name", "task_name", "schedule", "action", "params")
        },
        "function": {
            "agent_name": "reports",
            "task_name": "daily",
            "schedule": "5 minutes",
            "task_type": "interval",
            "function_path": "app.services.report_service:generate_report_task",
        },
    },
    answers={200: Answer("The task as it is registered.", _TASK_SCHEMA, {"action": _ONE_TASK})},
    errors=[
        *("invalid_request", "bad_name", "bad_time", "out_of_range", "bad_schedule", "action_not_allowed"),
        *("unknown_action", "invalid_params", "broken_action", "unsupported", *_ONE, *_WRITE),
    ],
)
TASKS = Operation(
    sayings=SAYINGS,
    summary="The tasks, by agent and name",
    tag=_TAG,
    parameters=[Parameter(name="agent_name", description="Of this agent only.", schema=TEXT)],
    answers={
        200: Answer("The tasks.", {"type": "array", "items": _TASK_SCHEMA}, {"one": [_ONE_TASK], "none": []})
    },
    errors=["repeated_parameter", "engine_unavailable"],
)
TASK = Operation(
    sayings=SAYINGS,
    summary="One task: when it runs next, when it last ran, and how that went",
    tag=_TAG,
    parameters=[_PATH_ID],
    answers={200: Answer("The task.", _TASK_SCHEMA, {"task": _ONE_TASK})},
    errors=_ONE,
)
DELETE = Operation(
    sayings=SAYINGS,
    summary="Remove a task; its executions stay",
    tag=_TAG,
    parameters=[_PATH_ID],
    answers=_said("deleted"),
    errors=[*_ONE, *_WRITE],
)
ENABLE = Operation(
    sayings=SAYINGS,
    summary="Let a task run again, from now on",
    tag=_TAG,
    parameters=[_PATH_ID],
    answers=_said("enabled"),
    errors=["action_not_allowed", *_ONE, *_WRITE],
)
DISABLE = Operation(
    sayings=SAYINGS,
    summary="Let a task rest until it is enabled",
    tag=_TAG,
    parameters=[_PATH_ID],
    answers=_said("disabled"),
    errors=[*_ONE, *_WRITE],
)
