"""The shapes of the bus's own words, as /openapi.json describes them."""

from __future__ import annotations

from collections.abc import Mapping

from api.jobs_query import MOST_JOBS
from api.openapi import Answer, Parameter
from api.schemas import ID, JOB_ID, KEY, TEXT, TIME_OR_NULL, Schema, shape
from core.actions import QUEUE_NAME
from core.jobs import Json, State
from core.registry import ACTION_NAME
from core.timing import LONGEST

NEW_JOB_ID = "01935b7f-2a10-7bbb-9ccc-ba9876543210"

IDS: Schema = {"type": "array", "minItems": 1, "maxItems": MOST_JOBS, "items": ID}
WHOLE: Schema = {"type": "integer"}
#: One of the events of a stream, as its fields are read.
EVENT: Schema = {"type": "object", "properties": {"id": TEXT, "event": TEXT, "data": TEXT}}
STATE: Schema = {"enum": [state.value for state in State]}
ACTION: Schema = {"type": "string", "pattern": f"^{ACTION_NAME.pattern}$"}
QUEUE: Schema = {"type": "string", "pattern": f"^{QUEUE_NAME.pattern}$"}
LABELS: Schema = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": "^[A-Za-z0-9_.-]{1,64}$"},
    "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 512},
}
SINCE: Schema = {
    "description": "Submitted at that time or later: ISO 8601 with an offset, or how long ago.",
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "pattern": "^[1-9][0-9]{0,3} ?(s|m|h|d)?$"},
    ],
}
#: The same where numbers are told from texts.
SINCE_IN_BODY: Schema = {
    **SINCE,
    "anyOf": [*SINCE["anyOf"], {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST}],
}


_ERROR = shape("code message attempt at", code=TEXT, message=TEXT, attempt=WHOLE, at=TIME_OR_NULL)
_PROGRESS = shape("fraction message at", fraction={"type": ["number", "null"]}, message=TEXT, at=TIME_OR_NULL)
#: A job; which of the properties are there depends on what was asked for.
JOB = shape(
    job_id=ID,
    action=TEXT,
    state=STATE,
    queue=TEXT,
    priority=WHOLE,
    attempt=WHOLE,
    max_attempts=WHOLE,
    timeout={"type": ["number", "null"]},
    batch={"type": ["string", "null"]},
    labels={"type": "object", "additionalProperties": TEXT},
    retried_from={"anyOf": [ID, {"type": "null"}]},
    submitted_at=TIME_OR_NULL,
    run_after=TIME_OR_NULL,
    started_at=TIME_OR_NULL,
    ended_at=TIME_OR_NULL,
    worker={"type": ["string", "null"]},
    cancel_requested={"type": "boolean"},
    cancel_reason={"type": ["string", "null"]},
    progress={"anyOf": [_PROGRESS, {"type": "null"}]},
    error={"anyOf": [_ERROR, {"type": "null"}]},
    version=WHOLE,
    params={"type": "object"},
    result={},
    errors={"type": "array", "items": _ERROR},
    callback_url={"type": ["string", "null"]},
)
#: A job as a list shows it.
A_SUMMARY: Mapping[str, Json] = {
    "job_id": JOB_ID,
    "action": "fakejob",
    "state": "queued",
    "queue": "default",
    "priority": 5,
    "attempt": 0,
    "max_attempts": 3,
    "timeout": 1800.0,
    "batch": None,
    "labels": {},
    "retried_from": None,
    "submitted_at": "2026-01-01T12:00:00+00:00",
    "run_after": None,
    "started_at": None,
    "ended_at": None,
    "worker": None,
    "cancel_requested": False,
    "cancel_reason": None,
    "progress": None,
    "error": None,
    "version": 1,
}
#: The same job once it has succeeded, whole.
A_JOB: Mapping[str, Json] = {
    **A_SUMMARY,
    "state": "succeeded",
    "attempt": 1,
    "started_at": "2026-01-01T12:00:01+00:00",
    "ended_at": "2026-01-01T12:00:03+00:00",
    "worker": "worker-001-internal",
    "version": 3,
    "params": {"delay_seconds": 2},
    "result": {"waited": 2},
    "errors": [],
    "callback_url": None,
}

THE_JOB = Parameter(
    name="job_id", place="path", description="The job.", schema=ID, required=True, example=JOB_ID
)
THE_KEY = Parameter(
    name="Idempotency-Key",
    place="header",
    description="The same key and the same request are the same job.",
    schema=KEY,
)
CREATED = Answer("Stored; `Location` says where to ask for the job.", JOB, {"stored": A_SUMMARY})
#: What can go wrong when a job is looked up, and when one is submitted.
LOOKING = ("bad_job_id", "unknown_job", "expired", "record_damaged", "engine_unavailable")
SUBMITTING = (
    *("invalid_request", "out_of_range", "wrong_type", "conflicting_fields", "bad_key"),
    *("bad_idempotency_key", "idempotency_conflict", "action_not_allowed", "unknown_action"),
    *("invalid_params", "unsupported", "queue_full", "broken_action"),
    *("engine_unavailable", "outcome_unknown", "shutting_down", "disk_full"),
)
