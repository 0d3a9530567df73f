"""When something last happened: a job came in or ended. Polls, dashboards and health checks never count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.event_bus import KERNEL, EventBus, EventMessage

if TYPE_CHECKING:
    from core.clock import Clock

_WORK = ("queued", "completed", "failed", "cancelled", "retrying")


class Activity:
    """Remember the last work on the boot-time clock, which no adjustment of the time of day moves."""

    def __init__(self, events: EventBus, clock: Clock) -> None:
        self._clock = clock
        #: When, in seconds since boot, sleep included; None when nothing happened since the service started.
        self.last: float | None = None
        for status in _WORK:
            events.subscribe(KERNEL, f"task.{status}", self._note)

    def _note(self, message: EventMessage) -> None:
        self.last = self._clock.boottime()
