"""What /docs and /openapi.json say of the aafai dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from api.openapi import Answer, Operation, Parameter
from api.schemas import BATCH, ID, JOB_ID, KEY, TEXT, closed, optional, shape

if TYPE_CHECKING:
    from core.actions import ActionSpec
    from core.jobs import Json

INBOUND_EXAMPLE = '{"action": "fakejob", "params": {"delay_seconds": 2}}'
POLL_EXAMPLE = '{"job_ids": ["01935b7e-6c00-7aaa-8bbb-0123456789ab"]}'
PURGE_EXAMPLE = '{"days": 7}'

_TAG = "aafai-bus"
_IDS: Mapping[str, Any] = {"type": "array", "minItems": 1, "maxItems": 1000, "items": ID}
_KEY: Mapping[str, Any] = {
    **KEY,
    "description": "The same key and body are the same job. The header Idempotency-Key may carry it.",
}
_LIGHT: Mapping[str, Any] = {"const": "status", "description": "Leave results out."}


_OPTIONS: Mapping[str, Any] = {
    "priority": optional(
        {"type": "integer", "minimum": 0, "maximum": 9, "default": 5, "description": "The higher goes first."}
    ),
    "run_after": {
        "description": "Not before: an ISO 8601 time with an offset, or seconds from now.",
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "number", "minimum": 0, "maximum": 3_153_600_000},
            {"type": "null"},
        ],
    },
    "timeout": {
        "description": "What one attempt may take: seconds, or words such as '10 minutes'; a week at most.",
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "maximum": 604_800},
            {"type": "string", "pattern": r"^[1-9]\d{0,2} ?(s|m|seconds|minutes)$"},
            {"type": "null"},
        ],
    },
    "max_attempts": optional({"type": "integer", "minimum": 1, "maximum": 100}),
    "batch": optional(BATCH),
    "idempotency_key": optional(_KEY),
    "callback_url": optional(
        {
            "type": "string",
            "pattern": r"^https?://([a-z0-9-]{1,40}\.)+[a-z]{2,20}(/[A-Za-z0-9_/.~%-]*)?(\?[A-Za-z0-9_=&.~%-]*)?$",
            "description": "Who is told by a signed POST when the job has ended.",
        }
    ),
}


def submission_schema(actions: Mapping[str, ActionSpec]) -> Mapping[str, Json]:
    """Return the schema of a body of POST /inbound: one job of any action that is there, or many."""
    singles = [_single(name, spec) for name, spec in actions.items()]
    many = {
        "title": "many",
        "type": "object",
        "properties": {
            "jobs": {"type": "array", "minItems": 1, "maxItems": 1000, "items": {"anyOf": singles}},
            "batch": optional(BATCH),
        },
        "required": ["jobs"],
        "additionalProperties": False,
    }
    return {"anyOf": [*singles, many]} if singles else {"type": "object"}


def _single(name: str, spec: ActionSpec) -> Mapping[str, Json]:
    params = {**spec.schema, "title": f"{name}_params"}
    needed = bool(params.get("required"))
    return {
        "title": name,
        "description": spec.description,
        "type": "object",
        "properties": {
            "action": {"const": name},
            "params": params if needed else optional(params),
            **_OPTIONS,
        },
        "required": ["action", "params"] if needed else ["action"],
        "additionalProperties": False,
    }


INBOUND = Operation(
    summary="Submit a job, or up to 1,000 at once",
    tag=_TAG,
    description="`received` is said only of what is durably stored. Many jobs are stored all or none.",
    body=submission_schema,
    body_examples={
        "one": {"action": "fakejob", "params": {"delay_seconds": 2}},
        "many": {"jobs": [{"action": "fakejob"}, {"action": "fakejob", "priority": 9}], "batch": "night"},
    },
    parameters=[
        Parameter(
            name="Idempotency-Key",
            place="header",
            description="As the field `idempotency_key` of the body.",
            schema=_KEY,
        )
    ],
    answers={
        200: Answer(
            "Stored.",
            {
                "anyOf": [
                    shape("status job_id", status={"const": "received"}, job_id=ID),
                    shape(
                        "status job_ids batch",
                        status={"const": "received"},
                        job_ids={"type": "array", "items": ID},
                        batch=TEXT,
                    ),
                ]
            },
            {
                "one": {"status": "received", "job_id": JOB_ID},
                "many": {"status": "received", "job_ids": [JOB_ID], "batch": "night"},
            },
        )
    },
    errors=[
        *("invalid_request", "out_of_range", "conflicting_fields", "bad_name", "bad_key", "bad_batch"),
        *("bad_batch_size", "bad_idempotency_key", "bad_time", "bad_url", "idempotency_conflict"),
        *("action_not_allowed", "unknown_action", "invalid_params", "unsupported", "blocked_address"),
        *("queue_full", "broken_action"),
        *("engine_unavailable", "outcome_unknown", "shutting_down", "disk_full"),
    ],
)

_STATUS: Mapping[str, Any] = {"enum": ["pending", "complete", "failed", "cancelled"]}
_VIEW = shape("job_id status", job_id=ID, status=_STATUS)
_PENDING: Json = {
    "job_id": JOB_ID,
    "status": "pending",
    "message": "Job not yet complete.",
    "state": "running",
    "progress": {"fraction": 0.5, "message": "page 3 of 6", "at": "2026-01-01T12:00:00+00:00"},
}
_COMPLETE: Json = {"job_id": JOB_ID, "status": "complete", "result": {"waited": 2}}
_FAILED: Json = {
    "job_id": JOB_ID,
    "status": "failed",
    "error": "It took longer than 60 s.",
    "code": "timeout",
}


def _gone(sentence: str, code: str) -> Answer:
    said = {
        "code": code,
        "message": sentence,
        "hint": "",
        "job_id": JOB_ID,
        "status": "failed",
        "error": sentence,
    }
    return Answer(f"`{code}`: {sentence} Polling can stop.", _VIEW, {code: said})


OUTBOUND = Operation(
    summary="How a job stands, with its result once it is complete",
    tag=_TAG,
    description="Reading changes nothing. The answer bears an ETag; If-None-Match gets a 304.",
    parameters=[
        Parameter(name="job_id", description="As POST /inbound answered it.", schema=ID, required=True),
        Parameter(
            name="wait",
            description="Hold the answer until the job ends, so many seconds at most.",
            schema={"type": "number", "minimum": 0, "maximum": 25},
        ),
    ],
    answers={
        200: Answer(
            "How the job stands.", _VIEW, {"pending": _PENDING, "complete": _COMPLETE, "failed": _FAILED}
        ),
        404: _gone("There is no such job.", "unknown_job"),
        410: _gone("The job ended and its record has expired.", "expired"),
        500: Answer(
            "`record_damaged`: the record of this one job cannot be read; polling can stop."
            " `internal_error`: the bus made a mistake.",
            {"anyOf": [_VIEW, {"$ref": "#/components/schemas/Error"}]},
        ),
    },
    errors=[
        *("missing_field", "bad_job_id", "wrong_type", "out_of_range", "repeated_parameter"),
        "engine_unavailable",
    ],
)
OUTBOUND_MANY = Operation(
    summary="How each of several jobs stands",
    tag=_TAG,
    scope="read",
    description="By ids, or by batch with a cursor. Results beyond 16 MiB in all are left out and marked"
    " `result_left_out`: fetch them one by one. `next_poll_seconds` is null when every job has ended.",
    body={
        "anyOf": [
            closed("job_ids", job_ids=_IDS, fields=optional(_LIGHT)),
            closed("batch", batch=BATCH, cursor=ID, fields=optional(_LIGHT)),
        ]
    },
    body_examples={"ids": {"job_ids": [JOB_ID]}, "batch": {"batch": "night", "fields": "status"}},
    answers={
        200: Answer(
            "How the jobs stand, in the order asked for; a batch newest first.",
            shape(
                "jobs counts next_poll_seconds",
                jobs={"type": "array", "items": _VIEW},
                counts={"type": "object", "additionalProperties": {"type": "integer"}},
                next_poll_seconds={"type": ["integer", "null"]},
                next_cursor=TEXT,
            ),
            {
                "two": {
                    "jobs": [_PENDING, _COMPLETE],
                    "counts": {"pending": 1, "complete": 1},
                    "next_poll_seconds": 2,
                }
            },
        )
    },
    errors=[
        "out_of_range",
        "conflicting_fields",
        "bad_job_id",
        "bad_batch_size",
        "unknown_batch",
        "engine_unavailable",
    ],
)
QUEUES = Operation(
    summary="The newest jobs by where they stand",
    tag=_TAG,
    description="At most 100 of each; `counts` says how many there are. Params and results are never shown.",
    answers={
        200: Answer(
            "The lists.",
            shape(
                "inbound processing outbound failed consumed counts",
                **{
                    name: {"type": "array", "items": _VIEW}
                    for name in ("inbound", "processing", "outbound", "failed", "consumed")
                },
                counts={"type": "object", "additionalProperties": {"type": "integer"}},
            ),
        )
    },
    errors=["engine_unavailable"],
)
PURGE = Operation(
    summary="Remove jobs that ended so many days ago",
    tag=_TAG,
    scope="admin",
    body=closed("days", days={"type": "number", "minimum": 0, "maximum": 36500}),
    body_examples={"week": {"days": 7}},
    answers={
        200: Answer(
            "Removed.",
            shape("status message", status={"const": "ok"}, message=TEXT),
            {"week": {"status": "ok", "message": "Removed 3 jobs that ended more than 7 days ago."}},
        )
    },
    errors=["out_of_range", "engine_unavailable"],
)
