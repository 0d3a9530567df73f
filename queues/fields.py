"""The fields of a record, each read strictly: a value of another kind is refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from core.ids import JOB_ID
from core.jobs import HIGHEST_PRIORITY, LOWEST_PRIORITY, JobError, Json, Progress, State

#: Takes the field's name and the document that has it; raises ValueError with a sentence.
Reader = Callable[[str, Mapping[str, Json]], Any]

#: A name that a queue can have: it is also a folder's.
QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

#: Unix seconds some 30,000 years from now; no disk can date a file by numbers without any bound.
_BEYOND_TIME = 1e12


def text(name: str, document: Mapping[str, Json]) -> str:
    """Return a string."""
    value = document[name]
    if not isinstance(value, str):
        raise _wrong(name, "a string")
    return value


def optional_text(name: str, document: Mapping[str, Json]) -> str | None:
    """Return a string or None."""
    return None if document[name] is None else text(name, document)


def job_id(name: str, document: Mapping[str, Json]) -> str:
    """Return a job id."""
    if not JOB_ID.fullmatch(text(name, document)):
        raise _wrong(name, "a job id (a UUIDv7 in lower case)")
    return text(name, document)


def queue(name: str, document: Mapping[str, Json]) -> str:
    """Return the name of a queue."""
    if not QUEUE_NAME.fullmatch(text(name, document)):
        raise _wrong(name, "1 to 64 letters, digits, dots, hyphens and underscores")
    return text(name, document)


def state(name: str, document: Mapping[str, Json]) -> State:
    """Return one of the five states."""
    try:
        return State(text(name, document))
    except ValueError:
        raise _wrong(name, "one of " + ", ".join(State)) from None


def whole(name: str, document: Mapping[str, Json]) -> int:
    """Return a whole number from 0 up."""
    value = document[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _wrong(name, "a whole number from 0 up")
    return value


def priority(name: str, document: Mapping[str, Json]) -> int:
    """Return a priority."""
    value = whole(name, document)
    if not LOWEST_PRIORITY <= value <= HIGHEST_PRIORITY:
        raise _wrong(name, f"{LOWEST_PRIORITY} to {HIGHEST_PRIORITY}")
    return value


def number(name: str, document: Mapping[str, Json]) -> float:
    """Return a number, no larger than a time that a file can be dated with."""
    value = document[name]
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong(name, "a number")
    if abs(value) >= _BEYOND_TIME:
        raise _wrong(name, "a number below 1e12")
    return value


def optional_number(name: str, document: Mapping[str, Json]) -> float | None:
    """Return a number or None."""
    return None if document[name] is None else number(name, document)


def flag(name: str, document: Mapping[str, Json]) -> bool:
    """Return True or False."""
    value = document[name]
    if not isinstance(value, bool):
        raise _wrong(name, "true or false")
    return value


def mapping(name: str, document: Mapping[str, Json]) -> dict[str, Json]:
    """Return a JSON object."""
    value = document[name]
    if not isinstance(value, dict):
        raise _wrong(name, "an object")
    return value


def labels(name: str, document: Mapping[str, Json]) -> dict[str, str]:
    """Return a JSON object of strings."""
    found = mapping(name, document)
    return {label: text(label, found) for label in found}


def anything(name: str, document: Mapping[str, Json]) -> Json:
    """Return whatever stands there."""
    return document[name]


def progress(name: str, document: Mapping[str, Json]) -> Progress | None:
    """Return a progress or None."""
    if document[name] is None:
        return None
    value = {"fraction": None, "message": "", "at": 0.0} | mapping(name, document)
    return Progress(
        fraction=optional_number("fraction", value), message=text("message", value), at=number("at", value)
    )


def error(name: str, document: Mapping[str, Json]) -> JobError | None:
    """Return an error or None."""
    if document[name] is None:
        return None
    value = {"code": "", "message": "", "attempt": 0, "at": 0.0} | mapping(name, document)
    return JobError(
        code=text("code", value),
        message=text("message", value),
        attempt=whole("attempt", value),
        at=number("at", value),
    )


def errors(name: str, document: Mapping[str, Json]) -> tuple[JobError, ...]:
    """Return a list of errors."""
    value = document[name]
    if not isinstance(value, list):
        raise _wrong(name, "a list")
    found = (error(name, {name: item}) for item in value)
    return tuple(one for one in found if one is not None)


def _wrong(name: str, kind: str) -> ValueError:
    return ValueError(f"The field {name!r} must be {kind}.")
