"""The log of a job, as far as it goes, or followed until the job has ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from api.events_listening import Listening
from api.jobs_views import entry_view
from core.context import LEVELS
from core.errors import BusError

if TYPE_CHECKING:
    from api.events_ring import EventRing
    from core.bus import Bus
    from core.clock import Clock
    from core.event_bus import EventMessage
    from core.jobs import Json, LogEntry

_LOOK_AGAIN = 0.5  # seconds
_PIECE = 500  # entries


def at_least(level: str | None) -> frozenset[str]:
    """Return the levels from that one up, all without one."""
    return frozenset(LEVELS[LEVELS.index(level) :] if level else LEVELS)


class LogFeed(Listening):
    """The entries of a log as they are written: as JSON lines, or as server-sent events."""

    def __init__(
        self,
        job_id: str,
        bus: Bus,
        ring: EventRing,
        clock: Clock,
        *,
        offset: int,
        most: int | None,
        levels: frozenset[str],
        as_events: bool,
        leave: Callable[[], None],
    ) -> None:
        """Begin with the entry at `offset`, end after `most` of them at the latest, and then call `leave`."""
        super().__init__(ring, clock, leave)
        self._job_id = job_id
        self._bus = bus
        self._offset = offset
        self._left = most
        self._levels = levels
        self._as_events = as_events
        self._looks_at = 0.0
        self._has_ended = False

    def news(self) -> bytes | None:
        """Return what was logged since the last time."""
        now = self._clock.monotonic()
        if self._has_ended:
            return None
        if now < self._looks_at:
            return b""
        self._looks_at = now + _LOOK_AGAIN
        return self._looked()

    def sign_of_life(self) -> bytes:
        """Return a comment, or an empty line."""
        return b": following\n\n" if self._as_events else b"\n"

    def concerns(self, message: EventMessage) -> bool:
        """Look at once when the job has gone another step; of single entries nobody is told."""
        is_ours: bool = message.payload.get("job_id") == self._job_id
        if is_ours:
            self._looks_at = 0.0
        return is_ours

    def _looked(self) -> bytes | None:
        """Return the next entries, None when there are none any more."""
        try:
            # First, because the last entries are written before the job ends.
            state = self._bus.peek(self._job_id).state
            entries = self._bus.logs(self._job_id, offset=self._offset, limit=_PIECE)
        except BusError as error:
            return self._ended({"code": error.code, "message": error.message})
        said = b"".join(self._wanted(entries))
        has_more = len(entries) == _PIECE
        if self._left == 0 or (not has_more and (state.ended or self._bus.hung_up)):
            said += self._ended({"state": state.value})
        elif has_more:
            self._looks_at = 0.0
        return said or (None if self._has_ended else b"")

    def _wanted(self, entries: list[LogEntry]) -> Iterator[bytes]:
        for entry in entries:
            if self._left == 0:
                return
            view, self._offset = entry_view(entry, self._offset), self._offset + 1
            if entry.level in self._levels:
                self._left = None if self._left is None else self._left - 1
                yield self._written(view)

    def _written(self, view: dict[str, Json]) -> bytes:
        text = json.dumps(view)
        return f"id: {self._offset}\ndata: {text}\n\n".encode() if self._as_events else f"{text}\n".encode()

    def _ended(self, told: Json) -> bytes:
        """Note the end; events say why, of lines the last one is the last."""
        self._has_ended = True
        return f"event: end\ndata: {json.dumps(told)}\n\n".encode() if self._as_events else b""
