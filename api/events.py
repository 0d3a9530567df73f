"""What happens on the bus, as it happens: GET /api/events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from api import events_doc
from api.callers import caller
from api.events_feed import EventFeed, Wish
from api.feeds import Audience, fed
from api.http import allow_only_query
from api.openapi import documented
from core.errors import InvalidRequest

if TYPE_CHECKING:
    from api.events_ring import EventRing
    from api.places import Places
    from core.kernel import Kernel

MOST_LISTENERS = 64
MOST_PATTERNS = 20

_PATTERN = re.compile(r"[!-~]{1,100}")


def events_blueprint(kernel: Kernel, ring: EventRing, *, places: Places) -> Blueprint:
    """Return the route of the stream."""
    blueprint = Blueprint("events", __name__)
    blueprint.add_url_rule("/api/events", view_func=Events(kernel, ring, places).stream, methods=["GET"])
    return blueprint


class Events:
    """Answer with events, and with those that follow."""

    def __init__(self, kernel: Kernel, ring: EventRing, places: Places) -> None:
        self._kernel = kernel
        self._ring = ring
        self._audience = Audience(MOST_LISTENERS, places)

    @documented(events_doc.EVENTS)
    def stream(self) -> Response:
        """Tell events as they happen, from where the client left off."""
        allow_only_query("type")
        wants = Wish(_patterns() or ["*"], caller())
        feed = EventFeed(
            self._ring,
            self._kernel.bus,
            self._kernel.clock,
            wants=wants,
            last_id=request.headers.get("Last-Event-ID"),
            leave=self._audience.seat(),
        )
        # A proxy that collects what it passes on would keep events back.
        response = Response(mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
        return fed(response, feed, self._kernel.clock)


def _patterns() -> list[str]:
    patterns = request.args.getlist("type")
    if len(patterns) > MOST_PATTERNS:
        raise InvalidRequest("type", f"may be given {MOST_PATTERNS} times.", code="out_of_range")
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            hint = "Try type=task.*"
            raise InvalidRequest("type", "must be 1 to 100 printable characters.", hint=hint)
    return patterns
