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
        #: Seconds since boot, sleep included, at which the service started.
        self.started = clock.boottime()
        #: The same for the last work; the start counts as work.
        self.last = self.started
        for status in _WORK:
            events.subscribe(KERNEL, f"task.{status}", self._note)

    def _note(self, message: EventMessage) -> None:
        self.last = self._clock.boottime()
