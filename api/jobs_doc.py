"""What /docs and /openapi.json say of /api/jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from api.aafai_doc import submission_schema
from api.jobs_query import LABEL
from api.jobs_schemas import (
    A_JOB,
    A_SUMMARY,
    ACTION,
    CREATED,
    EVENT,
    IDS,
    JOB,
    LABELS,
    LOOKING,
    NEW_JOB_ID,
    QUEUE,
    SINCE,
    SINCE_IN_BODY,
    STATE,
    SUBMITTING,
    THE_JOB,
    THE_KEY,
    WHOLE,
)
from api.jobs_views import SUMMARY
from api.jobs_views import WHOLE as WHOLE_FIELDS
from api.openapi import Answer, Operation, Parameter
from api.schemas import BATCH, ID, JOB_ID, TEXT, TIME_OR_NULL, closed, optional, shape
from core.context import LEVELS

if TYPE_CHECKING:
    from core.actions import ActionSpec
    from core.jobs import Json

SUBMIT_EXAMPLE = '{"action": "fakejob", "params": {"delay_seconds": 2}}'
CANCEL_EXAMPLE = '{"reason": "No longer needed."}'
RETRY_EXAMPLE = '{"params": {"delay_seconds": 1}}'
RETRY_MANY_EXAMPLE = '{"state": "failed", "action": "fakejob"}'
CANCEL_MANY_EXAMPLE = '{"batch": "night"}'

#: What the reason of a cancellation may be.
REASON_PATTERN = r"[^\x00-\x1f\x7f-\x9f]{1,500}"

_TAG = "jobs"
_FIELDS = "|".join((*SUMMARY, *WHOLE_FIELDS))
_REASON = optional(
    {"type": "string", "pattern": f"^{REASON_PATTERN}$", "description": "Why; the job remembers it."}
)
_ENTRY = shape(
    "offset at level source message", offset=WHOLE, at=TIME_OR_NULL, level=TEXT, source=TEXT, message=TEXT
)
_AN_ENTRY: Json = {
    "offset": 0,
    "at": "2026-01-01T12:00:01+00:00",
    "level": "info",
    "source": "action",
    "message": "page 3 of 6",
}
_REFUSED: Json = {
    "job_id": JOB_ID,
    "code": "job_ended",
    "message": f"Job {JOB_ID} has already ended: succeeded.",
    "hint": "",
}


def _one_submission(actions: Mapping[str, ActionSpec]) -> Mapping[str, Json]:
    """Return the schema of one submission: that of /inbound but for many jobs at once."""
    singles = [one for one in submission_schema(actions).get("anyOf", ()) if one["title"] != "many"]
    return {"anyOf": singles} if singles else {"type": "object"}


def _edited(actions: Mapping[str, ActionSpec]) -> Mapping[str, Json]:
    """Return the schema of a retry's body: the params are those of the job's action, whichever that is."""
    schemas = [{**spec.schema, "title": f"{name}_params"} for name, spec in actions.items()]
    return closed(params={"anyOf": [*schemas, {"type": "null"}]})


def _chosen(states: list[str], **further: Json) -> Mapping[str, Json]:
    """Return the schema of a body that means many jobs, of those states, by ids or by filters."""
    state = {"enum": states}
    filters = {
        "state": {"anyOf": [state, {"type": "array", "minItems": 1, "items": state}]},
        "action": ACTION,
        "queue": QUEUE,
        "batch": BATCH,
        "labels": LABELS,
        "since": SINCE_IN_BODY,
    }
    by_filter = [{**closed(name, **filters, **further), "title": f"by {name}"} for name in filters]
    return {"anyOf": [{**closed("job_ids", job_ids=IDS, **further), "title": "by ids"}, *by_filter]}


def _bulk(name: str, done: Mapping[str, Json], example: Json) -> Answer:
    errors = {"type": "array", "items": shape("job_id code message", job_id=ID, code=TEXT, message=TEXT)}
    listed = {name: {"type": "array", "items": done}, "errors": errors, "more": {"type": "boolean"}}
    told = {name: [example], "errors": [_REFUSED], "more": False}
    return Answer("What became of each.", shape(f"{name} errors more", **listed), {"two": told})


FIND = Operation(
    summary="Jobs, newest first",
    tag=_TAG,
    description="Every filter narrows. A page may hold fewer jobs than asked for, none even, and still have a"
    " `next_cursor`; it is null on the last one.",
    parameters=[
        Parameter(
            name="state",
            description="In one of these states; may be given several times.",
            schema={"type": "array", "items": STATE},
            example=["queued", "running"],
        ),
        Parameter(name="action", description="For that action.", schema=ACTION, example="fakejob"),
        Parameter(name="queue", description="In that queue.", schema=QUEUE),
        Parameter(name="batch", description="Of that batch.", schema=BATCH),
        Parameter(name="since", description=SINCE["description"], schema=SINCE, example="2h"),
        Parameter(
            name=f"{LABEL}owner",
            description="With that label; the name of any may stand in place of `owner`.",
            schema={"type": "string", "minLength": 1, "maxLength": 512},
        ),
        Parameter(name="cursor", description="The `next_cursor` of the page before.", schema=ID),
        Parameter(
            name="limit",
            description="Jobs on a page.",
            schema={"type": "integer", "minimum": 1, "maximum": 1000, "default": 50},
        ),
    ],
    answers={
        200: Answer(
            "A page.",
            shape(
                "jobs next_cursor",
                jobs={"type": "array", "items": JOB},
                next_cursor={"type": ["string", "null"]},
            ),
            {"one": {"jobs": [A_SUMMARY], "next_cursor": None}},
        )
    },
    errors=[
        *("invalid_request", "unknown_field", "wrong_type", "out_of_range", "repeated_parameter"),
        *("bad_name", "bad_batch", "bad_time", "bad_job_id", "engine_unavailable"),
    ],
)
SUBMIT = Operation(
    summary="Submit a job",
    tag=_TAG,
    description="With the fields of `POST /inbound`.",
    body=_one_submission,
    body_examples={"one": {"action": "fakejob", "params": {"delay_seconds": 2}, "priority": 7}},
    parameters=[THE_KEY],
    answers={201: CREATED},
    errors=[*SUBMITTING, "bad_name", "bad_batch", "bad_time", "bad_url"],
)
ONE = Operation(
    summary="All of a job",
    tag=_TAG,
    description="Params bear no secrets. The answer has an ETag, which changes with every step of the job.",
    parameters=[
        THE_JOB,
        Parameter(
            name="fields",
            description="Only these, with commas between; without params, result, errors and callback_url it"
            " costs least.",
            schema={"type": "string", "pattern": f"^({_FIELDS})(,({_FIELDS})){{0,9}}$"},
            example="state,progress",
        ),
        Parameter(
            name="wait",
            description="Hold the answer until the job ends, so many seconds at most.",
            schema={"type": "number", "minimum": 0, "maximum": 25},
        ),
    ],
    answers={200: Answer("The job.", JOB, {"whole": A_JOB, "light": {"state": "running", "progress": None}})},
    errors=[*LOOKING, "unknown_field", "wrong_type", "out_of_range", "repeated_parameter"],
)
CANCEL = Operation(
    summary="Cancel a job",
    tag=_TAG,
    description="A waiting job ends at once. A running one is asked to stop, and is `running` until it has.",
    parameters=[THE_JOB],
    body=closed(reason=_REASON),
    body_examples={"why": {"reason": "No longer needed."}},
    body_is_optional=True,
    answers={
        200: Answer("The job as it now stands.", JOB, {"cancelled": {**A_SUMMARY, "state": "cancelled"}})
    },
    errors=[*LOOKING, "job_ended", "out_of_range"],
)
RETRY = Operation(
    summary="Run an ended job again",
    tag=_TAG,
    description="As a new job, which names the old one as `retried_from`, with the same params or edited"
    " ones. Edited ones need their secrets anew, which are shown masked.",
    parameters=[THE_JOB, THE_KEY],
    body=_edited,
    body_examples={"edited": {"params": {"delay_seconds": 1}}},
    body_is_optional=True,
    answers={201: CREATED},
    errors=[*LOOKING, *SUBMITTING, "job_not_ended"],
)
RETRY_MANY = Operation(
    summary="Run many ended jobs again",
    tag=_TAG,
    description="By ids, or by filters: at most 1,000 at a time, the newest first; `more` says whether others"
    " remain. What is found by filters is run again once: the same request again makes no further jobs of the"
    " same ones for a day. Jobs that cannot be run again are told in `errors`, the others stored together.",
    body=_chosen(["succeeded", "failed", "cancelled"]),
    body_examples={"failed": {"state": "failed", "action": "fakejob"}, "ids": {"job_ids": [JOB_ID]}},
    answers={
        200: _bulk(
            "retried",
            shape("job_id new_job_id", job_id=ID, new_job_id=ID),
            {"job_id": JOB_ID, "new_job_id": NEW_JOB_ID},
        )
    },
    errors=[*SUBMITTING, "bad_batch_size", "bad_job_id", "bad_name", "bad_batch", "bad_time"],
)
CANCEL_MANY = Operation(
    summary="Cancel many jobs",
    tag=_TAG,
    description="By ids, or by filters: at most 1,000 at a time; `more` says whether others remain.",
    body=_chosen(["queued", "running"], reason=_REASON),
    body_examples={"batch": {"batch": "night", "reason": "Too late."}, "ids": {"job_ids": [JOB_ID]}},
    answers={
        200: _bulk(
            "cancelled",
            shape(
                "job_id state cancel_requested", job_id=ID, state=STATE, cancel_requested={"type": "boolean"}
            ),
            {"job_id": NEW_JOB_ID, "state": "cancelled", "cancel_requested": False},
        )
    },
    errors=[
        *("invalid_request", "out_of_range", "conflicting_fields", "bad_batch_size", "bad_job_id"),
        *("bad_name", "bad_batch", "bad_time", "engine_unavailable"),
    ],
)
LOGS = Operation(
    summary="What a job said",
    tag=_TAG,
    description="With `follow=true` the answer goes on until the job has ended: one JSON object a line, or"
    " server-sent events for those who accept them, whose ids a client sends back as `Last-Event-ID`.",
    parameters=[
        THE_JOB,
        Parameter(
            name="offset",
            description="Begin with that entry, counted from 0: the `next_offset` of the answer before.",
            schema={"type": "integer", "minimum": 0, "maximum": 10**9},
        ),
        Parameter(
            name="limit",
            description="So many entries at most: 1,000 without, any number when they are followed.",
            schema={"type": "integer", "minimum": 1, "maximum": 10_000},
        ),
        Parameter(name="level", description="That level and those above it.", schema={"enum": list(LEVELS)}),
        Parameter(name="follow", description="Go on.", schema={"type": "boolean"}),
    ],
    answers={
        200: Answer(
            "The entries, oldest first.",
            shape(
                "entries next_offset state",
                entries={"type": "array", "items": _ENTRY},
                next_offset=WHOLE,
                state=STATE,
            ),
            {"one": {"entries": [_AN_ENTRY], "next_offset": 1, "state": "running"}},
            otherwise={"application/x-ndjson": TEXT, "text/event-stream": EVENT},
        )
    },
    errors=[
        *(*LOOKING, "unknown_field", "wrong_type", "out_of_range", "repeated_parameter"),
        "too_many_streams",
    ],
)
