"""EventMessage: something that happened, and how it is written as one line of JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import InvalidRequest
from core.jobs import Json

#: Bytes that a written event may have: what is larger belongs into a file, and the event names that.
LONGEST = 65_536

_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, kw_only=True, slots=True)
class EventMessage:
    """Something that happened."""

    #: `{agent}.{action}`, `task.{status}` or `system.{event}`.
    event_type: str
    #: Who says it.
    source_agent: str
    #: Who alone is to hear it; None for everybody.
    target_agent: str | None = None
    payload: Mapping[str, Json] = field(default_factory=dict)
    #: When, in ISO 8601 with a time zone.
    timestamp: str = ""
    #: Where its transport goes on after it, for `subscribe(since=…)`; None where nothing is kept.
    cursor: str | None = field(default=None, compare=False)


def encoded(message: EventMessage) -> bytes:
    """Return the message as one line of JSON without its line break.

    Raises InvalidRequest when the payload is no JSON, or when the line has more than 65,536 bytes.
    """
    document = {
        "event_type": message.event_type,
        "source_agent": message.source_agent,
        "target_agent": message.target_agent,
        "payload": dict(message.payload),
        "timestamp": message.timestamp,
    }
    try:
        line = _encode(document).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest("payload", f"is not JSON: {error}", code="bad_payload") from None
    if len(line) > LONGEST:
        raise InvalidRequest(
            "payload", f"makes an event of {len(line):,} bytes; {LONGEST:,} is the most.", code="bad_payload"
        )
    return line


def decoded(line: bytes, *, cursor: str | None = None) -> EventMessage | None:
    """Return the message that a line holds; None when it holds none: others may write there too."""
    try:
        document = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return message_of(document, cursor=cursor) if isinstance(document, dict) else None


def message_of(document: Mapping[str, Json], *, cursor: str | None = None) -> EventMessage | None:
    """Return the message that a JSON object describes; None when a field is missing or of the wrong type."""
    event_type, source = document.get("event_type"), document.get("source_agent")
    target, payload = document.get("target_agent"), document.get("payload")
    if not (isinstance(event_type, str) and isinstance(source, str)):
        return None
    if not (isinstance(target, str | None) and isinstance(payload, dict | None)):
        return None
    timestamp = document.get("timestamp")
    return EventMessage(
        event_type=event_type,
        source_agent=source,
        target_agent=target,
        payload=payload or {},
        timestamp=timestamp if isinstance(timestamp, str) else "",
        cursor=cursor,
    )


def _refuse(constant: str) -> None:
    """Refuse NaN and the infinities: they are none of JSON's values, and could not be told on."""
    raise ValueError(constant)
