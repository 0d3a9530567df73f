"""What /docs and /openapi.json say of the Robotni dialect, and how it tells errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from api.details import Saying
from api.openapi import Answer, Operation, Parameter
from api.schemas import ID, JOB_ID, KEY, TEXT_OR_NULL, shape

if TYPE_CHECKING:
    from core.actions import ActionSpec
    from core.jobs import Json

SUBMIT_EXAMPLE = '{"type": "fakejob", "params": {"delay_seconds": 5}}'

#: What the clients know these errors by. A type that is no name at all is as unsupported as any other.
SAYINGS: Mapping[str, Saying] = {
    "unknown_action": Saying("Unsupported job type", 400),
    "bad_name": Saying("Unsupported job type", 400),
    "unknown_job": Saying("Job not found"),
    "bad_job_id": Saying("Job not found", 404),
    "job_ended": Saying("Job has already ended"),
}

_TAG = "Robotni"
_STATUS: Mapping[str, Any] = {"enum": ["queued", "running", "done", "failed"]}
_PATH_ID = Parameter(
    name="job_id",
    place="path",
    required=True,
    schema=ID,
    description="As POST /api/worker/jobs answered it.",
)
_STORE = ("engine_unavailable",)
_ONE_JOB = ("unknown_job", "bad_job_id", "expired", "record_damaged", *_STORE)


def submission_schema(actions: Mapping[str, ActionSpec]) -> Mapping[str, Json]:
    """Return the schema of a submission's body: a job of any type that is there."""
    singles = [_single(name, spec) for name, spec in actions.items()]
    return {"anyOf": singles} if singles else {"type": "object"}


def _single(name: str, spec: ActionSpec) -> Mapping[str, Json]:
    params = {**spec.schema, "title": f"{name}_params"}
    needed = bool(params.get("required"))
    schema = shape(
        "type params" if needed else "type",
        type={"const": name},
        params=params if needed else {"anyOf": [params, {"type": "null"}]},
    )
    return {**schema, "title": name, "description": spec.description, "additionalProperties": False}


_TOLD = shape("job_id status", job_id=ID, status=_STATUS)
_SHORT = shape("id type status error", id=ID, type={"type": "string"}, status=_STATUS, error=TEXT_OR_NULL)
_WHOLE = {
    **_SHORT,
    "required": [*_SHORT["required"], "params", "result"],
    "properties": {**_SHORT["properties"], "params": {"type": "object"}, "result": {}},
}
_QUEUED: Json = {
    "id": JOB_ID,
    "type": "fakejob",
    "params": {"delay_seconds": 5},
    "status": "queued",
    "result": None,
    "error": None,
}
_DONE: Json = {**_QUEUED, "status": "done", "result": {"waited": 3}}
_FAILED: Json = {**_QUEUED, "status": "failed", "error": "It took longer than 60 s."}
_LINE: Json = {name: _DONE[name] for name in ("id", "type", "status", "error")}

SUBMIT = Operation(
    summary="Submit a job",
    tag=_TAG,
    description="Answered only once the job is durably stored.",
    body=submission_schema,
    body_examples={"fakejob": {"type": "fakejob", "params": {"delay_seconds": 5}}},
    parameters=[
        Parameter(
            name="Idempotency-Key",
            place="header",
            description="The same key and body are the same job for at least 24 hours.",
            schema=KEY,
        )
    ],
    answers={200: Answer("Stored.", _TOLD, {"queued": {"job_id": JOB_ID, "status": "queued"}})},
    errors=[
        *("invalid_request", "bad_key", "bad_idempotency_key", "idempotency_conflict", "action_not_allowed"),
        *("unknown_action", "bad_name", "invalid_params", "unsupported", "queue_full", "broken_action"),
        *("engine_unavailable", "outcome_unknown", "shutting_down", "disk_full"),
    ],
    sayings=SAYINGS,
)
JOBS = Operation(
    summary="The newest jobs, page by page",
    tag=_TAG,
    description="Without params and results. A page that is not the last may hold fewer jobs than `limit`.",
    parameters=[
        Parameter(
            name="limit",
            description="Jobs on a page.",
            schema={"type": "integer", "minimum": 1, "maximum": 1000, "default": 50},
        ),
        Parameter(name="cursor", description="The `next_cursor` of the page before.", schema=ID),
    ],
    answers={
        200: Answer(
            "The page; `next_cursor` is null on the last one.",
            shape("jobs next_cursor", jobs={"type": "array", "items": _SHORT}, next_cursor=TEXT_OR_NULL),
            {"last": {"jobs": [_LINE], "next_cursor": None}},
        )
    },
    errors=["invalid_request", "wrong_type", "out_of_range", "repeated_parameter", *_STORE],
    sayings=SAYINGS,
)
JOB = Operation(
    summary="How a job stands, with its result once it is done",
    tag=_TAG,
    description="The ETag changes with state and progress; If-None-Match, quoted or not, gets a 304.",
    parameters=[_PATH_ID],
    answers={200: Answer("The job.", _WHOLE, {"queued": _QUEUED, "done": _DONE, "failed": _FAILED})},
    errors=_ONE_JOB,
    sayings=SAYINGS,
)
CANCEL = Operation(
    summary="Cancel a job",
    tag=_TAG,
    description="A waiting job fails at once, with the error `cancelled`; a running one is asked to stop, and"
    " is `running` until it has.",
    parameters=[_PATH_ID],
    answers={
        200: Answer(
            "How the job stands now.",
            _TOLD,
            {
                "waited": {"job_id": JOB_ID, "status": "failed"},
                "runs": {"job_id": JOB_ID, "status": "running"},
            },
        )
    },
    errors=["job_ended", "cross_site", "outcome_unknown", "disk_full", *_ONE_JOB],
    sayings=SAYINGS,
)
STATUS = Operation(
    summary="How many jobs wait, and how many workers there are",
    tag=_TAG,
    answers={
        200: Answer(
            "`active_workers` counts the busy and the idle; `status` is `stopping` once no job is accepted.",
            shape(
                "queue_depth active_workers status",
                queue_depth={"type": "integer", "minimum": 0},
                active_workers={"type": "integer", "minimum": 0},
                status={"enum": ["running", "stopping"]},
            ),
            {"idle": {"queue_depth": 0, "active_workers": 3, "status": "running"}},
        )
    },
    errors=_STORE,
    sayings=SAYINGS,
)
TYPES = Operation(
    summary="What there is to run, and with which params",
    tag=_TAG,
    description="By type. A param has a default, or is `required`; its whole schema is in this document.",
    answers={
        200: Answer(
            "The types.",
            {
                "type": "object",
                "additionalProperties": shape(
                    "description params", description={"type": "string"}, params={"type": "object"}
                ),
            },
            {
                "fakejob": {
                    "fakejob": {
                        "description": "Wait a random number of seconds between 1 and `delay_seconds`.",
                        "params": {
                            "delay_seconds": {
                                "type": "integer",
                                "default": 5,
                                "description": "Wait at most this long; 0: do not wait.",
                            }
                        },
                    }
                }
            },
        )
    },
    sayings=SAYINGS,
)
