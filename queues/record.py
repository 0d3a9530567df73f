"""A job as a JSON document and back: the one place that knows how a job is written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from core.errors import RecordDamaged
from core.jobs import Job, JobError, Json, State, Summary
from core.strict_json import BadJson, parse
from queues import fields as read

_REQUIRED = ("id", "action")
_SUMMARY = tuple(field.name for field in fields(Summary))
_encode_any = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def summary_of(job: Job) -> Summary:
    """Return what lists show of a job."""
    return Summary(**{name: getattr(job, name) for name in _SUMMARY})


def document_of(job: Job) -> dict[str, Json]:
    """Return the job as a JSON object: keys in fixed order, what is empty left out, unknown fields last.

    The state is written only when it is final; before that the place of the record says it.
    """
    document: dict[str, Json] = {}
    for name, (_, plain) in _FIELDS.items():
        value = getattr(job, name)
        if value is not None and value != _LEFT_OUT.get(name):
            document[name] = plain(value) if plain else value
    if not job.state.ended:
        del document["state"]
    return document | dict(job.extra)


def job_of(document: Json, *, state: State | None = None) -> Job:
    """Return the job that a document describes, in the given state when its place says it.

    Raises ValueError with a sentence that names the field.
    """
    if not isinstance(document, dict):
        raise ValueError("A job is a JSON object.")  # noqa: TRY004 - wrong content, not a wrong call
    missing = next((name for name in _REQUIRED if name not in document), None)
    if missing:
        raise ValueError(f"The field {missing!r} is missing.")
    known: dict[str, Any] = {}
    extra: dict[str, Json] = {}
    for name, value in document.items():
        if name in _FIELDS:
            known[name] = _FIELDS[name][0](name, document)
        else:
            extra[name] = value
    if state is not None:
        known["state"] = state
    return Job(**known, extra=extra)


def encoded(document: Mapping[str, Json]) -> bytes:
    """Return the document as UTF-8 text, one line for each field, so that `cat`, `grep` and `diff` serve.

    Raises ValueError or TypeError when a value is not JSON.
    """
    lines = [(_LABELS.get(name) or _label(name)) + _encode(value) for name, value in document.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def encoded_value(value: Json) -> bytes:
    """Return any JSON value as UTF-8 text. Raises ValueError or TypeError when it is none."""
    return _encode(value).encode()


def encoded_line(document: Mapping[str, Json]) -> bytes:
    """Return the document as one line of UTF-8 text."""
    return _encode(document).encode() + b"\n"


def decoded(data: bytes, *, job_id: str) -> dict[str, Json]:
    """Return the document of that job's record. Raises RecordDamaged when it is not one."""
    try:
        document = parse(data)
    except BadJson as error:
        raise RecordDamaged(job_id, error.message) from None
    if not isinstance(document, dict) or document.get("id") != job_id:
        raise RecordDamaged(job_id, "It is not the JSON object of this job.")
    return document


def job_from(document: Json, *, job_id: str, state: State | None = None) -> Job:
    """Return the job that a stored document describes. Raises RecordDamaged when a field is wrong."""
    try:
        return job_of(document, state=state)
    except ValueError as error:
        raise RecordDamaged(job_id, str(error)) from None


def _encode(value: Json) -> str:
    """Return the value as JSON; whole numbers by a shorter way, being most of what a record holds."""
    return str(value) if type(value) is int else _encode_any(value)


def _label(name: str) -> str:
    return f" {_encode(name)}: "


def _plain_errors(errors: tuple[JobError, ...]) -> list[Json]:
    return [asdict(error) for error in errors]


#: Every field in the order in which it is written: how it is read, and how it is made plain JSON.
_FIELDS: dict[str, tuple[read.Reader, Callable[[Any], Json] | None]] = {
    "id": (read.job_id, None),
    "state": (read.state, str),
    "action": (read.text, None),
    "queue": (read.queue, None),
    "params": (read.mapping, dict),
    "priority": (read.priority, None),
    "version": (read.whole, None),
    "attempt": (read.whole, None),
    "max_attempts": (read.whole, None),
    "timeout": (read.optional_number, None),
    "submitted_at": (read.number, None),
    "run_after": (read.optional_number, None),
    "started_at": (read.optional_number, None),
    "ended_at": (read.optional_number, None),
    "worker": (read.optional_text, None),
    "lease_until": (read.optional_number, None),
    "cancel_requested": (read.flag, None),
    "cancel_reason": (read.optional_text, None),
    "progress": (read.progress, asdict),
    "batch": (read.optional_text, None),
    "labels": (read.labels, dict),
    "retried_from": (read.optional_text, None),
    "idempotency_key": (read.optional_text, None),
    "body_hash": (read.optional_text, None),
    "callback_url": (read.optional_text, None),
    "error": (read.error, asdict),
    "errors": (read.errors, _plain_errors),
    "result": (read.anything, None),
}

#: Left out of the record when they say nothing, as None is of every field.
_LEFT_OUT: dict[str, Json] = {"labels": {}, "errors": (), "cancel_requested": False}

#: How each field begins its line.
_LABELS = {name: _label(name) for name in _FIELDS}
