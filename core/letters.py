"""Letters: what one receiver is to be told by webhook, and when it is tried again. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from core.event_bus import job_payload
from core.event_message import EventMessage
from core.jobs import Job, Json, State
from core.timing import backoff

#: A result longer than this, in characters of JSON, is not sent along: its receiver asks for it.
LARGEST_RESULT = 65_536
#: Seconds of waiting after which a letter is given up.
LONGEST_WAIT = 86_400.0

_CEILING = 4 * 3600.0  # seconds between two attempts at most
_TYPES = {
    State.SUCCEEDED: "task.completed",
    State.FAILED: "task.failed",
    State.CANCELLED: "task.cancelled",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """Something that one receiver is to be told."""

    #: `webhook-id`, the same at every attempt: by it a receiver knows what it was told before.
    id: str
    url: str
    #: The JSON text that is sent and signed.
    body: str
    event_type: str
    #: The job whose end was promised to be told; None for a standing subscription.
    job_id: str | None = None
    #: Attempts that failed.
    attempts: int = 0
    #: Seconds between the attempts so far, and before the next one.
    waited: float = 0.0
    delay: float = 0.0
    #: When the next attempt is due, in Unix seconds.
    next_at: float = 0.0
    #: Why the last attempt failed, in one clause.
    error: str = ""

    @property
    def host(self) -> str:
        """Whom it goes to; all that logs show of the URL, whose query may be a secret."""
        return urlsplit(self.url).netloc

    @property
    def of_the_system(self) -> bool:
        """Whether it tells what the bus does itself: the machine neither stays on nor is started for it.

        Its going is told too, and would keep it from going; its start, and would have it started again.
        """
        return self.event_type.startswith("system.")

    @property
    def hopeless(self) -> bool:
        """Whether it was tried for long enough."""
        return self.waited >= LONGEST_WAIT

    def due_in(self, now: float) -> float:
        """Return the seconds until it is due; never more than its delay, though the clock was set back."""
        return min(max(0.0, self.next_at - now), self.delay)


def letter_of_job(job: Job) -> Letter:
    """Return what the job's `callback_url` is told of its end."""
    whole = {
        **job_payload(job),
        "batch": job.batch,
        "submitted_at": job.submitted_at,
        "ended_at": job.ended_at,
    }
    result = json.dumps(job.result)
    told = (
        {"result": job.result} if len(result) <= LARGEST_RESULT else {"result": None, "result_left_out": True}
    )
    event_type = _TYPES[job.state]
    return Letter(
        id=letter_id(job.id),
        url=job.callback_url or "",
        body=_body(event_type, _iso(job.ended_at or 0.0), {**whole, **told}),
        event_type=event_type,
        job_id=job.id,
    )


def letter_of_event(message: EventMessage, *, url: str, name: str, now: float) -> Letter:
    """Return what a standing subscription is told of an event."""
    body = _body(message.event_type, message.timestamp, message.payload, source=message.source_agent)
    return Letter(id=name, url=url, body=body, event_type=message.event_type, next_at=now)


def letter_id(job_id: str) -> str:
    """Return the `webhook-id` of the letter that tells of a job's end."""
    return f"msg_{job_id}"


def failed(letter: Letter, *, error: str, now: float, base: float, jitter: float) -> Letter:
    """Return the letter after an attempt that failed: to be tried again later, or hopeless by now."""
    delay = backoff(letter.attempts + 1, jitter=jitter, base=base, ceiling=_CEILING)
    return replace(
        letter,
        attempts=letter.attempts + 1,
        waited=letter.waited + letter.delay,
        delay=delay,
        next_at=now + delay,
        error=error,
    )


def document_of(letter: Letter) -> dict[str, Json]:
    """Return the letter as a JSON object."""
    return asdict(letter)


def letter_of(document: Json) -> Letter | None:
    """Return the letter that a JSON object describes; None when it does not."""
    if not isinstance(document, dict):
        return None
    known: dict[str, Any] = {field.name: document.get(field.name) for field in fields(Letter)}
    texts = all(isinstance(known[name], str) for name in ("id", "url", "body", "event_type", "error"))
    numbers = all(isinstance(known[name], int | float) for name in ("attempts", "waited", "delay", "next_at"))
    return Letter(**known) if texts and numbers and isinstance(known["job_id"], str | None) else None


def _body(event_type: str, timestamp: str, told: Mapping[str, Json], **more: Json) -> str:
    return json.dumps({"type": event_type, "timestamp": timestamp, **more, "data": dict(told)})


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
