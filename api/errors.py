"""How every error is answered: code, status and meaning in one table, and the shape that carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import BusError, InvalidParams, InvalidRequest, ShuttingDown

if TYPE_CHECKING:
    from werkzeug.exceptions import HTTPException

    from core.jobs import Json

#: Code → HTTP status and what it means. docs/http.md and /openapi.json are held against this table.
ERRORS: Mapping[str, tuple[int, str]] = {
    "empty_body": (400, "The request has no body."),
    "truncated_body": (
        400,
        "The connection ended, or broke its own framing, before the whole body had arrived.",
    ),
    "bad_json": (400, "The body is not JSON; `line` and `column` say where it stops being it."),
    "not_utf8": (400, "The body is not UTF-8."),
    "duplicate_key": (400, "An object of the body names the same key twice."),
    "number_out_of_range": (400, "A number of the body is too large to be represented."),
    "too_deep": (400, "The body is nested more than 100 levels deep."),
    "lone_surrogate": (400, "A string of the body holds half a character."),
    "must_be_object": (400, "The body is JSON, but not an object."),
    "invalid_request": (400, "A field is not as it must be; the message names it."),
    "missing_field": (400, "A required field is missing."),
    "unknown_field": (400, "A field is not known here."),
    "wrong_type": (400, "A field is of the wrong JSON type."),
    "out_of_range": (400, "A number is smaller or greater than allowed."),
    "conflicting_fields": (400, "Two fields, or a header and a field, contradict each other."),
    "repeated_parameter": (400, "A query parameter is given more than once."),
    "bad_name": (400, "The name of an action is not a lower-case identifier."),
    "bad_key": (400, "A key inside the params holds a control character."),
    "bad_batch": (400, "The name of a batch holds characters that it must not."),
    "bad_batch_size": (400, "A batch holds no job or too many."),
    "bad_idempotency_key": (400, "The idempotency key is empty, too long or not printable."),
    "bad_job_id": (400, "The job id is not a UUIDv7, so no job can ever have had it."),
    "bad_time": (400, "A time or duration cannot be read."),
    "bad_url": (400, "A URL is not an http or https URL."),
    "bad_request": (400, "The request itself is malformed."),
    "unauthorized": (401, "The bearer token is missing or wrong."),
    "token_expired": (401, "The token was good, and its time is over."),
    "bad_signature": (401, "The signature of the request is wrong, or its key is not known."),
    "signature_stale": (
        401,
        "The request was signed too long ago, ahead of time, or before the bus started.",
    ),
    "signature_replayed": (401, "The signed request has come before: it counts once."),
    "scope_missing": (403, "The token may not do that; the message names the scope that it lacks."),
    "action_not_allowed": (403, "The token may not submit jobs for that action."),
    "cross_site": (403, "A page of another site tried to write."),
    "unknown_job": (404, "No such job was ever known."),
    "unknown_file": (404, "The job has no such file."),
    "no_such_action": (404, "The path names no action; the hint names the nearest."),
    "unknown_worker": (404, "No worker of that name works here or has done so."),
    "unknown_schedule": (404, "No schedule bears that id."),
    "unknown_batch": (404, "No job of that batch is known, or none is any more."),
    "no_such_path": (404, "Nothing is served under this path."),
    "method_not_allowed": (405, "The path is served, but not with this method; `Allow` lists those it has."),
    "request_timeout": (408, "The whole request did not arrive in time."),
    "idempotency_conflict": (
        409,
        "The idempotency key was used before with another body; `job_id` names that job.",
    ),
    "job_ended": (409, "The job has already ended."),
    "job_not_ended": (409, "The job has not ended yet."),
    "conflict": (409, "The job changed in the meantime; look again."),
    "expired": (410, "The job ended and its record was purged."),
    "length_required": (411, "The request has neither a Content-Length nor a chunked body."),
    "body_too_large": (413, "The body is longer than the limit, which the message names."),
    "not_json_type": (415, "The Content-Type is not application/json."),
    "content_encoding_not_supported": (415, "The body is compressed, which is not accepted."),
    "bad_range": (416, "The file has no bytes in the range that was asked for."),
    "unknown_host": (421, "The Host header names no host that this bus answers for."),
    "unknown_action": (422, "No action bears that name; the hint names the nearest."),
    "bad_schedule": (
        422,
        "A schedule, its time zone or its function cannot be used; the message names the field.",
    ),
    "invalid_params": (422, "The action's schema refuses the params; `problems` lists each field and why."),
    "unsupported": (422, "The engine, or this bus, cannot do what was asked."),
    "blocked_address": (422, "A URL leads where the bus must not go, such as into its own network."),
    "rate_limited": (429, "Too many requests in too short a time."),
    "too_many_connections": (429, "The address has as many connections open as one may have."),
    "queue_full": (429, "As many jobs wait as may wait."),
    "internal_error": (500, "The bus made a mistake; `request_id` finds it in the log."),
    "record_damaged": (500, "The stored record of this one job cannot be read."),
    "bad_config": (500, "The bus is configured wrongly."),
    "server_busy": (503, "Too much of other requests is still on its way."),
    "too_many_streams": (503, "As many streams, or files, are on their way already as may be."),
    "broken_action": (503, "The action's file is there but could not be loaded."),
    "engine_unavailable": (503, "The store does not answer or cannot be written; nothing was queued."),
    "outcome_unknown": (
        503,
        "The job may or may not have been stored; repeat with the same idempotency key.",
    ),
    "shutting_down": (503, "The machine is switching off and accepts no new jobs."),
    "disk_full": (507, "There is no room to store the job; nothing was queued."),
}

#: Status → seconds after which trying again makes sense, unless the error itself knows better.
_RETRY_AFTER = {429: 10, 503: 5, 507: 60}
#: What an error carries as evidence, in the order in which it is shown.
_EVIDENCE = ("job_id", "field", "line", "column", "offset", "nearest", "request_id")


class Refused(BusError):
    """The request is refused before the kernel hears of it; the code is one of ERRORS."""

    def __init__(
        self, code: str, message: str, *, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as it is answered: each dialect puts its own body around the same status and headers."""

    status: int
    body: dict[str, Json]
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal_of(error: BusError) -> Refusal:
    """Return the answer to an error in the bus's own shape."""
    status = status_of(error)
    body: dict[str, Json] = {
        "status": "error",
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
    }
    for name in _EVIDENCE:
        if (value := getattr(error, name, None)) is not None:
            body[name] = value
    if isinstance(error, InvalidParams):
        body["problems"] = [{"field": known.field, "message": known.message} for known in error.problems]
    return Refusal(status, body, {**_retry_after(error, status), **getattr(error, "headers", {})})


def status_of(error: BusError) -> int:
    """Return the HTTP status of an error, in every dialect the same."""
    if error.code in ERRORS:
        return ERRORS[error.code][0]
    return 400 if isinstance(error, InvalidRequest) else 500


def refused_by_flask(error: HTTPException) -> Refused:
    """Return what Flask itself refuses (no route, wrong method, …) as an error of ours."""
    if error.code == 404:
        return Refused(
            "no_such_path", "Nothing is served under this path.", hint="GET /docs lists all paths."
        )
    if error.code == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return Refused(
            "method_not_allowed",
            "This path is not served with this method.",
            hint=f"Allowed: {allowed}.",
            headers={"Allow": allowed},
        )
    return Refused("bad_request", error.description or "The request is malformed.")


def _retry_after(error: BusError, status: int) -> dict[str, str]:
    if status not in _RETRY_AFTER:
        return {}
    seconds = error.retry_after if isinstance(error, ShuttingDown) else _RETRY_AFTER[status]
    return {"Retry-After": str(max(1, round(seconds)))}
