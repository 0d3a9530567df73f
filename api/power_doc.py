"""What /docs and /openapi.json say of /api/power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from api.openapi import Answer, Operation
from api.schemas import TEXT, TEXT_OR_NULL, closed, optional, shape

if TYPE_CHECKING:
    from core.jobs import Json

EXAMPLE = '{"for": "2 hours", "by": "ann", "why": "a demonstration"}'
#: Characters of `by` and of `why`.
LONGEST_TEXT = 200

_TAG = "monitor"
_MOMENT: Mapping[str, Any] = {"type": "number", "description": "Unix seconds."}
_MOMENT_OR_NULL: Mapping[str, Any] = {**_MOMENT, "type": ["number", "null"]}
_HELD = shape("until by why", until=_MOMENT, by=TEXT, why=TEXT)
_HOLD_OR_NULL: Mapping[str, Any] = {"anyOf": [_HELD, {"type": "null"}]}
_SWITCH = shape("name problem", name=TEXT, problem=TEXT_OR_NULL)
_RUN = shape("at switch error", at=_MOMENT, switch=TEXT, error=TEXT)
_LAST_STOP = shape("clean message at", clean={"type": "boolean"}, message=TEXT, at=_MOMENT_OR_NULL)
_STATUS = shape(
    "state message reasons switches last_run uptime hold wake preempted last_stop",
    state={"enum": ["accepting", "draining", "stopping"]},
    message=TEXT,
    reasons={
        "type": "array",
        "items": shape("code message until", code=TEXT, message=TEXT, until=_MOMENT_OR_NULL),
    },
    switches={"type": "array", "items": _SWITCH, "description": "In the order in which they are tried."},
    last_run={"anyOf": [_RUN, {"type": "null"}]},
    uptime={"type": "number", "description": "Seconds since the service started, or the machine woke up."},
    hold=_HOLD_OR_NULL,
    wake=shape(
        "alarm problem next_due armed_for",
        alarm=TEXT,
        problem=TEXT_OR_NULL,
        next_due=_MOMENT_OR_NULL,
        armed_for=_MOMENT_OR_NULL,
    ),
    preempted={"type": "boolean", "description": "The cloud is taking the machine away."},
    last_stop={"anyOf": [_LAST_STOP, {"type": "null"}], "description": "How the run before this one ended."},
)
_HELD_NOW: Json = {"until": 1767276000.0, "by": "ann", "why": "a demonstration"}
_ON: Json = {
    "state": "accepting",
    "message": "On because 1 job runs and ann holds it (a demonstration).",
    "reasons": [
        {"code": "running", "message": "1 job runs", "until": None},
        {"code": "hold", "message": "ann holds it (a demonstration)", "until": 1767276000.0},
    ],
    "switches": [{"name": "systemd", "problem": None}],
    "last_run": None,
    "uptime": 1234.5,
    "hold": _HELD_NOW,
    "wake": {
        "alarm": "gcp-scheduler:wake",
        "problem": None,
        "next_due": 1767312000.0,
        "armed_for": None,
    },
    "preempted": False,
    "last_stop": {"clean": True, "message": "Stopping: nothing is left to do.", "at": 1767200000.0},
}
_WORDS: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
_PLAIN: Mapping[str, Any] = {**_WORDS, "pattern": "^[ -~]+$", "description": "Printable characters."}

POWER = Operation(
    summary="Why the machine is still on, and until when",
    tag=_TAG,
    answers={200: Answer("The verdict and its reasons.", _STATUS, {"on": _ON})},
)
HOLD = Operation(
    summary="Keep the machine on for a while",
    tag=_TAG,
    description="A day at most, in place of an earlier hold. A restart of the service does not end it; the"
    " longest uptime does.",
    scope="admin",
    body=closed(
        "for",
        **{
            "for": {
                "type": ["string", "number"],
                "pattern": "^[1-9][0-9]? (seconds|minutes)$",
                "exclusiveMinimum": 0,
                "maximum": 86_400,
                "description": "Seconds, or a number and a unit, as in `2 hours`.",
            },
            "by": optional(_PLAIN),
            "why": optional(_PLAIN),
        },
    ),
    body_examples={"demonstration": {"for": "2 hours", "by": "ann", "why": "a demonstration"}},
    answers={
        201: Answer("The machine is held.", shape("hold", hold=_HELD), {"held": {"hold": _HELD_NOW}}),
        200: Answer(
            "It was held before: this hold takes its place.",
            shape("hold", hold=_HELD),
            {"held": {"hold": _HELD_NOW}},
        ),
    },
    errors=["bad_time", "out_of_range", "shutting_down"],
)
RELEASE = Operation(
    summary="Let the machine go again",
    tag=_TAG,
    description="Nothing happens without a hold.",
    scope="admin",
    answers={
        200: Answer("It is not held.", shape("hold", hold={"type": "null"}), {"free": {"hold": None}}),
    },
    errors=["cross_site"],
)
