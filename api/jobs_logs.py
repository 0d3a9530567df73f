"""The log of a job, as far as it goes, or followed until the job has ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from api.jobs_views import entry_view
from core.context import LEVELS
from core.errors import BusError

if TYPE_CHECKING:
    from api.events_ring import EventRing
    from core.bus import Bus
    from core.clock import Clock
    from core.event_bus import EventMessage
    from core.jobs import Json, LogEntry

#: Seconds after which a silent log says that it is still followed.
HEARTBEAT = 15.0

_LOOK_AGAIN = 0.5  # seconds
_PIECE = 500  # entries


def at_least(level: str | None) -> frozenset[str]:
    """Return the levels from that one up, all without one."""
    return frozenset(LEVELS[LEVELS.index(level) :] if level else LEVELS)


class LogFeed:
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
        self._job_id = job_id
        self._bus = bus
        self._ring = ring
        self._clock = clock
        self._offset = offset
        self._left = most
        self._levels = levels
        self._as_events = as_events
        self._leave = leave
        self._ring_bell: Callable[[], None] = lambda: None
        self._looks_at = 0.0
        self._spoke_at = clock.monotonic()
        self._has_ended = False

    def read(self) -> bytes | None:
        """Return what was logged since the last time."""
        now = self._clock.monotonic()
        said: bytes | None = None if self._has_ended else b""
        if said is not None and now >= self._looks_at:
            self._looks_at = now + _LOOK_AGAIN
            said = self._looked()
        if said == b"" and now - self._spoke_at >= HEARTBEAT:
            said = b": following\n\n" if self._as_events else b"\n"
        if said:
            self._spoke_at = now
        return said

    def when_more(self, ring: Callable[[], None]) -> None:
        """Call `ring` when the job goes another step; of single entries nobody is told."""
        self._ring_bell = ring
        self._ring.listen(self._hear)

    def close(self) -> None:
        """Follow no more."""
        self._ring.unlisten(self._hear)
        self._leave()

    def _hear(self, message: EventMessage) -> None:
        if message.payload.get("job_id") == self._job_id:
            self._looks_at = 0.0
            self._ring_bell()

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
