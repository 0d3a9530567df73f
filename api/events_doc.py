"""What /docs and /openapi.json say of the stream of events."""

from __future__ import annotations

from api.jobs_schemas import EVENT
from api.openapi import Answer, Operation, Parameter

_EXAMPLE = (
    ": listening\nid: 7f3c…-16\n\n"
    'id: 7f3c…-17\ndata: {"event_type": "task.completed", "source_agent": "aafai-bus", "target_agent": null,'
    ' "timestamp": "2026-01-01T12:00:00+00:00", "payload": {"job_id": "01935b7e-6c00-7aaa-8bbb-0123456789ab",'
    ' "action": "fakejob", "state": "succeeded"}}\n\n'
)

EVENTS = Operation(
    summary="What happens, as it happens",
    tag="events",
    description="Server-sent events. Each is a message whose data is the event as JSON: `event_type`,"
    " `source_agent`, `target_agent`, `payload`, `timestamp`. Two notices have names: `missed` (`count`"
    " events are missing here, null when nobody knows how many) and `end` (the bus stops). A comment every 15"
    " seconds is a sign of life. The newest few thousand events are kept for clients that come back with the"
    " id of the last one they heard.",
    parameters=[
        Parameter(
            name="type",
            description="Which events: a pattern such as `task.*`, `system.*`, `{agent}.{action}`; may be"
            " given several times. All without.",
            schema={
                "type": "array",
                "maxItems": 20,
                "items": {"type": "string", "pattern": "^[!-~]{1,100}$"},
            },
            example=["task.*"],
        ),
        Parameter(
            name="Last-Event-ID",
            place="header",
            description="Go on after that event. Browsers send it by themselves when they reconnect.",
            schema={"type": "string"},
        ),
    ],
    answers={
        200: Answer(
            "Events, one after the other.", EVENT, {"two": _EXAMPLE}, content_type="text/event-stream"
        )
    },
    errors=["invalid_request", "unknown_field", "out_of_range", "too_many_streams"],
)
