"""Which jobs a request asks for: the filters, in the query of a list and in the body of a bulk request."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import request

from api.http import allow_only_query, batch_from, job_id_from, query_given, query_whole
from core.actions import QUEUE_NAME
from core.errors import InvalidRequest
from core.jobs import Json, Query, State
from core.registry import ACTION_NAME
from core.timing import parse_duration, parse_when

if TYPE_CHECKING:
    Reader = Callable[[str, Json, float], Any]

#: The filters that a body may name.
FILTERS = ("state", "action", "queue", "batch", "labels", "since")
MOST_JOBS = 1_000
#: How the name of a query parameter begins that asks for a label.
LABEL = "label."

_DEFAULT_LIMIT = 50
_LABEL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LONGEST_LABEL = 512


def query_of_request(now: float) -> Query:
    """Return what the query of the request asks for. Raises InvalidRequest or Refused for what it is not."""
    singles = ("action", "queue", "batch", "since", "cursor")
    labels = [name for name in request.args if name.startswith(LABEL)]
    allow_only_query("state", *singles, "limit", *labels)
    document: dict[str, Json] = {name: given for name in singles if (given := query_given(name)) is not None}
    if states := request.args.getlist("state"):
        document["state"] = states
    limit = query_whole("limit", least=1, most=MOST_JOBS, default=_DEFAULT_LIMIT)
    query = query_from(document, now=now, limit=limit)
    wanted = {name.removeprefix(LABEL): query_given(name) for name in labels}
    return replace(query, labels=_labels(LABEL.rstrip("."), wanted, now))


def query_from(
    document: Mapping[str, Json],
    *,
    now: float,
    limit: int = MOST_JOBS,
    allowed: Collection[State] = tuple(State),
    usual: Collection[State] | None = None,
) -> Query:
    """Return what a document's filters ask for: of the allowed states, the usual ones unless it names some.

    Raises InvalidRequest naming the field.
    """
    found = {name: read(name, document[name], now) for name, read in _READERS.items() if name in document}
    states = found.pop("state", usual)
    for state in states or ():
        if state not in allowed:
            known = ", ".join(sorted(allowed))
            raise InvalidRequest("state", f"must be one of {known}.", code="out_of_range")
    return Query(**found, states=None if states is None else frozenset(states), limit=limit)


def _states(name: str, given: Json, now: float) -> list[State]:
    wanted = [given] if isinstance(given, str) else given
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, str) for one in wanted):
        raise InvalidRequest(name, "must be a state, or a list of states.", code="wrong_type")
    unknown = next((one for one in wanted if one not in tuple(State)), None)
    if unknown is not None:
        raise InvalidRequest(name, f"must be one of {', '.join(State)}.", code="out_of_range")
    return [State(one) for one in wanted]


def _named(pattern: re.Pattern[str]) -> Reader:
    def read(name: str, given: Json, now: float) -> str:
        if not isinstance(given, str):
            raise InvalidRequest(name, "must be a string.", code="wrong_type")
        if not pattern.fullmatch(given):
            raise InvalidRequest(name, f"must match {pattern.pattern}.", code="bad_name")
        return given

    return read


def _batch(name: str, given: Json, now: float) -> str:
    if given is None:
        raise InvalidRequest(name, "must be the name of a batch.", code="wrong_type")
    return batch_from(given)


def _labels(name: str, given: Json, now: float) -> dict[str, str]:
    if not isinstance(given, dict):
        raise InvalidRequest(name, "must be an object of strings.", code="wrong_type")
    for label, value in given.items():
        if not _LABEL_NAME.fullmatch(label):
            message = f"must match {_LABEL_NAME.pattern}, as the name of a label."
            raise InvalidRequest(f"{name}.{label}", message, code="bad_name")
        if not isinstance(value, str):
            raise InvalidRequest(f"{name}.{label}", "must be a string.", code="wrong_type")
        if not 1 <= len(value) <= _LONGEST_LABEL:
            raise InvalidRequest(f"{name}.{label}", "must be 1 to 512 characters.", code="out_of_range")
    return given


def _some_labels(name: str, given: Json, now: float) -> dict[str, str]:
    """Return labels, one at least: a filter that narrows nothing would mean every job."""
    if given == {}:
        raise InvalidRequest(name, "must name a label.", code="out_of_range")
    return _labels(name, given, now)


def _since(name: str, given: Json, now: float) -> float:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise InvalidRequest(name, "must be a string or a number.", code="wrong_type")
    try:
        return now - parse_duration(given)
    except ValueError:
        return _moment(name, given)


def _moment(name: str, given: str | float) -> float:
    message = "must be an ISO 8601 time with an offset, or how long ago, such as '2 hours'."
    if not isinstance(given, str):
        raise InvalidRequest(name, message, code="bad_time")
    try:
        return parse_when(given, now=0.0)
    except ValueError:
        hint = "In a URL, + stands for a space: write Z, or %2B." if " " in given else ""
        raise InvalidRequest(name, message, hint=hint, code="bad_time") from None


def _cursor(name: str, given: Json, now: float) -> str:
    return job_id_from(given, field=name)


_READERS: Mapping[str, Reader] = {
    "state": _states,
    "action": _named(ACTION_NAME),
    "queue": _named(QUEUE_NAME),
    "batch": _batch,
    "labels": _some_labels,
    "since": _since,
    "cursor": _cursor,
}
