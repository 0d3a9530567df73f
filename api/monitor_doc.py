"""What /docs and /openapi.json say of /health and /metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.openapi import Answer, Operation

if TYPE_CHECKING:
    from core.jobs import Json

_TAG = "monitor"
_OPEN: Json = {
    "status": "healthy",
    "version": "1.0.0",
    "accepting": True,
    "timestamp": "2026-01-01T12:00:00+00:00",
}
_WHOLE: Json = {
    **_OPEN,
    "boot_id": "6f3d9c1e-7a51-4bd5-9a3e-0c8f5d2b7e10",
    "database": {"engine": "file", "connected": True, "latency_ms": 0.4, "problem": None},
    "workers": {"total": 4, "idle": 3, "busy": 1, "offline": 0},
    "queue": {"pending": 0, "running": 1, "completed": 12, "failed": 0, "cancelled": 0},
    "actions": {"fakejob": "Wait a random time between one second and `delay_seconds`."},
    "broken_actions": {},
    "power": {
        "state": "accepting",
        "message": "On because 1 job runs.",
        "reasons": [{"code": "running", "message": "1 job runs", "until": None}],
    },
    "warnings": [],
}
_HEALTH = {
    "type": "object",
    "required": ["status", "version", "accepting", "timestamp"],
    "properties": {
        "status": {"enum": ["healthy", "degraded", "unhealthy"]},
        "version": {"type": "string"},
        "accepting": {"type": "boolean"},
        "timestamp": {"type": "string", "format": "date-time"},
    },
}

HEALTH = Operation(
    summary="Whether jobs are accepted, and what stands in the way",
    tag=_TAG,
    description="Answers without a token too, with `status`, `version`, `accepting` and `timestamp` only.",
    open=True,
    answers={
        200: Answer("Jobs are accepted.", _HEALTH, {"whole": _WHOLE, "without a token": _OPEN}),
        503: Answer(
            "Jobs are not accepted: the store does not answer, or the machine is switching off.",
            _HEALTH,
            {"without a token": {**_OPEN, "status": "unhealthy", "accepting": False}},
        ),
    },
)
METRICS = Operation(
    summary="Every metric, in Prometheus text",
    tag=_TAG,
    answers={200: Answer("The metrics.", {"type": "string"}, content_type="text/plain")},
    errors=["engine_unavailable"],
)
