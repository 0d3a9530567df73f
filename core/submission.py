"""What somebody asks for: the fields of a submission, and how a JSON object becomes one. Pure.

The same fields serve `POST /inbound` and a file dropped into the inbound folder by hand.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import InvalidRequest
from core.jobs import DEFAULT_PRIORITY, HIGHEST_PRIORITY, LOWEST_PRIORITY, Json
from core.timing import parse_duration, parse_when

LONGEST_TIMEOUT = 7 * 86_400.0
MOST_ATTEMPTS = 100

_BATCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A job that somebody wants done. None leaves a choice to the action and the settings."""

    action: str
    params: Mapping[str, Json] = field(default_factory=dict)
    #: 0 to 9; the higher number goes first.
    priority: int = DEFAULT_PRIORITY
    #: Unix seconds before which the job must not start.
    run_after: float | None = None
    #: Seconds that one attempt may take.
    timeout: float | None = None
    max_attempts: int | None = None
    batch: str | None = None
    idempotency_key: str | None = None
    callback_url: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def submission_from(document: Json, *, now: float) -> Submission:
    """Return the submission that a JSON object describes; raises InvalidRequest naming the bad field."""
    if not isinstance(document, dict):
        raise InvalidRequest("body", "must be a JSON object.", hint=_EXAMPLE, code="must_be_object")
    unknown = next((name for name in document if name not in _READERS), None)
    if unknown is not None:
        known = ", ".join(_READERS)
        raise InvalidRequest(
            unknown, "is not a field of a submission.", hint=f"Known: {known}.", code="unknown_field"
        )
    if "action" not in document:
        raise InvalidRequest("action", "is missing.", hint=_EXAMPLE, code="missing_field")
    given = {name: value for name, value in document.items() if value is not None or name == "action"}
    return Submission(**{name: _READERS[name](name, value, now) for name, value in given.items()})


def body_hash(submission: Submission) -> str:
    """Return the SHA-256 (hex) of what was asked: equal for a repeated submission.

    `run_after` is left out, because "in ten minutes" is another time at each repetition.
    """
    asked = [
        submission.action,
        submission.params,
        submission.priority,
        submission.timeout,
        submission.max_attempts,
        submission.batch,
        submission.callback_url,
        *([dict(submission.labels)] if submission.labels else []),
    ]
    return hash_of(asked)


def hash_of(asked: Json) -> str:
    """Return the SHA-256 (hex) of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def whole_number(name: str, value: Json, least: int, most: int) -> int:
    """Return a field that is a whole number from `least` to `most`. Raises InvalidRequest."""
    if isinstance(value, float) and value.is_integer():  # JSON knows one kind of number: 5.0 is 5.
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(name, "must be a whole number.", code="wrong_type")
    if not least <= value <= most:
        raise InvalidRequest(name, f"must be from {least} to {most}.", code="out_of_range")
    return value


_EXAMPLE = 'A valid body is {"action": "fakejob", "params": {"delay_seconds": 2}}.'


def _action(name: str, value: Json, now: float) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(name, "must be a string.", hint=_EXAMPLE, code="wrong_type")
    return value


def _params(name: str, value: Json, now: float) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise InvalidRequest(name, "must be a JSON object.", hint=_EXAMPLE, code="wrong_type")
    bad = next((key for key in _keys(value) if _CONTROL.search(key)), None)
    if bad is not None:
        raise InvalidRequest(name, f"the name {bad!r} holds a control character.", code="bad_key")
    return value


def _priority(name: str, value: Json, now: float) -> int:
    return whole_number(name, value, LOWEST_PRIORITY, HIGHEST_PRIORITY)


def _max_attempts(name: str, value: Json, now: float) -> int:
    return whole_number(name, value, 1, MOST_ATTEMPTS)


def _timeout(name: str, value: Json, now: float) -> float:
    seconds = _read_time(name, value, parse_duration)
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise InvalidRequest(name, "must be more than 0 seconds and at most 7 days.", code="out_of_range")
    return seconds


def _run_after(name: str, value: Json, now: float) -> float:
    return _read_time(name, value, lambda given: parse_when(given, now=now))


def _batch(name: str, value: Json, now: float) -> str:
    if not isinstance(value, str) or not _BATCH.fullmatch(value):
        raise InvalidRequest(
            name, "must be 1 to 128 letters, digits or ._:- and begin with no mark.", code="bad_batch"
        )
    return value


def _idempotency_key(name: str, value: Json, now: float) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 255 or not value.isprintable():
        raise InvalidRequest(name, "must be 1 to 255 printable characters.", code="bad_idempotency_key")
    return value


def _callback_url(name: str, value: Json, now: float) -> str:
    sound = isinstance(value, str) and value.startswith(("http://", "https://")) and value.isascii()
    if not sound or len(value) > 2048:
        raise InvalidRequest(
            name, "must be an http or https URL of at most 2,048 characters of ASCII.", code="bad_url"
        )
    return str(value)


_READERS: dict[str, Callable[[str, Json, float], Any]] = {
    "action": _action,
    "params": _params,
    "priority": _priority,
    "run_after": _run_after,
    "timeout": _timeout,
    "max_attempts": _max_attempts,
    "batch": _batch,
    "idempotency_key": _idempotency_key,
    "callback_url": _callback_url,
}


def _read_time(name: str, value: Json, read: Callable[[Any], float]) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidRequest(name, "must be a string or a number.", code="wrong_type")
    try:
        return read(value)
    except ValueError as error:
        raise InvalidRequest(name, str(error), code="bad_time") from None


def _keys(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _keys(item)
