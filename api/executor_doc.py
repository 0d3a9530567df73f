"""What /docs and /openapi.json say of the tasks of the Task Executor dialect, and how it tells errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from api.details import Saying
from api.executor_lists import LARGEST_PAGE, LAST_PAGE, SORTS
from api.executor_logs import LEVEL_WORDS, MOST_ENTRIES
from api.executor_shapes import (
    A_TASK,
    CANCELLED,
    COMPLETED,
    COUNT,
    ENTRY,
    OVERDUE,
    PENDING,
    SENT,
    STATUS,
    TASK_ID,
    or_null,
    task_schema,
)
from api.executor_views import STATES
from api.openapi import Answer, Operation, Parameter
from api.schemas import ID, KEY, TEXT, shape

if TYPE_CHECKING:
    from core.jobs import Json

#: Its clients expect a 422 for each value that is not as it must be; the sentence names the field.
UNPROCESSABLE: Mapping[str, Saying] = {
    code: Saying(status=422)
    for code in (
        *("invalid_request", "missing_field", "unknown_field", "wrong_type", "out_of_range"),
        *("bad_key", "bad_time", "bad_name"),
    )
}
#: How the dialect tells errors.
SAYINGS: Mapping[str, Saying] = {
    **UNPROCESSABLE,
    "unknown_job": Saying("Task {id} not found"),
    "bad_job_id": Saying("Task {id} not found", 404),
    "expired": Saying("Task {id} has expired"),
}
#: How it tells them where a task is cancelled.
CANCEL_SAYINGS: Mapping[str, Saying] = {
    "unknown_job": Saying("Task {id} not found", 400),
    "bad_job_id": Saying("Task {id} not found", 400),
    "expired": Saying("Task {id} has expired", 400),
    "job_ended": Saying("Task {id} has already ended", 400),
}

_TAG = "Task Executor"
_PATH_ID = Parameter(
    name="task_id", place="path", required=True, schema=ID, description="As POST /api/v1/tasks answered it."
)
_STORE = ("engine_unavailable",)
_ONE = ("unknown_job", "bad_job_id", "expired", "record_damaged", *_STORE)


def _query(name: str, description: str, schema: Mapping[str, Json]) -> Parameter:
    return Parameter(name=name, description=description, schema=schema)


def _from(least: int, most: int, default: int) -> Mapping[str, Json]:
    return {"type": "integer", "minimum": least, "maximum": most, "default": default}


CREATE = Operation(
    summary="Create a task",
    tag=_TAG,
    description="It is run by the action that `parameters.action` names, else by the one that bears the name"
    " of the problem, else by that of the setting TASK_EXECUTOR_ACTION. `priority` and `timeout` (seconds, or"
    " words such as '10 minutes') may stand in the parameters too.",
    parameters=[
        Parameter(
            name="Idempotency-Key",
            place="header",
            description="The same key and body are the same task.",
            schema=KEY,
        )
    ],
    body=task_schema,
    body_examples={"seed": SENT, "an action": {"problem_id": "wait", "parameters": {"action": "fakejob"}}},
    answers={201: Answer("Stored.", A_TASK, {"created": PENDING})},
    errors=[
        *("invalid_request", "out_of_range", "bad_key", "bad_time", "bad_name", "bad_idempotency_key"),
        *("conflicting_fields", "idempotency_conflict", "action_not_allowed", "unknown_action"),
        *("invalid_params", "unsupported", "queue_full", "broken_action", "outcome_unknown"),
        *("shutting_down", "disk_full", *_STORE),
    ],
    sayings=SAYINGS,
)
TASKS = Operation(
    summary="Tasks, page by page",
    tag=_TAG,
    description="Every job is a task; one that came by another door has its action for a problem. A filter"
    " other than by status, or another order than the usual one, reads every task, which takes time when"
    " there are many.",
    parameters=[
        _query("status", "Tasks that stand so.", STATUS),
        _query("problem_id", "Tasks for that problem.", TEXT),
        _query("worker_id", "Tasks that this worker runs or ran last.", TEXT),
        _query("sort", "By what, with a hyphen the greatest first.", {"enum": list(SORTS)}),
        _query("page", "Which page, from 1.", _from(1, LAST_PAGE, 1)),
        _query("page_size", "Tasks on a page.", _from(1, LARGEST_PAGE, 20)),
    ],
    answers={
        200: Answer(
            "The page, and how many tasks there are on all of them.",
            shape(
                "tasks total page page_size",
                tasks={"type": "array", "items": A_TASK},
                total=COUNT,
                page=COUNT,
                page_size=COUNT,
            ),
            {"one": {"tasks": [COMPLETED], "total": 1, "page": 1, "page_size": 20}},
        )
    },
    errors=["out_of_range", "wrong_type", "repeated_parameter", *_STORE],
    sayings=SAYINGS,
)
TASK = Operation(
    summary="How a task stands",
    tag=_TAG,
    description="With its result once it is completed. A tag that is sent back with If-None-Match spares both"
    " sides the answer when nothing has changed.",
    parameters=[_PATH_ID],
    answers={200: Answer("The task.", A_TASK, {"completed": COMPLETED, "timeout": OVERDUE})},
    errors=_ONE,
    sayings=SAYINGS,
)
STATS = Operation(
    summary="What all tasks have come to",
    tag=_TAG,
    description="`success_rate` is completed / (completed + failed + timeout), 0 before any of them;"
    " `avg_execution_time` the mean of the seconds from start to end of the completed ones, null before the"
    " first. With very many tasks, all but the numbers by status may be some seconds old.",
    answers={
        200: Answer(
            "The statistics.",
            shape(
                f"total_tasks {' '.join(f'{status}_tasks' for status in STATES)} avg_execution_time"
                " success_rate tasks_by_problem tasks_by_worker",
                total_tasks=COUNT,
                **{f"{status}_tasks": COUNT for status in STATES},
                avg_execution_time=or_null({"type": "number", "minimum": 0}),
                success_rate={"type": "number", "minimum": 0, "maximum": 1},
                tasks_by_problem={"type": "object", "additionalProperties": COUNT},
                tasks_by_worker={"type": "object", "additionalProperties": COUNT},
            ),
            {
                "two": {
                    "total_tasks": 2,
                    **{f"{status}_tasks": int(status in {"completed", "timeout"}) for status in STATES},
                    "avg_execution_time": 1.5,
                    "success_rate": 0.5,
                    "tasks_by_problem": {"test-problem-001": 2},
                    "tasks_by_worker": {"worker-001-internal": 2},
                }
            },
        )
    },
    errors=_STORE,
    sayings=SAYINGS,
)
LOGS = Operation(
    summary="The log of a task, oldest entry first",
    tag=_TAG,
    description="What the action said, and when the bus created, started and ended the task.",
    parameters=[
        _PATH_ID,
        _query("level", "Entries of that level alone.", {"enum": list(LEVEL_WORDS)}),
        _query("limit", "Entries at most.", _from(1, MOST_ENTRIES, 100)),
        _query("offset", "How many entries to leave out at the beginning.", _from(0, 10**9, 0)),
    ],
    answers={
        200: Answer(
            "The entries, and how many there are in all.",
            shape("logs total", logs={"type": "array", "items": ENTRY}, total=COUNT),
            {
                "created": {
                    "logs": [
                        {
                            "id": f"{TASK_ID}/created",
                            "task_id": TASK_ID,
                            "timestamp": PENDING["created_at"],
                            "level": "info",
                            "message": "Task created",
                            "context": {"source": "bus", "problem_id": "test-problem-001"},
                        }
                    ],
                    "total": 1,
                }
            },
        )
    },
    errors=["out_of_range", "wrong_type", "repeated_parameter", *_ONE],
    sayings=SAYINGS,
)
CANCEL = Operation(
    summary="Cancel a task",
    tag=_TAG,
    description="A waiting one ends at once. A running one is `running` until its process is gone, which the"
    " answer waits for a second at most.",
    parameters=[_PATH_ID],
    answers={200: Answer("The task as it then stands.", A_TASK, {"cancelled": CANCELLED})},
    errors=["job_ended", "conflict", *_ONE],
    sayings=CANCEL_SAYINGS,
)
