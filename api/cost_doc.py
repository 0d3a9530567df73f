"""What /docs and /openapi.json say of /api/cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.openapi import Answer, Operation, Parameter

if TYPE_CHECKING:
    from core.jobs import Json

_AMOUNTS = {
    "type": "object",
    "required": ["compute", "address", "disk", "free", "total"],
    "properties": {
        "compute": {
            "type": "number",
            "description": "By the second while on, a minute for each start at least.",
        },
        "address": {
            "type": "number",
            "description": "An external address; a static one is charged while off too.",
        },
        "disk": {"type": "number", "description": "Charged whether the machine is on or off."},
        "free": {"type": "number", "description": "What a free tier takes off; 0 or less."},
        "total": {"type": "number"},
    },
}
_HOURS: Json = {"on": 61.04, "billed": 61.04, "starting": 0.81, "working": 30.2, "idle": 30.03, "off": 466.96}
_EXAMPLE: Json = {
    "month": "2026-11",
    "from": "2026-11-01T00:00:00+00:00",
    "to": "2026-11-23T00:00:00+00:00",
    "message": "On for 61 of 528 hours: 2.06 USD instead of 12.22, 83.1 % saved (88.4 % without the disk).",
    "currency": "USD",
    "prices": {"since": "2026-01-01", "machine": "e2-small in us-central1", "source": "the user's file"},
    "sessions": 122,
    "lost_sessions": 0,
    "jobs": 1320,
    "hours": _HOURS,
    "on_demand": {"compute": 1.02244, "address": 0.3052, "disk": 0.733333, "free": 0.0, "total": 2.060973},
    "always_on": {"compute": 8.844, "address": 2.64, "disk": 0.733333, "free": 0.0, "total": 12.217333},
    "saved": 10.15636,
    "saved_percent": 83.1,
    "saved_percent_without_disk": 88.4,
    "starting_cost": 0.017618,
    "idle_cost": 0.653153,
    "actions": [
        {"action": "fakejob", "jobs": 1320, "run_hours": 30.2, "cost": 0.65685, "cost_per_job": 0.000498}
    ],
    "other_idle_times": [
        {"idle_timeout": 300.0, "in_words": "5 minutes", "starts": 122, "hours": 41.17, "cost": 1.628816}
    ],
    "boots": {
        "counted": 122,
        "lead": 24.6,
        "last": {
            "at": "2026-11-22T20:00:00+00:00",
            "restart": False,
            "accepting": 23.9,
            "phases": {"kernel": 6.1, "system": 17.3, "service": 0.5, "first_claim": 0.1},
            "shares": {"kernel": 0.2552, "system": 0.7238, "service": 0.0209},
        },
    },
}


def _shape(example: Json) -> dict[str, Any]:
    """Return the schema of what looks like the example, with the words of amounts where there are some."""
    if isinstance(example, dict):
        if set(example) == set(_AMOUNTS["required"]):
            return _AMOUNTS
        return {"type": "object", "properties": {name: _shape(value) for name, value in example.items()}}
    if isinstance(example, list):
        return {"type": "array", "items": _shape(example[0])}
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number")):
        if isinstance(example, kind):
            return {"type": name}
    return {"type": "string"}


COST = Operation(
    summary="What the machine has cost in a month, and what it would have cost always on",
    tag="monitor",
    description="Reckoned at each request, from the sessions that are kept and from the user's prices"
    " (`AAFAI_PRICES`); amounts are in `currency`, before taxes and traffic. The time counts from the first"
    " session that is kept. Of what was paid while there was work each action has its share; what starting"
    " and idling cost stands apart. What other idle times would have cost is played again from the recorded"
    " bursts of work: holds, and results that wait to be read, are left out of that.",
    parameters=[
        Parameter(
            name="month",
            description="Which month, in UTC. The present one without.",
            schema={"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"},
            example="2026-11",
        )
    ],
    answers={200: Answer("The statement.", _shape(_EXAMPLE), {"so far": _EXAMPLE})},
    errors=["invalid_request", "unknown_field", "repeated_parameter", "bad_config", "engine_unavailable"],
)
